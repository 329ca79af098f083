"""Builds the inverted index: BM25 impacts of words in passages, in bounded memory.

Passages are numbered in the order of their pages. Worker processes cut the texts and count words chunk by chunk
(`count_chunk`), each chunk a folder of arrays; the chunks are then merged into one index.

Files: `terms` (uint64, sorted: the 64-bit names of the words) and `terms.starts` (int64: where the postings of each
begin); postings `passages` (int32) and `impacts` (uint16) by word; `terms.bounds` (int32, words x 2: the page score
that the 10th and the 50th best page reach by this word alone, which lets search pass over most passages); `spans`
(int32, passages x 2: bytes within the capture) and `spans.page` (int32: page of each); `pages.starts` (int64: first
passage of each page).

An impact is `idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))` (Robertson and Zaragoza 2009,
section 3.4), in each passage the page's title counted `TITLE_WEIGHT` times and the path of its URL once, quantised to
1..`MAX_IMPACT`, so that scores are integers, equal to the last bit in every process.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from murk.envs.web.columns import Strings, load_array, new_array, save_array
from murk.envs.web.pool import Guard, Lost, guarded_map
from murk.envs.web.search import BOUNDS
from murk.envs.web.text import passages, without_targets, words
from murk.envs.web.urls import key64, path_of

K1 = 4.0
B = 0.9
TITLE_WEIGHT = 2
MAX_IMPACT = 1023
CHUNK_BYTES = 4 << 20

_Ints = NDArray[np.int64]
_word_key = lru_cache(maxsize=1 << 20)(key64)


def build_index(folder: Path, temporary: Path, newest: _Ints, workers: int) -> Iterator[int]:
    """Indexes the captures `newest` (int64, one a page) of the columns in `folder`, and writes the files above there.

    Yields the number of pages counted so far.
    """
    sizes = np.diff(load_array(folder, "text.offsets", np.int64))[newest] if len(newest) else np.zeros(0, np.int64)
    chunks = _chunks(newest, sizes)
    firsts = np.cumsum([0, *map(len, chunks)]).tolist()
    jobs = (
        json.dumps(
            {"folder": str(folder), "out": str(temporary / f"{i:06d}"), "first": firsts[i], "captures": chunk.tolist()}
        ).encode()
        for i, chunk in enumerate(chunks)
    )
    done = 0
    for chunk, reply in zip(
        chunks, guarded_map("murk.envs.web.index:count_chunk", jobs, workers, Guard(seconds=600)), strict=True
    ):
        if isinstance(reply, Lost):
            raise RuntimeError(f"indexing failed: a worker ended by {reply.reason}")
        done += len(chunk)
        yield done
    _Merge(folder, [temporary / f"{i:06d}" for i in range(len(chunks))]).run()


def count_chunk(job: bytes) -> bytes:
    """Cuts and counts some captures; writes arrays to the folder `out`. Runs in a worker."""
    task = json.loads(job)
    folder, out = Path(task["folder"]), Path(task["out"])
    texts, titles, urls = Strings(folder, "text"), Strings(folder, "title"), Strings(folder, "url")
    breaks = Strings(folder, "breaks")
    numbers: dict[str, int] = {}
    tokens: list[int] = []
    lengths: list[int] = []
    spans: list[tuple[int, int]] = []
    per_page: list[int] = []
    for page, capture in enumerate(task["captures"], task["first"]):
        data = texts.data(capture)
        head = words(titles[capture]) * TITLE_WEIGHT + words(path_of(urls[page]))
        cuts = _cuts(data, json.loads(breaks.data(capture))) or [(0, 0)]
        for start, end in cuts:
            found = head + words(without_targets(data[start:end].decode("utf-8", "replace")))
            tokens.extend([numbers.setdefault(word, len(numbers)) for word in found])
            lengths.append(len(found))
        spans.extend(cuts)
        per_page.append(len(cuts))
    out.mkdir()
    _save_counts(out, np.array([_word_key(word) for word in numbers], np.uint64), np.array(tokens, np.int64), lengths)
    save_array(out, "lengths", np.array(lengths, np.int32))
    save_array(out, "spans", np.array(spans, np.int32).reshape(-1, 2))
    save_array(out, "per_page", np.array(per_page, np.int32))
    return b""


def _cuts(text: bytes, breaks: list[int]) -> list[tuple[int, int]]:
    """Passages of a text. None reaches over the end of a page whose successor begins a paragraph, as the pages of a PDF
    do; nominal pages are only counted, as cutting at them would leave short passages, which rank too high."""
    starts = [at for at in breaks if at and text[at - 2 : at] == b"\n\n"]
    ranges = pairwise([0, *starts, len(text)])
    return [(begin + start, begin + stop) for begin, end in ranges for start, stop in passages(text[begin:end])]


def _chunks(captures: _Ints, sizes: _Ints) -> list[_Ints]:
    """Consecutive captures of about `CHUNK_BYTES` of text each."""
    if not len(captures):
        return []
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // CHUNK_BYTES)) + 1
    return np.split(captures, cuts)


def _save_counts(out: Path, keys: NDArray[np.uint64], tokens: _Ints, lengths: list[int]) -> None:
    """Writes how often each word occurs in each passage, by word in the order of the keys, then by passage."""
    order = np.argsort(keys)
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))
    count = max(1, len(lengths))
    passage = np.repeat(np.arange(len(lengths)), lengths)
    pairs, times = np.unique(rank[tokens] * count + passage, return_counts=True)
    save_array(out, "keys", keys[order])
    save_array(out, "frequency", np.bincount(pairs // count, minlength=len(keys)).astype(np.int32))
    save_array(out, "passages", (pairs % count).astype(np.int32))
    save_array(out, "times", np.minimum(times, 65_535).astype(np.uint16))


class _Merge:
    """Merges the chunks into the files of the index."""

    def __init__(self, folder: Path, chunks: list[Path]) -> None:
        self.folder, self.chunks = folder, chunks

    def run(self) -> None:
        self._layout()
        self._terms()
        self._postings()
        self._bounds()

    def _layout(self) -> None:
        lengths = [load_array(chunk, "lengths", np.int32) for chunk in self.chunks]
        self.bases = np.cumsum([0, *map(len, lengths)])
        self.count = int(self.bases[-1])
        self.mean = sum(int(part.sum(dtype=np.int64)) for part in lengths) / max(1, self.count)
        spans = new_array(self.folder, "spans", np.int32, 2 * self.count).reshape(-1, 2)
        for base, chunk in zip(self.bases, self.chunks, strict=False):
            part = load_array(chunk, "spans", np.int32, ndim=2)
            spans[base : base + len(part)] = part
        per_page = _concatenate([load_array(chunk, "per_page", np.int32) for chunk in self.chunks], np.int32)
        self.page_starts = np.concatenate([[0], np.cumsum(per_page, dtype=np.int64)]).astype(np.int64)
        save_array(self.folder, "pages.starts", self.page_starts)
        self.page_of = np.repeat(np.arange(len(per_page), dtype=np.int32), per_page)
        save_array(self.folder, "spans.page", self.page_of)

    def _terms(self) -> None:
        keys = np.zeros(0, np.uint64)
        for chunk in self.chunks:
            keys = np.union1d(keys, load_array(chunk, "keys", np.uint64))
        self.keys = keys
        self.frequency = np.zeros(len(keys), np.int64)
        for chunk in self.chunks:
            places = np.searchsorted(keys, load_array(chunk, "keys", np.uint64))
            self.frequency[places] += load_array(chunk, "frequency", np.int32)
        self.starts = np.concatenate([[0], np.cumsum(self.frequency)]).astype(np.int64)
        save_array(self.folder, "terms", keys)
        save_array(self.folder, "terms.starts", self.starts)

    def _postings(self) -> None:
        total = int(self.starts[-1])
        places = new_array(self.folder, "passages", np.int32, total)
        impacts = new_array(self.folder, "impacts", np.uint16, total)
        cursor = self.starts[:-1].copy()
        idf = np.log1p((self.count - self.frequency + 0.5) / (self.frequency + 0.5))
        scale = MAX_IMPACT / (np.log1p((self.count - 0.5) / 1.5) * (K1 + 1)) if self.count else 0.0
        for base, chunk in zip(self.bases, self.chunks, strict=False):
            term = np.searchsorted(self.keys, load_array(chunk, "keys", np.uint64))
            frequency = load_array(chunk, "frequency", np.int32)
            local = load_array(chunk, "passages", np.int32)
            times = load_array(chunk, "times", np.uint16).astype(np.float64)
            length = load_array(chunk, "lengths", np.int32)[local]
            begin = np.cumsum(frequency) - frequency
            target = np.repeat(cursor[term] - begin, frequency) + np.arange(len(local))
            weight = times * (K1 + 1) / (times + K1 * (1 - B + B * length / self.mean))
            value = np.rint(np.repeat(idf[term], frequency) * weight * scale)
            places[target] = local + np.int32(base)
            impacts[target] = np.clip(value, 1, MAX_IMPACT)
            cursor[term] += frequency

    def _bounds(self) -> None:
        """The page scores of the best pages of each word, block by block of words."""
        bounds = new_array(self.folder, "terms.bounds", np.int32, len(BOUNDS) * len(self.keys)).reshape(-1, len(BOUNDS))
        places = load_array(self.folder, "passages", np.int32)
        impacts = load_array(self.folder, "impacts", np.uint16)
        first, limit = 0, 1 << 22
        while first < len(self.keys):
            last = max(first + 1, int(np.searchsorted(self.starts, self.starts[first] + limit, "right")) - 1)
            begin, end = int(self.starts[first]), int(self.starts[last])
            term = np.repeat(np.arange(last - first), self.frequency[first:last])
            score, group = page_scores(
                impacts[begin:end], term * len(self.page_starts) + self.page_of[places[begin:end]]
            )
            owner = group // len(self.page_starts)
            order = np.lexsort((-score, owner))
            pages = np.bincount(owner, minlength=last - first)
            start = np.cumsum(pages) - pages
            for column, k in enumerate(BOUNDS):
                enough = np.flatnonzero(pages >= k)
                bounds[first + enough, column] = score[order[start[enough] + k - 1]]
            first = last


def page_scores(impacts: NDArray[np.uint16], group: _Ints) -> tuple[_Ints, _Ints]:
    """Score of each group of passages, which must stand together: twice the best passage plus the second best.

    Args:
        impacts: Scores of passages, shape (n,).
        group: Which group (page) each belongs to, shape (n,), equal values adjacent.

    Returns:
        Scores (int64) and group of each, in the order of the groups.
    """
    if not len(group):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begins = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    values = impacts.astype(np.int64)
    best = np.maximum.reduceat(values, begins)
    counts = np.diff(np.append(begins, len(values)))
    where = np.flatnonzero(values == np.repeat(best, counts))
    owner = np.repeat(np.arange(len(begins)), counts)[where]
    firsts = where[np.concatenate([[True], owner[1:] != owner[:-1]])]
    values[firsts] = 0
    return 2 * best + np.maximum.reduceat(values, begins), group[begins]


def _concatenate(parts: list[NDArray[np.int32]], dtype: type) -> NDArray[np.int32]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
