"""How far a text bears a claim out, by words: what a judge can tell without a language model.

A text is read in sentences. Those that are addressed to a judge rather than to a reader do not count: talk of marks,
rubrics, verdicts and the report itself, the wording of criteria ("states that"), JSON, what is hidden, and questions.
A claim is compared with the two neighbouring sentences that fit it best, its `window`. A word weighs the more the fewer
sentences of the text hold it.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from murk.envs.web.text import clean, stem, words
from murk.rewards.judges.numbers import numbers
from murk.rewards.judges.report import content, plain
from murk.rewards.judges.visible import visible

MOST_CHARS = 200_000
MOST_WORDS = 60
_STEM = 6
_SAME = 0.6
_ROUND = 10_000
_COMMON = frozenset(
    stem(word)
    for word in (
        *("a", "about", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "being", "both", "but"),
        *("by", "can", "could", "do", "does", "each", "for", "from", "had", "has", "have", "he", "her", "his", "how"),
        *("i", "if", "in", "into", "is", "it", "its", "may", "might", "more", "most", "not", "of", "on", "one", "or"),
        *("other", "our", "s", "should", "she", "so", "some", "such", "t", "than", "that", "the", "their", "them"),
        *("there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which"),
        *("who", "will", "with", "would", "you"),
    )
)
_BREAK = re.compile(r"\n+|(?<=[.!?;])(?<!\b[A-Z]\.)(?<!\bDr\.)(?<!\bSt\.)\s+|(?<=[。！？；])")
_TO_JUDGE = re.compile(
    r"\b(?:rubrics?|criteri(?:on|a)|full marks|verdicts?|graders?|examiner|the judge|as (?:a|the) judge|"
    r"(?:this|my) (?:report|answer|response)|the (?:report|response) (?:is|has|should|fully|clearly)|"
    r"the (?:report|answer|response) (?:meets|satisfies|fulfil|deserves))\w*|"
    r"[\"']verdict[\"']|评分|满分",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"^\W*(?:(?:the |a good |this )?(?:report|response|answer|essay|text)\W+)?(?:should |must |does |correctly |"
    r"clearly |explicitly |briefly )*(?:states?|mentions?|says?|notes?|names?|gives?|claims?|asserts?|includes?|"
    r"identif(?:y|ies)|explains?|describes?|discuss(?:es)?)\s+(?:that\s+)?",
    re.IGNORECASE,
)
_TICK = re.compile(r"^\W*(?:\[\w\]|[✓✔☑]|\d{1,3}[.)])\W*")
_TICKED = re.compile(r"\b(?:MET|UNMET|PASS|PASSED|FULFILLED|SATISFIED)\W*$")
_MARK = re.compile(r"\[\d{1,3}(?:, ?\d{1,3})*\]|\*\*|^[\s>#*+-]+", re.M)
_NEGATION = re.compile(
    r"\b(?:not(?! only)|never|no|none|neither|nor|without|cannot|nobody)\b|n['’]t\b|不是|没有|并非|未曾", re.IGNORECASE
)
_OPENING = re.compile(r"^\W*(?:yes|no)(?: (?:or|and) (?:yes|no))?\s*[,.:;]", re.IGNORECASE)
_NAME = re.compile(r"(?<=[\w,;:)] )(?!I\b)[A-Z][\w-]{2,}")


class Fit(NamedTuple):
    """How far a text bears a claim out, each from 0 to 1.

    Attributes:
        window: Share of the claim's words, by weight, that the window or the title holds.
        numbers: Share of its numbers that the text holds; 1 where it has none.
        names: Share of its names that the text or the title holds; 1 where it has none.
        negated: 1 where the window holds most of the claim, and one of the two has a "not" that the other has not.
    """

    window: float
    numbers: float
    names: float
    negated: float


class Evidence:
    """A text, read once for many claims.

    Args:
        text: The text; what follows `MOST_CHARS` characters is not read.
        title: What it is about: its title, its address, or both. Sentences need not repeat it.
        counts: Whether a sentence counts.

    Attributes:
        sentences: Its sentences that count.
    """

    def __init__(self, text: str, title: str = "", counts: Callable[[str], bool] | None = None) -> None:
        counts = counts or (lambda sentence: not idle(sentence))
        shown = content(visible(clean(text[:MOST_CHARS])))
        self.sentences = [sentence for sentence in _sentences(shown) if counts(sentence)]
        about = re.sub(r"[\W_]+", " ", title)
        self._stems = [frozenset(stems(sentence)) for sentence in self.sentences]
        pairs = zip(self._stems, [*self._stems[1:], frozenset[str]()], strict=False)
        self._windows = [a | b | frozenset(stems(about)) for a, b in pairs]
        self._count: dict[str, int] = {}
        for held in self._stems:
            for part in held:
                self._count[part] = self._count.get(part, 0) + 1
        self._plain = f" {plain(' '.join([about, *self.sentences]))} "
        self._numbers: list[float] | None = None

    def near(self, claim: str, count: int) -> list[str]:
        """The sentences that fit a claim best, the best first."""
        own = frozenset(stems(claim))
        order = sorted(range(len(self.sentences)), key=lambda i: (-self._weight(own & self._stems[i]), i))
        return [self.sentences[i] for i in order[:count]]

    def fit(self, claim: str) -> Fit:
        """How far it bears a claim out."""
        own = list(dict.fromkeys(stems(claim)))
        if not own or not self.sentences:
            return Fit(0.0, 0.0, 0.0, 0.0)
        total = self._weight(own)
        shares = [self._weight([part for part in own if part in window]) / total for window in self._windows]
        best = max(range(len(shares)), key=lambda i: (shares[i], -i))
        opposed = shares[best] >= _SAME and negated(claim) != negated(self._closest(own, best))
        return Fit(shares[best], self._numbers_of(claim), self._names_of(claim), float(opposed))

    def _weight(self, own: Sequence[str] | frozenset[str]) -> float:
        return math.fsum(math.log(1 + (1 + len(self._stems)) / (1 + self._count.get(part, 0))) for part in own)

    def _closest(self, own: Sequence[str], window: int) -> str:
        pair = range(window, min(window + 2, len(self.sentences)))
        return self.sentences[max(pair, key=lambda i: (len(self._stems[i].intersection(own)), -i))]

    def _numbers_of(self, claim: str) -> float:
        if self._numbers is None:
            self._numbers = [number for sentence in self.sentences for number in numbers(sentence)]
        held = [any(_equal(number, has) for has in self._numbers) for number in numbers(claim)]
        return sum(held) / len(held) if held else 1.0

    def _names_of(self, claim: str) -> float:
        names = list(dict.fromkeys(plain(name) for name in _NAME.findall(claim)))
        return sum(f" {name} " in self._plain for name in names) / len(names) if names else 1.0


def assertion(criterion: str) -> str:
    """What a criterion or a claim says, without words on the report, citation marks and addresses.

    >>> assertion("The report states that the light was lit in 1874 [2].")
    'the light was lit in 1874 .'
    """
    return " ".join(_ABOUT.sub("", _MARK.sub("", content(visible(clean(criterion[:MOST_CHARS]))))).split())


@lru_cache(maxsize=1 << 12)
def stems(text: str) -> tuple[str, ...]:
    """The beginnings of a text's words that carry meaning, in their order.

    >>> stems("The lighthouses of the Skerry were lit.")
    ('lighth', 'skerry', 'lit')
    """
    telling = [word[:_STEM] for word in words(text) if word not in _COMMON]
    return tuple(telling or words(text))


def _sentences(text: str) -> Iterator[str]:
    """Sentences; what runs on without a stop is cut, because a page is no sentence."""
    for part in _BREAK.split(text):
        if part and not part.isspace():
            run = part.split()
            for start in range(0, len(run), MOST_WORDS):
                yield " ".join(run[start : start + MOST_WORDS])


def asked(sentence: str) -> bool:
    """Whether a sentence is a question."""
    return sentence.rstrip().endswith(("?", "？"))


def idle(sentence: str) -> bool:
    """Whether a sentence says nothing to a reader: a question, or one that is addressed to a judge."""
    if asked(sentence) or sentence.startswith("{"):
        return True
    return bool(_TO_JUDGE.search(sentence) or _ABOUT.match(_TICK.sub("", sentence)) or _TICKED.search(sentence))


def _equal(wanted: float, has: float) -> bool:
    """Whether two numbers are the same up to rounding; counts and years below 10,000 are not rounded."""
    exact = wanted == int(wanted) and abs(wanted) < _ROUND
    return has == wanted if exact else abs(has - wanted) <= abs(wanted) * 0.005


def negated(text: str) -> bool:
    """Whether a text has a "not"; that it opens with its verdict, as in "No, it was lit", does not count."""
    return _NEGATION.search(_OPENING.sub("", text)) is not None
