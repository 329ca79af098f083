"""Citations as models write them, and the pages that they mean."""

import time
from dataclasses import replace
from itertools import pairwise

import pytest

from murk.envs.citations import MAX_CITATIONS, citations, cite_key
from murk.envs.delivered import Delivered
from murk.envs.records import Open, Page

FOO = "https://en.wikipedia.org/wiki/Foo_(bar)"
OTHER = "https://vale.example/lighthouse.html"
PAGES = {url: Page(url, "t", "text") for url in (FOO, OTHER)}
A, B = cite_key(FOO), cite_key(OTHER)


@pytest.mark.parametrize(
    ("report", "meant"),
    [
        (f"[x]({FOO})", [FOO]),
        (f"[x](<{FOO}>), and more", [FOO]),
        ("[x](https://en.wikipedia.org/wiki/Foo_%28bar%29)", [FOO]),
        (f'[x]({OTHER} "The light")', [OTHER]),
        (f"[a [b] c]({OTHER})", [OTHER]),
        (f"([x]({OTHER}))", [OTHER]),
        (f"[x](/web/20210301/{OTHER}) and [y](https://web.archive.org/web/2019/{OTHER})", [OTHER, OTHER]),
        ("[x](HTTPS://Vale.example/lighthouse.html) and [y](<Http://vale.example/lighthouse.html>)", [OTHER, OTHER]),
        (f"\\cite{{{A},{B}}} and \\cite{{{B}; {A.upper()}}}", [FOO, OTHER, OTHER, FOO]),
        (f"\\cite{{ {A} }}", [FOO]),
        ("\\cite{web_123} \\cite{foo} \\cite{} \\cite{web_ffffffff}", [None, None, None, None]),
        ("[x](https://nowhere.example/a_(b))", [None]),
        ("[x](https://nowhere.example/f(g(h))) [y](https://nowhere.example/a(b)", [None, None]),
        (f"[\\cite{{{B}}}]({OTHER})", [OTHER, OTHER]),
        ("[x](mailto:a@b.c) (https://vale.example/) [x] (y)", []),
    ],
)
def test_what_a_citation_means(report: str, meant: list[str | None]) -> None:
    found = citations(report, PAGES)
    assert [citation.url for citation in found] == meant
    for one in found:
        assert report[one.start : one.start + len(one.text)] == one.text
    for first, second in pairwise(found):
        assert first.start + len(first.text) <= second.start or second.text in first.text


def test_the_text_of_a_link_begins_with_its_label() -> None:
    assert [citation.text for citation in citations(f"so [a [b] c]({OTHER}).", PAGES)] == [f"[a [b] c]({OTHER})"]


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "](",
        "[x](",
        "](https://a",
        "](https://a(",
        "\\cite{",
        "\\cite{a ",
        "(",
        f"[x]({OTHER})",
        f"[[x]({OTHER}",
        "]",
    ]
    + ["\\cite{" + "a " * 900 + "}", '](https://a "'],
)
def test_hostile_reports_take_no_time(piece: str) -> None:
    report = piece * (200_000 // len(piece))
    began = time.perf_counter()
    assert len(citations(report, PAGES)) <= MAX_CITATIONS
    assert time.perf_counter() - began < 1


def test_what_is_looked_up_later_takes_no_evidence_away() -> None:
    delivered = Delivered()
    old = Page(OTHER, "t", "lit in 1874", "2019-01-01")
    new = replace(old, text="lit in 1875", date="2021-01-01")
    delivered.add(old, Open(OTHER, "2019"))
    assert delivered[OTHER] == old
    delivered.add(new, Open(OTHER))
    assert delivered[OTHER] == replace(new, text="lit in 1874\n\nlit in 1875")
    delivered.add(replace(old, text="lit in 1873"), Open(OTHER, "2019"))
    assert delivered[OTHER].text == "lit in 1874\n\nlit in 1875\n\nlit in 1873"
    delivered.add(replace(new, text="lit in"), Open(OTHER))  # as a fault may cut it
    delivered.add(replace(new, text="It was lit in 1875."), Open(OTHER))
    assert delivered[OTHER].text == "lit in 1874\n\nlit in 1873\n\nIt was lit in 1875."
    assert list(delivered) == [OTHER]
