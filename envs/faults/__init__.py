"""Faults: rules that may change an exchange between an agent's tools and the world. One file each.

A fault is a frozen dataclass whose fields are its settings, and a plugin of the group `faults`. It says what it does to
one exchange that it strikes; whether it strikes is decided by `FaultyWorld`, which owns target, intensity, schedule,
draws and ledger for all of them. `ADDING.md` tells how to add one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import ClassVar, Protocol, TypeVar

from murk.envs.errors import UsageError
from murk.envs.records import Call, Request, Response, World

FAMILIES = ("loud", "interface", "silent", "content")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Draw:
    """The draws of one struck unit: functions of seed, fault and unit, so that no order of asking changes them.

    Attributes:
        seed: Of the fault and the unit.
        value: The draw that decided, in [0, intensity).
        until: Simulated second at which the unit ends, if it is a window; None if waiting does not end it.
    """

    seed: int
    value: float
    until: float | None = None

    def bits(self, *names: str | int) -> int:
        """64 bits, others for other names."""
        return keyed(self.seed.to_bytes(8, "big"), "/".join(map(str, names)))

    def uniform(self, *names: str | int) -> float:
        """A number in [0, 1), another for other names."""
        return as_fraction(self.bits(*names))

    def between(self, low: float, high: float, *names: str | int) -> float:
        """A number in [low, high), rounded to three digits after the point."""
        return round(low + (high - low) * self.uniform(*names), 3)

    def pick(self, items: Sequence[_T], *names: str | int) -> _T:
        """One of the items."""
        return items[self.bits(*names) % len(items)]


def keyed(key: bytes, unit: str) -> int:
    """The 64 bits that decide the fate of a unit: a hash keyed with the seed of the fault."""
    return int.from_bytes(blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "big")


def as_fraction(number: int) -> float:
    """64 bits as a number in [0, 1)."""
    return (number >> 11) / (1 << 53)


def draw_of(seed: int, unit: str, until: float | None = None) -> Draw:
    """The draw of a unit under the seed of a fault."""
    number = keyed(seed.to_bytes(8, "big"), unit)
    return Draw(number, as_fraction(number), until)


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

    A class attribute `schedule` may name the schedule that is usual for it; `transient` where there is none.

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


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Refuses a setting that is no number from low to high.

    Raises:
        UsageError: it is none; the message names it.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} is {value!r}; allowed are numbers from {low:g} to {high:g}.")
