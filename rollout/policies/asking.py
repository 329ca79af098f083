"""Searching and opening pages from within a script; results are read once and remembered."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from murk.rollout.policies.results import Block, Found, Opened, failures, read_hits, read_pages
from murk.rollout.policies.script import Ask

T = TypeVar("T")
Steps = Generator[Ask, list[str], T]
Call = tuple[str, dict[str, Any]]

WHOLE = 120_000
"""Bytes of a long page that are read."""
BATCH = 12


@dataclass(slots=True)
class Asker:
    """Asks tools and trusts what they say: what fails is left out.

    Attributes:
        pages: Pages read so far, by (URL as asked for, date).
        hits: Hits seen so far, by URL.
        troubles: What could not be had, in words for the report.
    """

    pages: dict[tuple[str, str | None], Opened] = field(default_factory=dict)
    hits: dict[str, Found] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def search(
        self, queries: Iterable[str], each: int = 6, shelf: str = "web", thought: str = ""
    ) -> Steps[list[Found]]:
        """Hits of all queries in one list, those of the first query first."""
        asked = tidy(queries)
        if not asked:
            return []
        blocks = yield from self.ask_search(asked, each, shelf, thought)
        return self.remembered([hit for block in blocks for hit in block.hits])

    def ask_search(
        self, asked: Sequence[str], each: int, shelf: str, thought: str = "", wait: float = 0.0
    ) -> Steps[list[Block]]:
        """What each query got, asked once, after a wait in seconds."""
        arguments: dict[str, Any] = {"action": "batch_search", "queries": list(asked), "topk": each * len(asked)}
        if shelf != "web":
            arguments["shelf"] = shelf
        said = thought or "Search for " + "; ".join(asked) + "."
        (text,) = yield from self.call(said, [("web", arguments)], wait)
        return self.read_hits(text)

    def remembered(self, found: Sequence[Found]) -> list[Found]:
        """The hits without repetition; they are kept."""
        for hit in found:
            self.hits.setdefault(hit.url, hit)
        return list({hit.url: hit for hit in reversed(found)}.values())[::-1]

    def open(self, urls: Iterable[str], at: str | None = None, thought: str = "") -> Steps[list[Opened]]:
        """The pages at some addresses with their whole text, as they were at a date; in the order asked for."""
        asked = list(dict.fromkeys(urls))
        yield from self.ask_open([url for url in asked if (url, at) not in self.pages], at, thought)
        return [self.pages[url, at] for url in asked if (url, at) in self.pages]

    def ask_open(
        self, urls: Sequence[str], at: str | None, thought: str = "", wait: float = 0.0
    ) -> Steps[dict[str, str]]:
        """Opens pages, each asked for once, after a wait in seconds; what went wrong, by URL."""
        bad: dict[str, str] = {}
        for begin in range(0, len(urls), BATCH):
            bad |= yield from self._open(urls[begin : begin + BATCH], at, thought, 0.0 if begin else wait)
        return bad

    def _open(self, urls: Sequence[str], at: str | None, thought: str, wait: float) -> Steps[dict[str, str]]:
        arguments: dict[str, Any] = {"action": "batch_open", "urls": list(urls)}
        if at:
            arguments["at"] = at
        (text,) = yield from self.call(thought or f"Open {len(urls)} pages.", [("web", arguments)], wait)
        by_url = {page.url: page for page in read_pages(text)}
        found = {url: by_url[url] for url in urls if url in by_url}
        rest = [page for address, page in by_url.items() if address not in found]
        for url in urls:  # an address may be told in another spelling: the pages stand in the order asked for
            if url not in found and len(by_url) == len(urls) and rest:
                found[url] = rest.pop(0)
        yield from self._read_on(found)
        self.pages |= {(url, at): page for url, page in found.items()}
        bad = failures(text)
        return {url: bad.get(url) or bad.get("") or "no answer" for url in urls if url not in found}

    def _read_on(self, found: dict[str, Opened]) -> Steps[None]:
        """Reads the files of those pages that were cut."""
        long = [url for url, page in found.items() if page.file]
        reads: list[Call] = [("file", {"action": "read", "path": found[url].file, "limit": WHOLE}) for url in long]
        if reads:
            texts = yield from self.call("These pages are long; read their files.", reads)
            for url, whole in zip(long, texts, strict=True):
                if len(whole) >= len(found[url].text):
                    found[url] = found[url].whole(whole)

    def call(self, thought: str, calls: Sequence[Call], wait: float = 0.0) -> Steps[list[str]]:
        """Results of some calls, made after a wait in seconds."""
        first: list[Call] = [("wait", {"seconds": wait})] if wait else []
        results = yield Ask(thought, [*first, *calls])
        return results[len(first) :]

    def read_hits(self, text: str) -> list[Block]:
        """Hits in a result."""
        return read_hits(text)


def tidy(queries: Iterable[str]) -> list[str]:
    """Queries without repetition, as many as one call takes."""
    return [query for query in dict.fromkeys(" ".join(query.split()) for query in queries) if query][:BATCH]
