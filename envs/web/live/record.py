"""`record`: live pages and live search results, frozen into a snapshot.

The worlds behind it are `Live`, which asks the network for everything, and `Recorder`, which asks it for each thing
once.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from murk.envs.codec import canonical_json, encode
from murk.envs.errors import UsageError
from murk.envs.records import Call, Failure, Hits, Open, Request, Response, Search
from murk.envs.web.build import Options, Report, freeze
from murk.envs.web.cache import open_cache
from murk.envs.web.document import Document
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.live.engines import EngineConfig, JsonEngine
from murk.envs.web.live.fetch import Fetcher, FetchSettings
from murk.envs.web.live.reader import Reader
from murk.envs.web.live.world import KeptPages, Live, Pages, Recorder, as_page, as_raw
from murk.envs.web.snapshot import LINKS_SECONDS
from murk.envs.web.urls import host_of, spellings

__all__ = ["Live", "Recorder", "record"]


def record(
    urls: Sequence[str],
    queries: Sequence[str],
    out: Path,
    *,
    engine: EngineConfig | None = None,
    cache_dir: Path | None = None,
    settings: FetchSettings | None = None,
    k: int = 10,
    follow: int = 0,
    max_pages: int = 1_000,
    options: Options | None = None,
) -> Report:
    """Records live pages and live search results into a snapshot.

    Args:
        urls: Pages to open.
        queries: Searches to make; their hits are opened, too.
        out: Folder of the snapshot to make; it must not exist.
        engine: Search engine for the queries.
        cache_dir: Keeps what was fetched, so that a second run, or one that was broken off, asks for nothing twice.
            Without it a temporary one is used.
        settings: Limits of fetching.
        k: Hits wanted of each query.
        follow: How many links deep to go from these pages, on the same host.
        max_pages: Most pages to open.
        options: How to build the snapshot; its `progress` also hears of the stage `recording`.

    Raises:
        UsageError: an argument is wrong, `out` exists, or no page could be recorded.
    """
    for name, value, low in (("k", k, 1), ("follow", follow, 0), ("max_pages", max_pages, 1)):
        if value < low:
            raise UsageError(f"{name} is {value}; allowed: {low} or more.")
    starts = _starts(urls, queries, out, engine)
    with ExitStack() as stack:
        folder = cache_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cache = stack.enter_context(closing(open_cache(folder)))
        read = stack.enter_context(closing(Reader()))
        fetcher = Fetcher(settings)
        pages = KeptPages(fetcher, cache)
        live = Live(pages, JsonEngine(engine, fetcher) if engine else None, read)
        options = options or Options()
        session = _Session(live, Recorder(live, cache), options.progress)
        starts += session.search(queries, k)
        session.crawl(list(dict.fromkeys(starts)), follow, max_pages)
        return freeze(session.items(pages), out, replace(options, exchanges=tuple(session.exchanges.items())))


class _Session:
    """What one recording has met so far. Bodies stay in the cache: only addresses are held here."""

    def __init__(self, live: Live, recorder: Recorder, progress: Callable[[str, int, int], None]) -> None:
        self._live, self._recorder, self._progress = live, recorder, progress
        self.exchanges: dict[str, str] = {}
        self._captured: dict[str, str] = {}
        self._skips: list[Skip] = []

    def search(self, queries: Sequence[str], k: int) -> list[str]:
        """Makes the searches, and returns the addresses of their hits."""
        found: list[str] = []
        for query in queries:
            request = Search(query, k)
            response = self._recorder.answer(request, Call())
            if isinstance(response, Hits):
                self._keep(request, response)
                found += [hit.url for hit in response.hits]
            elif isinstance(response, Failure):
                self._skips.append(Skip(response.kind, f"search {query[:80]!r}: {response.message}"))
        return found

    def crawl(self, starts: Sequence[str], follow: int, max_pages: int) -> None:
        """Opens pages, nearest first, and with `follow` the pages of the same host that they link to."""
        queue = deque((url, 0) for url in starts[:max_pages])
        self._skips += [Skip("page_limit", url) for url in starts[max_pages:]]
        known = dict.fromkeys(url for url, _ in queue)
        while queue:
            url, depth = queue.popleft()
            document = self._visit(url)
            self._progress("recording", len(known) - len(queue), 0 if follow else len(known))
            for link, _ in document.links if document and depth < follow else ():
                if len(known) >= max_pages:
                    break
                if link not in known and host_of(link) == host_of(url):
                    known[link] = None
                    queue.append((link, depth + 1))

    def items(self, pages: Pages) -> Iterator[Raw | Skip]:
        """The captures for the snapshot, and what could not be captured."""
        yield from self._skips
        for url in self._captured.values():
            fetched = pages.get(url)
            yield Skip(fetched.kind, url) if isinstance(fetched, Failure) else as_raw(fetched)

    def _visit(self, url: str) -> Document | None:
        document = self._live.document(url)
        if isinstance(document, Failure):
            self._keep(Open(url), replace(document, cost=LINKS_SECONDS))
            self._skips.append(Skip(document.kind, url))
            return None
        self._captured.setdefault(document.url, url)
        if document.url != url:  # the capture stands under the address that answered
            self._keep(Open(url), as_page(document))
        return document

    def _keep(self, request: Request, response: Response) -> None:
        self.exchanges[request.key] = canonical_json(encode(response))


def _starts(urls: Sequence[str], queries: Sequence[str], out: Path, engine: EngineConfig | None) -> list[str]:
    """The canonical addresses to begin with, if there is something to do."""
    if not urls and not queries:
        raise UsageError("nothing to record: give addresses, queries, or both.")
    if queries and engine is None:
        raise UsageError("queries need a search engine: give its config.")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already; remove it or choose another name.")
    starts = [next(iter(spellings(url)), "") for url in urls]
    if "" in starts:
        raise UsageError(f"{urls[starts.index('')]!r} is not an http or https address.")
    return starts
