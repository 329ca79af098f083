"""Whether a report that may be written for the judge plainly says what a criterion asks for.

Words that stand together are not enough where somebody is paid for them. So the values of a criterion, its numbers and
names, must be given by a sentence that also holds some of its other words, and that is not one of a list of candidates
(`murk.rewards.judges.hedges`); and no sentence may give another value in the same words. A flaw is the other way
round: one place that bears it out is enough, whatever else the report says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice

from murk.rewards.judges.entailment_words import Evidence, asked, idle, negated, stems
from murk.rewards.judges.hedges import fills, frame, in_a_row, numbers_in_a_row
from murk.rewards.judges.numbers import Number, found
from murk.rewards.judges.report import Sentence, plain

_NAME = re.compile(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)+|(?<=[\w,;:)] )(?!I\b)[A-Z][\w-]{2,}")
_UNIT = re.compile(r"\s*([^\W\d]+)")
_STOP = re.compile(r"(?<=[.?!])\s")
_ECHO, _MOST_PLACES = 4, 30


@dataclass(frozen=True, slots=True)
class Value:
    """A number or a name in a text, and where it stands."""

    text: str
    start: int
    end: int
    number: float | None = None

    def held(self, sentence: Sentence) -> list[tuple[int, int]]:
        """Where a sentence holds it."""
        if self.number is not None:
            return [(one.start, one.end) for one in sentence.numbers if _equal(self.number, one)]
        if f" {plain(self.text)} " not in sentence.plain:
            return []
        return [place.span() for place in re.finditer(re.escape(self.text), sentence.text, re.IGNORECASE)]


class Statement:
    """What a criterion asks a report to say.

    Attributes:
        values: Its numbers and names.
        rest: Stems of its other words; the word behind a number is its unit.
    """

    def __init__(self, claim: str) -> None:
        self.claim = claim
        self.values = values(claim)
        taken = {part for value in self.values for part in stems(_with_unit(claim, value))}
        self.rest = frozenset(stems(claim)) - taken

    @cached_property
    def facts(self) -> list[Value]:
        """What makes it true or false: its numbers, or else its names."""
        return [value for value in self.values if value.number is not None] or self.values


class Report:
    """A report, read once for all criteria.

    Args:
        text: The report.
        question: What was asked; repeating it says nothing.

    Attributes:
        said: What it says to a reader.
    """

    def __init__(self, text: str, question: str) -> None:
        echoes = [part for part in map(plain, _STOP.split(question)) if len(part.split()) >= _ECHO]
        self.said = Evidence(text, counts=lambda sentence: not idle(sentence) and not _echo(sentence, echoes))
        self._text = text
        self._known: dict[str, Sentence] = {}

    @cached_property
    def written(self) -> Evidence:
        """All that it says, also to a judge."""
        return Evidence(self._text, counts=lambda sentence: not asked(sentence))

    def doubt(self, statement: Statement) -> str | None:
        """Why it does not plainly say so, though the words are there; None if it does."""
        told = [list(islice(self._places(fact, statement.rest, statement), _MOST_PLACES)) for fact in statement.facts]
        if statement.facts and not any(told):
            return "no sentence says it of its numbers or names"
        for fact, places in zip(statement.facts, told, strict=True):
            places = places or list(islice(self._places(fact, frozenset(), statement), _MOST_PLACES))  # noqa: PLW2901
            if any(self._contradicts(sentence, fact, statement) for sentence in self._sentences):
                return f"it also gives something else in the place of {fact.text!r}"
            if places and not any(_plainly(sentence, *place) for sentence, place in places):
                return f"{fact.text!r} is one of several candidates"
            if any(self._filled(sentence, place, fact) for sentence, place in places):
                return f"{fact.text!r} is one of several in equal sentences"
        if statement.rest and any(self._opposes(sentence, statement) for sentence in self._sentences):
            return "it also says the opposite"
        return None

    def flaw(self, statement: Statement) -> float:
        """How far the place that bears a flaw out best does so, from 0 to 1, all words alike.

        0 where one of its numbers or names is missing, and where the place negates what the flaw does not, or the other
        way round.
        """
        sentences = self._written
        held = [{i for i, sentence in enumerate(sentences) if value.held(sentence)} for value in statement.values]
        own = frozenset(stems(statement.claim))
        if not own or not all(held):
            return 0.0
        facts = [held[i] for i, value in enumerate(statement.values) if value in statement.facts]
        return max((self._flaw_at(i, own, facts, statement) for i in range(len(sentences))), default=0.0)

    @cached_property
    def _sentences(self) -> list[Sentence]:
        """What it says to a reader; what it says twice is there once."""
        return [self._sentence(text) for text in dict.fromkeys(self.said.sentences)]

    @cached_property
    def _written(self) -> list[Sentence]:
        return [self._sentence(text) for text in self.written.sentences]

    def _sentence(self, text: str) -> Sentence:
        if text not in self._known:
            self._known[text] = Sentence(text)
        return self._known[text]

    def _flaw_at(self, i: int, own: frozenset[str], facts: list[set[int]], statement: Statement) -> float:
        pair = self._written[i : i + 2]
        if facts and not any(number in places for places in facts for number in (i, i + 1)):
            return 0.0
        held = [own.intersection(stems(sentence.text)) for sentence in pair]
        closest = pair[0] if len(held[0]) >= len(held[-1]) else pair[-1]
        if negated(closest.text) != negated(statement.claim):
            return 0.0
        told = frozenset().union(*held)
        return len(told) / len(own) if _some(statement.rest, told) else 0.0

    def _places(
        self, fact: Value, rest: frozenset[str], statement: Statement
    ) -> Iterator[tuple[Sentence, tuple[int, int]]]:
        """Where a fact stands in a sentence that holds a third of some words, and denies no more than the statement."""
        for sentence in self._sentences:
            places = fact.held(sentence)
            if not places or negated(sentence.text) != negated(statement.claim):
                continue
            if _some(rest, frozenset(stems(sentence.text))):
                yield from ((sentence, place) for place in places)

    def _filled(self, sentence: Sentence, place: tuple[int, int], fact: Value) -> bool:
        """Whether another sentence is equal but for the fact."""
        around, value = frame(sentence.text, *place), sentence.text[slice(*place)]
        least = 1 if around.before or around.behind else 2
        alike = (
            other for other in self._sentences if fills(other.text, other.words, around, value) and not fact.held(other)
        )
        return len(list(islice(alike, least))) == least

    def _contradicts(self, sentence: Sentence, fact: Value, statement: Statement) -> bool:
        """Whether a sentence says the same in the same words of another number or name."""
        own = frozenset(stems(sentence.text))
        if 3 * len(statement.rest & own) < 2 * len(statement.rest) or not statement.rest or fact.held(sentence):
            return False
        others = [
            value
            for value in values(sentence.text)
            if (value.number is None) == (fact.number is None)
            and not any(plain(value.text) == plain(known.text) for known in statement.values)
        ]
        taken = {part for value in (*others, *statement.values) for part in stems(_with_unit(sentence.text, value))}
        return bool(others) and len(own - statement.rest - taken - frozenset(stems(statement.claim))) <= 1

    def _opposes(self, sentence: Sentence, statement: Statement) -> bool:
        """Whether a sentence has all words of the statement, but one of the two has a "not"."""
        own = frozenset(stems(statement.claim))
        return own <= frozenset(stems(sentence.text)) and negated(sentence.text) != negated(statement.claim)


@lru_cache(maxsize=1 << 12)
def values(text: str) -> list[Value]:
    """The numbers and names of a text; a single word with a capital at its beginning is none.

    >>> [value.text for value in values("Lit in 1874, the Skerry Light was kept by Ada Merrow of Vale.")]
    ['1874', 'Skerry Light', 'Ada Merrow', 'Vale']
    """
    numbers = [Value(text[one.start : one.end], one.start, one.end, one.value) for one in found(text)]
    return numbers + [Value(name[0], *name.span()) for name in _NAME.finditer(text)]


def _some(wanted: frozenset[str], has: frozenset[str]) -> bool:
    """Whether a third of some words are there."""
    return 3 * len(wanted & has) >= len(wanted)


def _plainly(sentence: Sentence, start: int, end: int) -> bool:
    """Whether what stands there is none of several candidates in a row."""
    at = next((i for i, number in enumerate(sentence.numbers) if number.start == start), None)
    if at is not None and numbers_in_a_row(sentence.text, sentence.numbers, at):
        return False
    return not in_a_row(sentence.text, start, end, ())


def _with_unit(text: str, value: Value) -> str:
    unit = (
        _UNIT.match(text, value.end)
        if value.number is not None and text[value.start : value.end] == value.text
        else None
    )
    return f"{value.text} {unit[1]}" if unit else value.text


def _equal(wanted: float, has: Number) -> bool:
    return has.near(wanted, 0.0 if wanted == int(wanted) and abs(wanted) < 10_000 else 0.005)


def _echo(sentence: str, echoes: list[str]) -> bool:
    words = f" {plain(sentence)} "
    return any(f" {echo} " in words for echo in echoes)
