"""Faults: rules that may change an exchange between an agent's tools and the world. One file each.

A fault is a frozen dataclass whose fields are its settings, and a plugin of the group `faults`. It says what it does to
one exchange that it strikes; whether it strikes is decided by `FaultyWorld`, which owns target, intensity, schedule,
draws and ledger for all of them. `ADDING.md` tells how to add one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from murk.envs.records import Call, Request, Response, World
from murk.envs.seeds import derive, uniform

FAMILIES = ("loud", "interface", "silent", "content")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Draw:
    """The draws of one struck unit: functions of seed, fault and unit, so that no order of asking changes them.

    Attributes:
        seed: Of the fault and the unit.
        value: The draw that decided, in [0, intensity).
    """

    seed: int
    value: float

    def uniform(self, *names: str | int) -> float:
        """A number in [0, 1), another for other names."""
        return uniform(self.seed, *names)

    def pick(self, items: Sequence[_T], *names: str | int) -> _T:
        """One of the items."""
        return items[derive(self.seed, *names) % len(items)]


@dataclass(frozen=True, slots=True)
class Told:
    """A response with what it hides, for the ledger.

    Attributes:
        truth: What is true, by name.
        lie: What was told instead, by name.
    """

    response: Response
    truth: Mapping[str, str] = field(default_factory=dict)
    lie: Mapping[str, str] = field(default_factory=dict)


class Fault(Protocol):
    """What happens to an exchange that is struck.

    Attributes:
        family: `loud` (the agent is told), `silent` (it is not), `interface` (the tool itself changes) or `content`.
        requests: Types of requests that it can strike.
    """

    family: ClassVar[str]
    requests: ClassVar[tuple[type, ...]]

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response | Told:
        """Answers in the place of `inner`, which it may ask, ask something else, or not ask at all.

        What it gives back unchanged counts as not struck.
        """
        ...
