"""What the environment needs to know of a turn."""

from dataclasses import dataclass
from typing import Any

FIRST_ID = "call_1"  # of a turn's first call, where the agent gave none


@dataclass(slots=True)
class Wanted:
    """A call before it is written down.

    Attributes:
        name: The tool, which exists.
        arguments: As the agent gave them; `canonical_text` of them is what a `ToolCall` has.
        id: As a `ToolCall` has it.
    """

    name: str
    arguments: dict[str, Any]
    id: str


@dataclass(slots=True)
class Reading:
    """A turn as far as the environment needs it: as `Turn`, but calls are not written down, and thoughts in pieces."""

    calls: list[Wanted]
    answer: str | None
    problems: tuple[str, ...]
    thoughts: list[str]
