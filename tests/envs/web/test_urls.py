import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.web import urls


@pytest.mark.parametrize(
    ("given_url", "canonical"),
    [
        ("https://EN.wikipedia.org/wiki/%c3%81rp%C3%A1d", "https://en.wikipedia.org/wiki/%C3%81rp%C3%A1d"),
        ("https://en.wikipedia.org/wiki/Árpád", "https://en.wikipedia.org/wiki/%C3%81rp%C3%A1d"),
        ("http://example.com", "http://example.com/"),
        ("http://example.com:80?a=b#c", "http://example.com/?a=b"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("https://example.com/a/./b/../c/", "https://example.com/a/c/"),
        ("https://example.com/%7Euser/a b", "https://example.com/~user/a%20b"),
        ("https://user:secret@example.com/", "https://example.com/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2001:DB8::1]:80/", "https://[2001:db8::1]:80/"),
        ("  https://example.com/a%2Fb  ", "https://example.com/a%2Fb"),
    ],
)
def test_one_spelling(given_url: str, canonical: str) -> None:
    assert urls.canonical_url(given_url) == canonical
    assert urls.canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "bad",
    ["", "x", "ftp://a.example/", "javascript:alert(1)", "https://", "https:///a", "https://a b/", "https://a\x00b/"]
    + ["https://exa\nmple.com/", "https://example.com:99999/", "https://[::1/", "https://" + "a" * 3000 + ".example/"],
)
def test_what_is_no_page_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        urls.canonical_url(bad)
    assert urls.resolve("https://a.example/", "mailto:x@example.com") is None


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for candidate in (text, "https://example.com/" + text, "https://" + text):
        try:
            canonical = urls.canonical_url(candidate)
        except ValueError:
            continue
        assert urls.canonical_url(canonical) == canonical
        assert canonical.isascii()
    urls.spellings(text)
    urls.resolve("https://example.com/", text)
    urls.dated(text)


@pytest.mark.parametrize(
    ("text", "end", "number"),
    [
        ("2021", False, 20210101000000),
        ("2021", True, 20211231235959),
        ("20210301", True, 20210301235959),
        ("2021-03-01T12:30:05Z", False, 20210301123005),
        ("20140216050221", False, 20140216050221),
        ("2021-03-01T12:30:05.123Z", False, 20210301123005),
        ("", False, 0),
    ],
)
def test_dates(text: str, end: bool, number: int) -> None:
    assert urls.parse_date(text, end) == number


@pytest.mark.parametrize("bad", ["yesterday", "2021-13", "21", "2021-00-01", "٢٠٢١", "2021-3-1", "20210301x"])
def test_what_is_no_date_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        urls.parse_date(bad)


def test_dated_addresses() -> None:
    assert urls.dated("https://web.archive.org/web/20210301id_/https://a.example/") == (
        "https://a.example/",
        "20210301",
    )
    assert urls.dated("/web/2021/a.example/x") == ("a.example/x", "2021")
    assert urls.dated("https://a.example/web/x") == ("https://a.example/web/x", None)
