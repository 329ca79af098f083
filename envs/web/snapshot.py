"""Reading a snapshot: the frozen web that tools ask.

Many processes open one snapshot at once, read-only and memory-mapped, from any file system. Nothing in it is trusted:
a damaged or foreign file is refused with its name, when the snapshot is opened or when the damage is met.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import NotInSnapshot, SnapshotError, UnknownName
from murk.envs.records import Call, Failure, Hit, Hits, Link, LinkList, Open, Page, Request, Response, Search
from murk.envs.web import manifest
from murk.envs.web.columns import Strings, load_array
from murk.envs.web.dense import Reranker
from murk.envs.web.document import Document
from murk.envs.web.index import without_targets
from murk.envs.web.query import Query, parse_query
from murk.envs.web.search import Index, Ranked
from murk.envs.web.text import mark, snippet, words
from murk.envs.web.urls import dated, format_date, key64, parse_date, spellings
from murk.envs.web.vectors import PassageVectors

SHELVES = ("web", "authority", "library")
MAX_HITS = 1_000
PHRASE_CHECKS = 2_000
SNIPPET_WORDS = 8
SEARCH_SECONDS, OPEN_SECONDS, LINKS_SECONDS = 1.0, 1.5, 0.5


class Snapshot:
    """A frozen, hyperlinked, searchable web; a `World`. Open one with `Snapshot.open`.

    Attributes:
        folder: Where it lies.
        info: Its manifest: `captures, pages, passages, hosts, links, content_digest` and more.
        authority: Whether authority lifts results where relevance is close.
        rerank: How the first results are reranked by meaning; None if they are not.
    """

    def __init__(
        self, folder: Path, info: dict[str, Any], authority: bool = True, rerank: Reranker | None = None
    ) -> None:
        self.folder, self.info, self.authority, self.rerank = folder, info, authority, rerank
        self._texts = Strings(folder, "text")
        self._titles = Strings(folder, "title")
        self._urls = Strings(folder, "url")
        self._links = Strings(folder, "links")
        self._breaks = Strings(folder, "breaks")
        self._hosts = Strings(folder, "hosts")
        self._dates = load_array(folder, "dates", np.int64)
        self._captures = load_array(folder, "pages.captures", np.int64)
        self._capture_starts = load_array(folder, "pages.capture_starts", np.int64)
        self._keys = load_array(folder, "pages.keys", np.uint64)
        self._key_pages = load_array(folder, "pages.by_key", np.int64)
        self._page_hosts = load_array(folder, "pages.host", np.int32)
        self._tiers = load_array(folder, "pages.tier", np.uint8)
        self._long = load_array(folder, "pages.long", np.uint8)
        self._spans = load_array(folder, "spans", np.int32).reshape(-1, 2)
        self.index = Index(folder, self._tiers)
        self._host_pages = lru_cache(maxsize=256)(self._pages_on)
        self._check_sizes()
        self._vectors = PassageVectors(folder, rerank.name, self.index.page_starts) if rerank else None

    @classmethod
    def open(cls, folder: str | Path, *, authority: bool = True, rerank: Reranker | None = None) -> "Snapshot":
        """Opens a snapshot read-only.

        Args:
            folder: Where `murk snapshot build` put it.
            authority: Whether authority lifts results where relevance is close; False for an ablation.
            rerank: Reranks the first results by meaning; the snapshot must have been built with the same embedder.

        Raises:
            SnapshotError: there is no snapshot, or it is damaged or of another version; the message names the file.
            UsageError: the snapshot has no vectors, or those of another embedder than the reranker's.
        """
        path = Path(folder)
        return cls(path, manifest.read_manifest(path), authority, rerank)

    def __len__(self) -> int:
        """Number of pages (distinct URLs)."""
        return len(self._tiers)

    def __repr__(self) -> str:
        return f"Snapshot({str(self.folder)!r}, pages={len(self)}, digest={self.info['content_digest'][:12]})"

    def search(self, query: str, k: int = 10, shelf: str = "web") -> Hits:
        """The k best pages for a query, among the newest captures of all pages.

        Args:
            query: Words, `"a phrase"`, `site:host`, `-word`.
            k: Number of hits wanted, 1 to `MAX_HITS`.
            shelf: `web`, `authority` or `library`.

        Raises:
            UnknownName: no such shelf.
            ValueError: k is out of range.
            SnapshotError: the index is damaged.
        """
        if shelf not in SHELVES:
            raise UnknownName("shelf", shelf, SHELVES)
        if not 1 <= k <= MAX_HITS:
            raise ValueError(f"k is {k}; allowed are 1 to {MAX_HITS}")
        asked = parse_query(query)
        vector = self.rerank.vector(query) if self.rerank and asked.terms else None
        with self._reading():
            return Hits(self._hits(self._rank(asked, k, shelf, vector)), SEARCH_SECONDS)

    def page(self, url: str, at: str | None = None) -> Page:
        """A page, as it is in its newest capture or as it was at a date.

        Args:
            url: Its address; `/web/YYYYMMDD/URL` names a date, too.
            at: A date such as `2021`, `2021-03` or `2021-03-01`: the newest capture that is not later counts, and
                the oldest one where all are later.

        Raises:
            NotInSnapshot: there is no capture of this URL.
            ValueError: `at` is no date.
            SnapshotError: the files are damaged.
        """
        address, limit = _address(url, at)
        with self._reading():
            page, capture = self._locate(address, limit)
            dates = tuple(format_date(int(self._dates[c])) for c in self._captures_of(page))
            date = format_date(int(self._dates[capture]))
            title, text = self._titles[capture], self._texts[capture]
            return Page(self._urls[page], title, text, date, dates, OPEN_SECONDS)

    def links(self, url: str, at: str | None = None) -> LinkList:
        """The links of a page in their order, each target once. Raises as `page` does."""
        address, limit = _address(url, at)
        with self._reading():
            page, capture = self._locate(address, limit)
            found = json.loads(self._links.data(capture))
            links = tuple(Link(target, text, self._find(target) is not None) for target, text in found)
            return LinkList(self._urls[page], links, LINKS_SECONDS)

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request as a world does: what cannot be answered is a `Failure`."""
        try:
            if isinstance(request, Search):
                return self.search(request.query, min(max(request.k, 1), MAX_HITS), request.shelf)
            if isinstance(request, Open):
                return self.page(request.url, request.at)
            return self.links(request.url, request.at)
        except NotInSnapshot as error:
            return Failure("not_found", 404, str(error), cost=LINKS_SECONDS)
        except (UnknownName, ValueError) as error:
            return Failure("bad_request", 400, str(error), cost=LINKS_SECONDS)

    def urls(self) -> Iterator[str]:
        """Addresses of all pages, in their order."""
        return iter(self._urls)

    def documents(self) -> Iterator[Document]:
        """All captures, page by page, each page's oldest first."""
        for page in range(len(self)):
            for capture in self._captures_of(page):
                data = self._texts.data(capture)
                yield Document(
                    self._urls[page],
                    self._titles[capture],
                    data.decode("utf-8", "replace"),
                    tuple((target, text) for target, text in json.loads(self._links.data(capture))),
                    int(self._dates[capture]),
                    tuple(len(data[:at].decode("utf-8", "replace")) for at in json.loads(self._breaks.data(capture))),
                )

    @cached_property
    def recording(self) -> Mapping[str, str]:
        """Recorded exchanges: canonical JSON of a response by the key of its request; empty where there are none."""
        if "recording.keys.bin" not in self.info["files"]:
            return {}
        keys, values = Strings(self.folder, "recording.keys"), Strings(self.folder, "recording.values")
        return {key: values[i] for i, key in enumerate(keys)}

    def passages(self, numbers: NDArray[np.int64]) -> list[str]:
        """Texts of passages as they are searched, without link targets."""
        spans = self._spans[numbers]
        captures = self._newest(self.index.pages_of(numbers))
        texts = self._texts.parts(captures, spans[:, 0].tolist(), spans[:, 1].tolist())
        return [without_targets(text) for text in texts]

    def _rank(self, asked: Query, k: int, shelf: str, vector: NDArray[np.int8] | None = None) -> Ranked:
        allowed = None
        if shelf != "web" or asked.sites or asked.phrases or asked.without:
            allowed = self._allowed(asked, shelf)
            if not asked.terms:
                pages = np.flatnonzero(allowed)[: k if asked.sites else 0]
                return Ranked(pages, np.zeros_like(pages), self.index.page_starts[pages])
        if vector is None or self.rerank is None or self._vectors is None:
            return self.index.rank(asked, k, allowed, self.authority)
        ranked = self.index.rank(asked, max(k, self.rerank.top), allowed, lift=False)
        near = self._vectors.nearest(ranked.pages[: self.rerank.top], vector)
        return self.rerank.order(ranked, near, self.index.lifted if self.authority else None).first(k)

    def _allowed(self, asked: Query, shelf: str) -> NDArray[np.bool_]:
        """Which pages the operators and the shelf leave, shape (pages,)."""
        allowed = np.ones(len(self), np.bool_)
        if shelf == "authority":
            allowed &= self._tiers > 0
        elif shelf == "library":
            allowed &= self._long > 0
        if asked.sites:
            allowed &= np.logical_or.reduce([self._host_pages(site) for site in asked.sites])
        for word in asked.without:
            allowed[self.index.pages_of(self.index.holding([word]))] = False
        for phrase in asked.phrases:
            allowed &= self._with_phrase(phrase, allowed)
        return allowed

    def _with_phrase(self, phrase: tuple[str, ...], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Pages that hold the words one after another in a passage or the title. At most `PHRASE_CHECKS` passages are
        read, so that a phrase of everyday words costs no more."""
        found = np.zeros(len(self), np.bool_)
        passages = self.index.holding(phrase)
        checks = 0
        wanted = "\n" + "\n".join(phrase) + "\n"
        for page, passage in zip(self.index.pages_of(passages).tolist(), passages.tolist(), strict=True):
            if found[page] or not allowed[page]:
                continue
            texts = (self._titles[int(self._newest(np.array(page)))], *self.passages(np.array([passage])))
            found[page] = any(wanted in "\n" + "\n".join(words(text)) + "\n" for text in texts)
            checks += 1
            if checks >= PHRASE_CHECKS:
                break
        return found

    def _pages_on(self, site: str) -> NDArray[np.bool_]:
        on = [host == site or host.endswith("." + site) for host in self._hosts]
        pages: NDArray[np.bool_] = np.array(on, np.bool_)[self._page_hosts]
        return pages

    def _hits(self, ranked: Ranked) -> tuple[Hit, ...]:
        captures = self._newest(ranked.pages)
        marks = [mark(word) for word in ranked.words[:SNIPPET_WORDS]]
        rows = zip(
            self._urls.many(ranked.pages),
            self._titles.many(captures),
            [snippet(text, marks) for text in self.passages(ranked.passages)],
            [format_date(date) for date in self._dates[captures].tolist()],
            ranked.scores.tolist(),
            self._tiers[ranked.pages].tolist(),
            self._page_numbers(ranked, captures),
            strict=True,
        )
        return tuple([Hit(*row) for row in rows])

    def _page_numbers(self, ranked: Ranked, captures: NDArray[np.int64]) -> list[int | None]:
        """For hits in long documents, the page that the passage begins on, from 1."""
        numbers: list[int | None] = [None] * len(captures)
        for i in np.flatnonzero(self._long[ranked.pages]).tolist():
            begin = int(self._spans[ranked.passages[i], 0])
            breaks = json.loads(self._breaks.data(int(captures[i])))
            numbers[i] = max(1, bisect_right(breaks, begin))
        return numbers

    def _locate(self, address: str, limit: int | None) -> tuple[int, int]:
        """Page and capture of an address: the newest capture, or the newest up to a date."""
        for spelling in spellings(address):
            page = self._find(spelling)
            if page is None:
                continue
            captures = self._captures_of(page)
            if limit is None:
                return page, captures[-1]
            return page, next((c for c in reversed(captures) if int(self._dates[c]) <= limit), captures[0])
        raise NotInSnapshot(f"no capture of {address[:200]}")

    def _find(self, url: str) -> int | None:
        key = np.uint64(key64(url))
        place = int(self._keys.searchsorted(key))
        while place < len(self._keys) and self._keys[place] == key:
            page = int(self._key_pages[place])
            if self._urls[page] == url:
                return page
            place += 1
        return None

    def _captures_of(self, page: int) -> list[int]:
        found: list[int] = self._captures[
            int(self._capture_starts[page]) : int(self._capture_starts[page + 1])
        ].tolist()
        return found

    def _newest(self, pages: NDArray[np.int64]) -> NDArray[np.int64]:
        """Newest capture of each page."""
        newest: NDArray[np.int64] = self._captures[self._capture_starts[pages + 1] - 1]
        return newest

    def _check_sizes(self) -> None:
        """Cheap checks that the files belong together; `verify` reads every byte."""
        pages, captures = len(self), len(self._dates)
        agree = {
            "text": len(self._texts) == captures,
            "title": len(self._titles) == captures,
            "links": len(self._links) == captures,
            "breaks": len(self._breaks) == captures,
            "url": len(self._urls) == pages,
            "pages.captures": len(self._captures) == captures,
            "pages.capture_starts": len(self._capture_starts) == pages + 1,
            "pages.keys": len(self._keys) == len(self._key_pages) == pages,
            "pages.host": len(self._page_hosts) == len(self._long) == pages,
            "pages.starts": len(self.index.page_starts) == pages + 1,
            "spans": len(self._spans) == self.index.count,
        }
        for name, right in agree.items():
            if not right:
                raise SnapshotError(f"{name} of {self.folder} does not have the length of its neighbours: damaged.")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (IndexError, OverflowError, ValueError, TypeError) as error:
            raise SnapshotError(f"{self.folder} is damaged ({error}); `murk snapshot verify` tells where.") from error


def _address(url: str, at: str | None) -> tuple[str, int | None]:
    """The page's address, and the last moment that a capture may be from."""
    address, date = dated(url)
    date = at or date
    return address, parse_date(date, end=True) if date else None
