"""Reading a snapshot: the frozen web that tools ask.

Many processes open one snapshot at once, read-only and memory-mapped, from any file system. Nothing in it is trusted:
a damaged or foreign file is refused with its name, when the snapshot is opened or when the damage is met.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import NotInSnapshot, SnapshotError, UnknownName
from murk.envs.records import (
    Call,
    Failure,
    Hit,
    Hits,
    Link,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Search,
    not_here,
)
from murk.envs.web import manifest
from murk.envs.web.columns import Strings, load_array
from murk.envs.web.dense import Reranker
from murk.envs.web.document import Document
from murk.envs.web.operators import SHELVES, allowed_pages
from murk.envs.web.pages import Pages
from murk.envs.web.query import Query, parse_query
from murk.envs.web.search import Index, Ranked
from murk.envs.web.text import CONTENT_SIZE, excerpt, mark, snippet, without_targets
from murk.envs.web.urls import dated, format_date, parse_date
from murk.envs.web.vectors import PassageVectors

MAX_HITS = 1_000
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

    unchanging = True

    def __init__(
        self, folder: Path, info: dict[str, Any], authority: bool = True, rerank: Reranker | None = None
    ) -> None:
        self.folder, self.info, self.authority, self.rerank = folder, info, authority, rerank
        self._pages = Pages(folder)
        self._spans = load_array(folder, "spans", np.int32).reshape(-1, 2)
        self.index = Index(folder, self._pages.tiers)
        if len(self.index.page_starts) != len(self) + 1 or len(self._spans) != self.index.count:
            raise SnapshotError(f"pages.starts or spans of {folder} does not fit the other files: it is damaged.")
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
        return len(self._pages)

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
        page, capture = self._locate(url, at)
        with self._reading():
            pages = self._pages
            dates = tuple(format_date(int(pages.dates[c])) for c in pages.captures_of(page))
            date = format_date(int(pages.dates[capture]))
            return Page(pages.urls[page], pages.titles[capture], pages.texts[capture], date, dates, OPEN_SECONDS)

    def links(self, url: str, at: str | None = None) -> LinkList:
        """The links of a page in their order, each target once. Raises as `page` does."""
        page, capture = self._locate(url, at)
        with self._reading():
            found = self._pages.links(capture)
            links = tuple(Link(target, text, self._pages.find(target) is not None) for target, text in found)
            return LinkList(self._pages.urls[page], links, LINKS_SECONDS)

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request as a world does: what cannot be answered is a `Failure`."""
        try:
            if isinstance(request, Search):
                return self.search(request.query, min(max(request.k, 1), MAX_HITS), request.shelf)
            if isinstance(request, Open):
                return self.page(request.url, request.at)
            return self.links(request.url, request.at) if isinstance(request, Links) else not_here(request)
        except NotInSnapshot as error:
            return Failure("not_found", 404, str(error), cost=LINKS_SECONDS)
        except (UnknownName, ValueError) as error:
            return Failure("bad_request", 400, str(error), cost=LINKS_SECONDS)

    def urls(self) -> Iterator[str]:
        """Addresses of all pages, in their order."""
        return iter(self._pages.urls)

    def documents(self) -> Iterator[Document]:
        """All captures, page by page, each page's oldest first."""
        return self._pages.documents()

    @cached_property
    def recording(self) -> Mapping[str, str]:
        """Recorded exchanges: canonical JSON of a response by the key of its request; empty where there are none."""
        if "recording.keys.bin" not in self.info["files"]:
            return {}
        keys, values = Strings(self.folder, "recording.keys"), Strings(self.folder, "recording.values")
        return {key: values[i] for i, key in enumerate(keys)}

    def standing(self, url: str) -> tuple[int, bool]:
        """Authority tier of a page, and whether it is a long document. Raises as `page` does."""
        page, _ = self._locate(url, None)
        return int(self._pages.tiers[page]), bool(self._pages.long[page])

    def passages(self, numbers: NDArray[np.int64]) -> list[str]:
        """Texts of passages as they are searched, without link targets."""
        spans = self._spans[numbers]
        captures = self._pages.newest(self.index.pages_of(numbers))
        texts = self._pages.texts.parts(captures, spans[:, 0].tolist(), spans[:, 1].tolist())
        return [without_targets(text) for text in texts]

    def _rank(self, asked: Query, k: int, shelf: str, vector: NDArray[np.int8] | None = None) -> Ranked:
        allowed = allowed_pages(asked, shelf, self._pages, self.index, self.passages)
        if allowed is not None and not asked.terms:
            pages = np.flatnonzero(allowed)[: k if asked.sites else 0]
            return Ranked(pages, np.zeros_like(pages), self.index.page_starts[pages])
        if vector is None or self.rerank is None or self._vectors is None:
            return self.index.rank(asked, k, allowed, self.authority)
        ranked = self.index.rank(asked, max(k, self.rerank.top), allowed, lift=False)
        near = self._vectors.nearest(ranked.pages[: self.rerank.top], vector)
        return self.rerank.order(ranked, near, self.index.lifted if self.authority else None).first(k)

    def _hits(self, ranked: Ranked) -> tuple[Hit, ...]:
        pages = self._pages
        captures = pages.newest(ranked.pages)
        marks = [mark(word) for word in ranked.words[:SNIPPET_WORDS]]
        numbers: list[int | None] = [None] * len(captures)
        for i in np.flatnonzero(pages.long[ranked.pages]).tolist():
            numbers[i] = pages.page_number(int(captures[i]), int(self._spans[ranked.passages[i], 0]))
        texts = self.passages(ranked.passages)
        rows = zip(
            pages.urls.many(ranked.pages),
            pages.titles.many(captures),
            [snippet(text, marks) for text in texts],
            [format_date(date) for date in pages.dates[captures].tolist()],
            ranked.scores.tolist(),
            pages.tiers[ranked.pages].tolist(),
            numbers,
            self._contents(captures, ranked.passages, texts, marks),
            strict=True,
        )
        return tuple([Hit(*row) for row in rows])

    def _contents(
        self, captures: NDArray[np.int64], passages: NDArray[np.int64], texts: list[str], marks: list[str]
    ) -> list[str]:
        """What stands around passages: the capture from the passage on, near its end from a little before, so that it
        is of full length; of a passage that is longer than that itself, the part with the words."""
        begins, ends = self._spans[passages].T
        bounds = self._pages.texts.offsets
        sizes = bounds[captures + 1] - bounds[captures]
        starts = np.minimum(begins, np.maximum(sizes - CONTENT_SIZE, 0))
        stops = starts + CONTENT_SIZE
        parts = self._pages.texts.parts(captures, starts.tolist(), stops.tolist())
        found = list(map(excerpt, parts, (starts == begins).tolist(), (stops >= sizes).tolist()))
        for i in np.flatnonzero(ends - begins > CONTENT_SIZE).tolist():
            found[i] = snippet(texts[i], marks, CONTENT_SIZE)
        return found

    def _locate(self, url: str, at: str | None) -> tuple[int, int]:
        address, date = dated(url)
        date = at or date
        limit = parse_date(date, end=True) if date else None
        with self._reading():
            found = self._pages.locate(address, limit)
        if found is None:
            raise NotInSnapshot(f"no capture of {address[:200]}")
        return found

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (IndexError, OverflowError, ValueError, TypeError, MemoryError) as error:
            raise SnapshotError(f"{self.folder} is damaged ({error}); `murk snapshot verify` tells where.") from error
