"""Ranks pages for a query over the inverted index.

A page's score is twice the BM25 score of its best passage plus that of its second best, lifted by authority where
asked. Words that more than a tenth of all passages hold are left out if the query has rarer ones. All scores are
integers and ties go to the lower page number, so the ranking is the same to the last bit in every process.

Only passages that can still reach the first k pages are looked at closely: each word knows the score of its own 10th
and 50th best page, and the k-th best page of the query cannot score less.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import SnapshotError
from murk.envs.web.authority import LIFT
from murk.envs.web.columns import load_array
from murk.envs.web.pages import are_bounds
from murk.envs.web.query import Query
from murk.envs.web.urls import key64

BOUNDS = (10, 50)
COMMON_SHARE = 10
COMMON_FLOOR = 1_000

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Best pages of a query, best first: page, score and best passage of each, shapes (hits,); and the words that
    counted, the rarest first."""

    pages: _Ints
    scores: _Ints
    passages: _Ints
    words: tuple[str, ...] = ()

    def first(self, k: int) -> "Ranked":
        """The k best of them."""
        return Ranked(self.pages[:k], self.scores[:k], self.passages[:k], self.words)


_NONE = np.zeros(0, np.int64)


class Index:
    """The inverted index of a snapshot, memory-mapped.

    Args:
        folder: The snapshot.
        tiers: Authority tier of each page, uint8.
    """

    def __init__(self, folder: Path, tiers: NDArray[np.uint8]) -> None:
        self._terms = load_array(folder, "terms", np.uint64)
        self._starts = load_array(folder, "terms.starts", np.int64)
        self._bounds = load_array(folder, "terms.bounds", np.int32).reshape(-1, len(BOUNDS))
        self._passages = load_array(folder, "passages", np.int32)
        self._pages = load_array(folder, "spans.page", np.int32)
        self._impacts = load_array(folder, "impacts", np.uint16)
        self.page_starts = load_array(folder, "pages.starts", np.int64)
        self.count = len(self._pages)
        for name, starts, total in (
            ("pages.starts", self.page_starts, self.count),
            ("terms.starts", self._starts, len(self._passages)),
        ):
            if not are_bounds(starts, total):
                raise SnapshotError(f"{name} of {folder} does not fit the other files: it is damaged.")
        self._lift = np.array([100 + LIFT[t] for t in range(4)], np.int64)
        lifts = self._lift[np.flatnonzero(np.bincount(tiers, minlength=1))] if len(tiers) else self._lift
        self._lifts = int(lifts.min()), int(lifts.max())
        self._tiers = tiers
        self._local = threading.local()
        self._common = max(COMMON_FLOOR, self.count // COMMON_SHARE)
        self._find = lru_cache(maxsize=65_536)(self._lookup)

    def rank(self, query: Query, k: int, allowed: NDArray[np.bool_] | None = None, lift: bool = True) -> Ranked:
        """The first k pages for the words of a query.

        Args:
            query: Its terms and phrases count.
            k: Number of pages, at least 1.
            allowed: Pages that may be returned, shape (pages,); None for all.
            lift: Whether authority lifts pages.
        """
        used = self._counting(query.terms)
        if not used:
            return Ranked(_NONE, _NONE, _NONE)
        scores = self._accumulate(used)
        # A page scores at most three times its best passage, lifted by `most`, and at least twice it, lifted by
        # `least`; the slack of 100 is what rounding down may take from a lifted score.
        least, most = self._lifts if lift else (100, 100)
        bound = self._bound(used, k) if allowed is None else 0
        passages = np.flatnonzero(scores >= max(1, -((100 - bound * least) // (3 * most))))
        pages, best = self._best_passages(passages, scores)
        if allowed is not None:
            kept = allowed[pages]
            pages, best = pages[kept], best[kept]
        if len(pages) > k:
            kth = np.partition(best, len(best) - k)[len(best) - k]
            pages = pages[best * (3 * most) >= kth * (2 * least) - 100]
        return self._order(pages, scores, k, lift, tuple(used))

    def counting(self, terms: Iterable[str]) -> dict[str, int]:
        """The words of a query that count, the rarest first, with the number of passages that hold each."""
        return {word: end - start for word, (_, start, end) in self._counting(terms).items()}

    def holding(self, terms: Iterable[str]) -> _Ints:
        """Passages (sorted) that hold all the words."""
        result: _Ints | None = None
        spans = [self._find(term) for term in terms]
        for span in sorted(spans, key=lambda s: s[2] - s[1] if s else 0):
            if span is None:
                return np.zeros(0, np.int64)
            part = self._passages[span[1] : span[2]].astype(np.int64)
            result = part if result is None else np.intersect1d(result, part, assume_unique=True)
        return np.zeros(0, np.int64) if result is None else result

    def pages_of(self, passages: _Ints) -> _Ints:
        """Page of each passage."""
        return self._pages[passages].astype(np.int64)

    def lifted(self, pages: _Ints, scores: _Ints) -> _Ints:
        """Scores of pages as authority lifts them."""
        lifted: _Ints = scores * self._lift[self._tiers[pages]] // 100
        return lifted

    def _lookup(self, word: str) -> tuple[int, int, int] | None:
        key = np.uint64(key64(word))
        place = int(self._terms.searchsorted(key))
        if place == len(self._terms) or self._terms[place] != key:
            return None
        return place, int(self._starts[place]), int(self._starts[place + 1])

    def _counting(self, terms: Iterable[str]) -> dict[str, tuple[int, int, int]]:
        """The words that count, with their place and postings: the rarer ones if there are any."""
        found = {word: span for word in terms if (span := self._find(word)) is not None}
        found = dict(sorted(found.items(), key=lambda item: item[1][2] - item[1][1]))
        return {word: s for word, s in found.items() if s[2] - s[1] <= self._common} or found

    def _accumulate(self, used: dict[str, tuple[int, int, int]]) -> NDArray[np.uint16]:
        """Sums of the impacts of all passages, in an array that each thread reuses."""
        try:
            scores: NDArray[np.uint16] = self._local.scores
            scores.fill(0)
        except AttributeError:
            scores = self._local.scores = np.zeros(self.count, np.uint16)
        for _, start, end in used.values():
            np.add.at(scores, self._passages[start:end], self._impacts[start:end])
        return scores

    def _bound(self, used: dict[str, tuple[int, int, int]], k: int) -> int:
        """What the k-th best page scores at least."""
        for column, size in enumerate(BOUNDS):
            if k <= size:
                return max(int(self._bounds[place, column]) for place, _, _ in used.values())
        return 0

    def _best_passages(self, passages: _Ints, scores: NDArray[np.uint16]) -> tuple[_Ints, NDArray[np.int64]]:
        """Distinct pages of sorted passages, and the best score of each."""
        pages = self._pages[passages]
        if not len(pages):
            return _NONE, _NONE
        begins = np.flatnonzero(np.concatenate(([True], pages[1:] != pages[:-1])))
        return pages[begins].astype(np.int64), np.maximum.reduceat(scores[passages], begins).astype(np.int64)

    def _order(self, pages: _Ints, scores: NDArray[np.uint16], k: int, lift: bool, used: tuple[str, ...]) -> Ranked:
        """Scores the pages exactly and sorts them; `pages` is sorted."""
        if not len(pages):
            return Ranked(_NONE, _NONE, _NONE, used)
        starts = self.page_starts[pages]
        sizes = self.page_starts[pages + 1] - starts
        ends = np.cumsum(sizes)
        begins = ends - sizes
        places = np.arange(int(ends[-1])) + np.repeat(starts - begins, sizes)
        # Passage numbers in the low bits make every value distinct, the first of equal passages the largest.
        values = (scores[places].astype(np.int64) << 32) - places
        best = np.maximum.reduceat(values, begins)
        passages = -best & 0xFFFFFFFF
        values[passages - starts + begins] = -1
        second = np.maximum(np.maximum.reduceat(values, begins) + 0xFFFFFFFF >> 32, 0)
        total = 2 * (best + 0xFFFFFFFF >> 32) + second
        if lift:
            total = self.lifted(pages, total)
        order = np.argsort(-total, kind="stable")[:k]
        return Ranked(pages[order], total[order], passages[order], used)
