"""Pages that are not in a snapshot, scored and shown as if they were: by the collection's own statistics."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from math import log1p

import numpy as np

from murk.envs.records import Hit, Page
from murk.envs.web.authority import LIFT
from murk.envs.web.index import K1, MAX_IMPACT, TITLE_WEIGHT, B
from murk.envs.web.query import Query
from murk.envs.web.snapshot import SNIPPET_WORDS, Snapshot
from murk.envs.web.text import (
    CONTENT_SIZE,
    PASSAGE_BYTES,
    PASSAGE_WORDS,
    excerpt,
    mark,
    passages,
    snippet,
    without_targets,
    words,
)
from murk.envs.web.urls import path_of

LENGTH_SAMPLE = 512
# A passage as `passages` cuts it: words up to the first that ends a sentence or line once three quarters are there, at
# most `PASSAGE_WORDS`.
_FULL = PASSAGE_WORDS * 3 // 4 - 1
_PASSAGE = re.compile(
    rb"\s*+((?:\S++\s++){%d}(?:(?:\S++\s++){0,%d}?\S++(?:(?<=[.!?])|(?<=\xe3\x80\x82)|(?=\s*?\n\n))|(?:\S++\s++){%d}\S++))"
    % (_FULL, PASSAGE_WORDS - _FULL - 1, PASSAGE_WORDS - _FULL - 1)
)


class Statistics:
    """What a snapshot knows about words: how rare they are, and how long a passage is on average.

    Attributes:
        mean: Words of a passage as it is scored, on average over at most `LENGTH_SAMPLE` of them at equal distances.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._index = snapshot.index
        count = self._index.count
        self.mean = _mean_length(snapshot) if count else 1.0
        self._scale = MAX_IMPACT / log1p((count - 0.5) / 1.5) if count else 1.0

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Statistics":
        """The statistics of a snapshot, counted once."""
        return _statistics(snapshot)

    def weights(self, query: Query) -> dict[str, float]:
        """The words of a query that count, the rarest first, with what one is worth; words that no passage of the
        snapshot holds are the rarest."""
        known = self._index.counting(query.terms)
        unknown = [word for word in query.terms if word not in known and not self._index.counting([word])]
        found = dict.fromkeys(unknown, 0) | known
        count = self._index.count
        return {word: log1p((count - held + 0.5) / (held + 0.5)) * self._scale for word, held in found.items()}


class LoosePage:
    """A page outside of the index, cut into passages and counted as the index would."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def score(self, weights: dict[str, float], mean: float, tier: int = 0) -> tuple[int, int]:
        """Its score for words as `Statistics.weights` has them, 0 where it holds none, and its best passage."""
        above = [(word, weight, self._head[word]) for word, weight in weights.items()]
        scores = [0] * len(self._counts)
        for passage, count in enumerate(self._counts):
            found = [(times, weight) for word, weight, more in above if (times := count.get(word, 0) + more)]
            if found:
                damping = K1 * (1 - B + B * self._lengths[passage] / mean)
                shares = (weight * (times / (times + damping)) for times, weight in found)
                scores[passage] = sum(min(max(round(share), 1), MAX_IMPACT) for share in shares)
        best = max(range(len(scores)), key=lambda i: scores[i])
        second = max((score for i, score in enumerate(scores) if i != best), default=0)
        return (2 * scores[best] + second) * (100 + LIFT[tier]) // 100, best

    def likely(self, weights: dict[str, float]) -> int:
        """A passage that holds many of the words, found without counting."""
        marks = [mark(word) for word in weights]
        texts = [self._passage(i).lower() for i in range(len(self._spans))]
        return max(range(len(texts)), key=lambda i: sum(word in texts[i] for word in marks))

    def stating(self, marks: Sequence[str]) -> int | None:
        """The first passage that holds one of some texts, None where there is none."""
        texts = (" ".join(self._passage(i).split()) for i in range(len(self._spans)))
        return next((i for i, text in enumerate(texts) if any(mark in text for mark in marks)), None)

    def allows(self, query: Query) -> bool:
        """Whether the operators of a query let the page through, but for `site:`."""
        if any(word in count for word in query.without for count in (self._head, *self._counts)):
            return False
        texts = [self.page.title, *map(self._passage, range(len(self._spans)))] if query.phrases else []
        held = ["\n" + "\n".join(words(text)) + "\n" for text in texts]
        return all(any("\n" + "\n".join(phrase) + "\n" in text for text in held) for phrase in query.phrases)

    def hit(self, weights: dict[str, float], passage: int, score: int, tier: int = 0, number: int | None = None) -> Hit:
        """The page as a search result, by one of its passages."""
        marks = [mark(word) for word in list(weights)[:SNIPPET_WORDS]]
        text, content = snippet(self._passage(passage), marks), self._content(passage, marks)
        return Hit(self.page.url, self.page.title, text, self.page.date, score, tier, number, content)

    @cached_property
    def _data(self) -> bytes:
        return self.page.text.encode("utf-8", "replace")

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return spans_of(self._data) or [(0, 0)]

    @cached_property
    def _head(self) -> Counter[str]:
        return Counter(heading(self.page))

    @cached_property
    def _counts(self) -> list[Counter[str]]:
        return [_counted(self._passage(i)) for i in range(len(self._spans))]

    @cached_property
    def _lengths(self) -> list[int]:
        head = self._head.total()
        return [head + count.total() for count in self._counts]

    def _passage(self, number: int) -> str:
        start, end = self._spans[number]
        return without_targets(self._data[start:end].decode("utf-8", "replace"))

    def _content(self, passage: int, marks: list[str]) -> str:
        begin, end = self._spans[passage]
        if end - begin > CONTENT_SIZE:
            return snippet(self._passage(passage), marks, CONTENT_SIZE)
        start = min(begin, max(len(self._data) - CONTENT_SIZE, 0))
        stop = start + CONTENT_SIZE
        part = self._data[start:stop].decode("utf-8", "replace")
        return excerpt(part, start == begin, stop >= len(self._data))


@lru_cache(maxsize=2_048)
def _counted(text: str) -> Counter[str]:
    """How often a passage has each word; most passages of an altered page are as they were."""
    return Counter(words(text))


def spans_of(text: bytes) -> list[tuple[int, int]]:
    """What `passages` gives, several times as fast: where no passage is cut by its bytes, one match is one passage."""
    spans, at = [], 0
    while match := _PASSAGE.match(text, at):
        if match.end() - match.start(1) > PASSAGE_BYTES:
            break
        spans.append(match.span(1))
        at = match.end()
    rest = text[at:]
    last = rest.strip()
    if match or len(last) > PASSAGE_BYTES:
        return spans + [(at + start, at + end) for start, end in passages(rest)]
    start = at + len(rest) - len(rest.lstrip())
    return [*spans, (start, start + len(last))] if last else spans


def heading(page: Page) -> list[str]:
    """What every passage of a page begins with as it is scored: its title, and the path of its address."""
    return words(page.title) * TITLE_WEIGHT + words(path_of(page.url))


def _mean_length(snapshot: Snapshot) -> float:
    numbers = np.unique(np.linspace(0, snapshot.index.count - 1, LENGTH_SAMPLE).astype(np.int64))
    urls = list(snapshot.urls())
    owners = [snapshot.page(urls[page]) for page in snapshot.index.pages_of(numbers).tolist()]
    rows = zip(owners, snapshot.passages(numbers), strict=True)
    return sum(len(heading(page)) + len(words(text)) for page, text in rows) / len(numbers)


@lru_cache(maxsize=4)
def _statistics(snapshot: Snapshot) -> Statistics:
    return Statistics(snapshot)
