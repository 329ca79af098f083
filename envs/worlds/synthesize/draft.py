"""What a kind of task makes: a question with its answer, before it is checked against the pages and given a rubric."""

from dataclasses import dataclass, field

from murk.envs.seeds import Draws
from murk.envs.worlds.facts import Fact
from murk.envs.worlds.synthesize.knowledge import Knowledge
from murk.envs.worlds.synthesize.wording import Wording

Refusal = str


@dataclass(frozen=True, slots=True)
class Draft:
    """A task in the making.

    Attributes:
        question: What is asked.
        fact: The fact that answers it, on the gold page.
        entities: Subjects whose facts decide the answer.
        relations: Names of the relations that it needs.
        date: Date of the edition that is asked for; None for the newest.
        options: Spellings of each answer that the report may begin with, the right one first; empty where the answer
            is the value of the fact.
        rivals: Facts whose values are wrong answers to this question.
        chance: What guessing by the question gets, as a share of the points for the answer.
        facets: For a report: the facts that the question asks for, and those that are expected without being asked.
    """

    question: str
    fact: Fact
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    date: str | None = None
    options: tuple[tuple[str, ...], ...] = ()
    rivals: tuple[Fact, ...] = ()
    chance: float = 0.0
    facets: tuple[tuple[Fact, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Desk:
    """What a kind of task works with: the facts, the words, one subgraph, and draws of its own."""

    knowledge: Knowledge
    wording: Wording
    nodes: list[str]
    draws: Draws


def shown(fact: Fact) -> str:
    """The value as questions and answers write it."""
    return fact.shown or fact.value


def spellings(fact: Fact) -> tuple[str, ...]:
    """All spellings of a value that count as right."""
    return tuple(dict.fromkeys((shown(fact), fact.value, *fact.aliases)))


def same(one: Fact, other: Fact, tolerance: float) -> bool:
    """Whether two facts have the same value: numbers within a tolerance, names with a spelling in common."""
    if one.number is not None and other.number is not None:
        return abs(one.number - other.number) <= tolerance * max(abs(one.number), abs(other.number))
    return bool({s.casefold() for s in spellings(one)} & {s.casefold() for s in spellings(other)})
