"""What a dialect finds in a turn before anything in it is checked, and what every dialect offers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from murk.envs.dialects.reading import Reading

MAX_CALLS = 16


class RawCall(NamedTuple):
    """A call as the agent wrote it.

    Attributes:
        name: Should be the name of a tool; may be anything that JSON can hold.
        arguments: Should be an object, or the JSON text of one; may be anything.
        id: Should be a string, or None where the agent gave none; may be anything.
    """

    name: Any
    arguments: Any
    id: Any = None


@dataclass(slots=True)
class Draft:
    """The parts of one turn in their order.

    Attributes:
        thoughts: Pieces of reasoning, and text outside all tags where that is not the answer.
        calls: Each a call, or the sentence that says why it could not be read.
        answers: Final answers; more than one is for the caller to refuse.
        problems: Sentences about anything else.
        dropped: How many calls there were beyond `MAX_CALLS`.
    """

    thoughts: list[str] = field(default_factory=list)
    calls: list[RawCall | str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    dropped: int = 0

    def offer(self, read: Callable[..., RawCall | str], *parts: str) -> None:
        """Reads one more call, unless there are enough: thousands of broken ones must cost nothing."""
        if len(self.calls) < MAX_CALLS:
            self.calls.append(read(*parts))
        else:
            self.dropped += 1

    def ignore(self, frame: str) -> None:
        """Notes, once, that the agent wrote what only the environment may write."""
        problem = f"The {frame} that you wrote yourself is ignored: only the environment writes it, after your turn."
        if problem not in self.problems:
            self.problems.append(problem)


class Form(Protocol):
    """What the module of a dialect has; `actions` is its only caller."""

    @property
    def REMINDER(self) -> str:
        """One paragraph: what a turn may be, and what its results look like."""

    @property
    def EMPTY(self) -> str:
        """The problem of a turn with neither call nor answer."""

    def usual(self, text: str, tools: Sequence[str]) -> Reading | None:
        """Reads a turn of at most a thought and one call with no doubt in it, at the least cost; None for others."""

    def read(self, text: str) -> Draft:
        """Takes any text apart; never raises."""

    def write(self, thought: str, calls: Sequence[RawCall], answer: str | None) -> str:
        """Writes a turn that `read` takes apart again; `arguments` of the calls are JSON text."""

    def frame_utf8(self, results: Sequence[bytes]) -> bytes | None:
        """What `frame` writes of results in UTF-8 with nothing to quote in them; None where it must see text."""

    def frame(self, results: Sequence[tuple[str, str]], notices: Sequence[str]) -> str:
        """Writes what the agent reads next: (call id, text) of each result, then notices. No text leaves its frame."""
