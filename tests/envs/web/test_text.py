from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.web.text import PASSAGE_BYTES, SNIPPET_CHARS, clean, passages, snippet, without_targets, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Countries' capitals", ["country", "capital"]),
        ("glasses buses status boss gas", ["glass", "buse", "status", "boss", "gas"]),
        ("Ｆｕｌｌ width ﬁne STRASSE straße", ["full", "width", "fine", "strasse", "strasse"]),
        ("Đặng Árpád naïve", ["đang", "arpad", "naive"]),
        ("東京都の人口", ["東京", "京都", "都の", "の人", "人口"]),
        ("abc東京 1990年", ["abc", "東京", "1990", "年"]),
        ("서울 한국어", ["서울", "한국어"]),
        ("os.path.join __init__ a_b", ["os.path.join", "os", "path", "join", "init", "a_b", "a", "b"]),
        ("3.14 e.g. end. Next", ["3.14", "3", "14", "e.g", "e", "g", "end", "next"]),
        ("!?… — ‽", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(max_size=2000))
def test_passages_hold_all_words_and_keep_their_size(text: str) -> None:
    data = text.encode("utf-8", "replace")
    spans = passages(data)
    assert b"".join(data[a:b] for a, b in spans).split() == b"".join(data.split()).split() or (
        b"".join(b"".join(data[a:b].split()) for a, b in spans) == b"".join(data.split())
    )
    assert all(0 <= b - a <= PASSAGE_BYTES for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_passages_end_at_sentences_and_cut_what_has_no_spaces() -> None:
    text = ("word " * 79 + "end. ") * 3
    assert [text[b - 4 : b] for _, b in passages(text.encode())] == ["end.", "end.", "end."]
    chinese = "世" * 5000
    spans = passages(chinese.encode())
    assert len(spans) == 4
    assert "".join(chinese.encode()[a:b].decode() for a, b in spans) == chinese


@given(st.text(max_size=1500), st.lists(st.text(min_size=1, max_size=8), max_size=8))
def test_a_snippet_is_short_and_on_one_line(text: str, wanted: list[str]) -> None:
    found = snippet(text, wanted)
    assert len(found) <= SNIPPET_CHARS
    assert "\n" not in found


def test_a_snippet_shows_the_words() -> None:
    text = "Filler goes on and on. " * 30 + "The lighthouse was lit in 1874 by Ada. " + "More filler follows. " * 30
    assert "lighthouse was lit in 1874" in snippet(text, ["lighthouse", "1874"])


def test_link_targets_are_not_text() -> None:
    assert without_targets("see [a](https://x.example/a_(b)_c) and [b](<https://y.example/>).") == "see [a] and [b]."
    assert without_targets("f](x)") == "f](x)"


@given(st.text())
def test_clean_text_steers_no_terminal(text: str) -> None:
    assert all(c in "\n\t" or c.isprintable() or not (ord(c) < 32 or 127 <= ord(c) < 160) for c in clean(text))
    assert clean(clean(text)) == clean(text)


def test_words_are_the_same_however_their_accents_and_case_are_written() -> None:
    assert words("re\u0301sume\u0301") == words("r\u00e9sum\u00e9") == ["resume"]
    for text in ("\u0130stanbul", "Stra\u00dfe", "\u1e9e", "o\u0302\u0323\u0301n"):
        assert words(text) == words(text.casefold()), text  # a search's key has no case
