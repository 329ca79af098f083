"""How a report names its sources: `\\cite{web_<8 hex>}` of a page's address, or a Markdown link."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from urllib.parse import unquote

from murk.envs.records import Page
from murk.envs.web.urls import dated, spellings

_CITE = re.compile(r"\\cite\s?\{([^{}]{0,2000})\}")
_KEYS = re.compile(r"[^\s,;]+")
_KEY = re.compile(r"web_[0-9a-f]{8}")
# What follows the label of a link: an address with pairs of parentheses within, and a title.
_TARGET = re.compile(
    r"\]\(\s?(?:<((?:(?i:https?)://|/web/\d)[^\s<>]*+)>"
    r"|((?:(?i:https?)://|/web/\d)(?:[^\s<>()]++|\((?:[^\s<>()]++|\([^\s<>()]*+\))*+\))*+))"
    r"""(?:\s(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s?\)"""
    r"|\]\(((?:(?i:https?)://|/web/\d)[^\s<>()]*+\([^\s<>()]*+)\)"  # one that its author did not close
)
_LABEL = 500  # characters
MAX_CITATIONS = 2_000


@dataclass(frozen=True, slots=True)
class Citation:
    """One citation of a report.

    Attributes:
        start: Character in the report where it begins.
        text: As the report has it.
        url: The page that it means, as delivered in the episode; None where no page delivered is meant, or nothing at
            all, as by a key of the wrong form.
    """

    start: int
    text: str
    url: str | None


@lru_cache(maxsize=1 << 14)
def cite_key(url: str) -> str:
    """Key of a page for `\\cite{...}`: the first 8 hex digits of the md5 of its canonical URL, after `web_`.

    >>> cite_key("https://example.org/")
    'web_ef57f67c'
    """
    return "web_" + md5(url.encode(), usedforsecurity=False).hexdigest()[:8]


def citations(report: str, pages: Mapping[str, Page]) -> list[Citation]:
    """The citations of a report in their order, resolved among the pages that were delivered.

    Args:
        report: The final answer.
        pages: Pages by canonical URL, in the order of their first delivery, which settles equal keys.
    """
    found: list[Citation] = []
    known = _Known(pages)
    marks = sorted([*_CITE.finditer(report), *_TARGET.finditer(report)], key=lambda mark: mark.start())
    for mark in marks:
        found += _cited(mark, known) if mark.re is _CITE else [_linked(report, mark, known)]
        if len(found) >= MAX_CITATIONS:
            break
    return sorted(found[:MAX_CITATIONS], key=lambda citation: citation.start)


class _Known:
    """Pages that were delivered, by all that may name them."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self.pages = pages
        self.keys: dict[str, str] = {}
        self._plain: dict[str, str] = {}
        for url in pages:
            self.keys.setdefault(cite_key(url), url)

    def page(self, address: str) -> str | None:
        """The page that an address means, however it is spelled or escaped, and whatever date it names."""
        wanted = spellings(dated(address)[0])
        meant = next((url for url in wanted if url in self.pages), None)
        if meant is None and ("%" in address or "(" in address):
            if not self._plain:
                self._plain = {unquote(url): url for url in reversed(list(self.pages))}
            meant = next((self._plain[url] for url in map(unquote, wanted) if url in self._plain), None)
        return meant


def _cited(mark: re.Match[str], known: _Known) -> Iterator[Citation]:
    """The citations of a `\\cite{...}`, one for each key; their texts on end are that of the whole."""
    keys = [*_KEYS.finditer(mark[0], mark.start(1) - mark.start(), len(mark[0]) - 1)]
    bounds = [0, *(key.start() for key in keys[1:]), len(mark[0])]
    for i in range(len(bounds) - 1):
        name = keys[i][0].lower() if keys else ""
        meant = known.keys.get(name) if _KEY.fullmatch(name) else None
        yield Citation(mark.start() + bounds[i], mark[0][bounds[i] : bounds[i + 1]], meant)


def _linked(report: str, mark: re.Match[str], known: _Known) -> Citation:
    """The citation of a link, which begins with the bracket that opens its label."""
    start, depth = mark.start(), 1
    while depth and start > max(0, mark.start() - _LABEL):
        start -= 1
        depth += (report[start] == "]") - (report[start] == "[")
    if depth:
        start = mark.start()
    return Citation(start, report[start : mark.end()], known.page(mark[1] or mark[2] or mark[3]))
