"""murk's ranking once more, in plain floating-point numpy with every parameter free: to choose parameters by."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from murk.envs.web.index import K1, TITLE_WEIGHT, B
from murk.envs.web.query import parse_query
from murk.envs.web.search import COMMON_FLOOR, COMMON_SHARE
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.text import words
from murk.envs.web.urls import path_of

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Weights = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the ranking depends on; the defaults are murk's."""

    k1: float = K1
    b: float = B
    title_weight: int = TITLE_WEIGHT
    path_weight: int = 1
    second_passage: bool = True
    all_words: bool = False


@dataclass(frozen=True, slots=True)
class _Postings:
    """Of the words of all queries: where each word's postings begin, their passages, how often, and passage lengths."""

    starts: _Ints
    passages: _Ints
    times: _Floats
    lengths: _Floats


@dataclass(frozen=True, slots=True)
class _Counts:
    """Keys (word * passages + passage) and times of the words of a field, and its length in each passage."""

    keys: _Ints
    times: _Ints
    lengths: _Ints


class FloatRanking:
    """Counts the words of some queries in a snapshot's passages, and ranks its pages for them."""

    def __init__(self, snapshot: Snapshot, queries: list[str]) -> None:
        self.snapshot = snapshot
        self.count = snapshot.index.count
        self._vocabulary: dict[str, int] = {}
        for query in queries:
            for word in parse_query(query).terms:
                self._vocabulary.setdefault(word, len(self._vocabulary))
        self._page_of = snapshot.index.pages_of(np.arange(self.count))
        self._starts = np.flatnonzero(np.diff(self._page_of, prepend=-1))
        self._postings = lru_cache(maxsize=4)(self._make_postings)
        self._impacts = lru_cache(maxsize=1)(self._make_impacts)

    def rank(self, query: str, k: int, parameters: Parameters) -> list[int]:
        """Numbers of the best pages."""
        postings, impacts = self._impacts(
            parameters.k1, parameters.b, (1, parameters.title_weight, parameters.path_weight)
        )
        scores = np.zeros(self.count)
        for term in self._counting(query, postings, parameters.all_words):
            part = slice(int(postings.starts[term]), int(postings.starts[term + 1]))
            scores[postings.passages[part]] += impacts[part]
        best = np.maximum.reduceat(scores, self._starts)
        if parameters.second_passage:
            where = np.flatnonzero((scores > 0) & (scores == best[self._page_of]))
            pages = self._page_of[where]
            scores[where[np.diff(pages, prepend=-1) != 0]] = 0
            best = 2 * best + np.maximum.reduceat(scores, self._starts)
        order = np.argsort(-best, kind="stable")[:k]
        found: list[int] = order[best[order] > 0].tolist()
        return found

    def _counting(self, query: str, postings: _Postings, all_words: bool) -> list[int]:
        terms = [self._vocabulary[word] for word in parse_query(query).terms]
        frequency = {term: int(postings.starts[term + 1] - postings.starts[term]) for term in terms}
        limit = max(COMMON_FLOOR, self.count // COMMON_SHARE)
        return terms if all_words else [t for t in terms if frequency[t] <= limit] or terms

    def _make_impacts(self, k1: float, b: float, weights: _Weights) -> tuple[_Postings, _Floats]:
        postings = self._postings(weights)
        frequency = np.diff(postings.starts)
        idf = np.log1p((self.count - frequency + 0.5) / (frequency + 0.5))
        length = postings.lengths[postings.passages] / postings.lengths.mean()
        weight = postings.times * (k1 + 1) / (postings.times + k1 * (1 - b + b * length))
        return postings, np.repeat(idf, frequency) * weight

    def _make_postings(self, weights: _Weights) -> _Postings:
        counts = [(count, weight) for count, weight in zip(self._counts, weights, strict=True) if weight]
        keys, place = np.unique(np.concatenate([count.keys for count, _ in counts]), return_inverse=True)
        times = np.bincount(place, np.concatenate([weight * count.times for count, weight in counts])).astype(
            np.float64
        )
        starts = np.searchsorted(keys, np.arange(len(self._vocabulary) + 1) * self.count)
        lengths = np.zeros(self.count)
        for count, weight in counts:
            lengths += weight * count.lengths
        return _Postings(starts, keys % self.count, times, lengths)

    @cached_property
    def _counts(self) -> list[_Counts]:
        """Of the text of the passages, of the title of their page and of the path of its URL."""
        keys: list[list[int]] = [[], [], []]
        lengths = np.zeros((3, self.count), np.int64)
        heads = [(words(document.title), words(path_of(document.url))) for document in self.snapshot.documents()]
        for page, (begin, end) in enumerate(pairwise(self.snapshot.index.page_starts.tolist())):
            for passage, text in enumerate(self.snapshot.passages(np.arange(begin, end)), begin):
                for field, found in enumerate((words(text), *heads[page])):
                    lengths[field, passage] = len(found)
                    keys[field] += self._keys(found, passage)
        unique = [np.unique(np.array(part, np.int64), return_counts=True) for part in keys]
        return [_Counts(*pair, row) for pair, row in zip(unique, lengths, strict=True)]

    def _keys(self, found: list[str], passage: int) -> list[int]:
        known = self._vocabulary
        return [known[word] * self.count + passage for word in found if word in known]
