"""A world behind faults: what all faults share, which is target, intensity, schedule, draws and ledger.

Each exchange belongs to a unit by the schedule of a fault, and a draw `u = H(seed, fault, unit)` decides: the unit is
struck when u < intensity. There is no sequence of random numbers, so the same unit meets the same fate whichever policy
asks, in whatever order and on whichever worker, and a higher intensity only adds struck units.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256

from murk.envs.codec import canonical_json, encode
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults import FAMILIES, Draw, Fault, Told
from murk.envs.records import Call, FaultEvent, Links, Open, Request, Response, Run, Search, World
from murk.envs.seeds import derive
from murk.envs.web.urls import host_of

SCHEDULES = ("transient", "sticky", "window")


@dataclass(frozen=True, slots=True)
class Rule:
    """When and where a fault may strike.

    Attributes:
        fault: What it does.
        intensity: Chance that a unit is struck, 0 to 1.
        schedule: What a unit is. `transient`: one attempt of one request, so that a retry meets another fate. `sticky`:
            the host for pages, the service and shelf for searches, the tool for the rest, for the whole episode.
            `window`: the same for a slot of simulated time, so that waiting helps.
        slot: Simulated seconds of a window, above 0.
        onset: Exchanges of its kind that are left alone at the beginning of the episode. Breaks nesting.
        at_most: How often it strikes in an episode; None for no limit. Breaks nesting.
        tools: Tools whose exchanges it may strike; empty for all.
        hosts: Patterns of hosts, as `*.gov`; empty for all. Searches have no host.
        shelves: Shelves of searches; empty for all.

    Raises:
        UsageError: a setting is out of range.
    """

    fault: Fault
    intensity: float = 1.0
    schedule: str = "transient"
    slot: float = 60.0
    onset: int = 0
    at_most: int | None = None
    tools: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    shelves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.intensity <= 1:
            raise UsageError(f"intensity is {self.intensity}; allowed are 0 to 1.")
        if self.schedule not in SCHEDULES:
            raise UnknownName("schedule", self.schedule, SCHEDULES)
        if not self.slot > 0:
            raise UsageError(f"slot is {self.slot}; allowed are seconds above 0.")
        if self.onset < 0 or (self.at_most is not None and self.at_most < 0):
            raise UsageError(f"onset is {self.onset} and at_most {self.at_most}; allowed are 0 and more.")

    def aims_at(self, request: Request, call: Call) -> bool:
        """Whether an exchange is of the kind that it may strike."""
        if not isinstance(request, self.fault.requests) or (self.tools and call.tool not in self.tools):
            return False
        if self.shelves and not (isinstance(request, Search) and request.shelf in self.shelves):
            return False
        if not self.hosts:
            return True
        host = host_of(request.url) if isinstance(request, Open | Links) else ""
        return any(fnmatchcase(host, pattern) for pattern in self.hosts)

    def unit(self, request: Request, call: Call) -> str:
        """The unit that an exchange belongs to."""
        if self.schedule == "transient":
            return canonical_json([request.key, call.attempt])
        place = service(request)
        return place if self.schedule == "sticky" else canonical_json([place, int(call.now // self.slot)])


def service(request: Request) -> str:
    """Who answers a request: a host, the search service of a shelf, the shell, or the files."""
    if isinstance(request, Open | Links):
        return f"host {host_of(request.url)}"
    if isinstance(request, Search):
        return f"search {request.shelf}"
    return "shell" if isinstance(request, Run) else "files"


@dataclass(slots=True)
class Ledger:
    """The fault events of an episode, in the order of their firing."""

    events: list[FaultEvent] = field(default_factory=list)


class FaultyWorld:
    """A world behind faults, for one episode.

    Args:
        inner: The world behind them.
        rules: The faults by name; those that are louder stand further out, and equal ones by name.
        seed: Of the episode's realisation of the faults.

    Attributes:
        ledger: What fired so far. Never shown to a policy.
    """

    def __init__(self, inner: World, rules: Mapping[str, Rule], seed: int) -> None:
        self.inner, self.ledger = inner, Ledger()
        world = inner
        order = sorted(rules, key=lambda name: (FAMILIES.index(rules[name].fault.family), name), reverse=True)
        for name in order:
            if rules[name].intensity > 0:
                world = _Struck(world, name, rules[name], seed, self.ledger)
        self._world = world

    def answer(self, request: Request, call: Call) -> Response:
        """Answers as the world does, or as a fault that strikes has it."""
        return self._world.answer(request, call)


class _Struck:
    """A world behind one fault."""

    def __init__(self, inner: World, name: str, rule: Rule, seed: int, ledger: Ledger) -> None:
        self._inner, self._name, self._rule, self._ledger = inner, name, rule, ledger
        self._seed = derive(seed, name)
        self._met = self._fired = 0

    def answer(self, request: Request, call: Call) -> Response:
        rule = self._rule
        if not rule.aims_at(request, call):
            return self._inner.answer(request, call)
        self._met += 1
        if self._met <= rule.onset or (rule.at_most is not None and self._fired >= rule.at_most):
            return self._inner.answer(request, call)
        unit = rule.unit(request, call)
        seed = derive(self._seed, unit)
        value = (seed >> 11) / (1 << 53)
        if value >= rule.intensity:
            return self._inner.answer(request, call)
        return self._strike(request, call, unit, Draw(seed, value))

    def _strike(self, request: Request, call: Call, unit: str, draw: Draw) -> Response:
        behind = _Behind(self._inner)
        told = self._rule.fault.apply(request, call, behind, draw)
        told = told if isinstance(told, Told) else Told(told)
        if told.response is behind.last:
            return told.response
        self._fired += 1
        raw = digest(behind.last) if behind.last is not None else ""
        delivered = digest(told.response)
        if raw == delivered:
            return told.response
        event = FaultEvent(
            self._name, self._rule.fault.family, call.step, request.key, unit, draw.value, self._rule.intensity,
            raw, delivered, told.truth, told.lie,
        )  # fmt: skip
        self._ledger.events.append(event)
        return told.response


class _Behind:
    """The world behind a fault, which remembers what it said last."""

    def __init__(self, inner: World) -> None:
        self._inner = inner
        self.last: Response | None = None

    def answer(self, request: Request, call: Call) -> Response:
        self.last = self._inner.answer(request, call)
        return self.last


def digest(response: Response) -> str:
    """The sha256 of a response's canonical JSON, in hex."""
    return sha256(canonical_json(encode(response)).encode("utf-8", "surrogatepass")).hexdigest()
