"""A world behind faults: what all faults share, which is target, intensity, schedule, draws and ledger.

Each exchange belongs to a unit by the schedule of a fault, and a draw `u = H(seed, fault, unit)` decides: the unit is
struck when u < intensity. There is no sequence of random numbers, so the same unit meets the same fate whichever policy
asks, in whatever order and on whichever worker, and a higher intensity only adds struck units.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b, sha256

from murk.envs.codec import canonical_json, encode
from murk.envs.faults import FAMILIES, Draw, Told, as_fraction
from murk.envs.faults.interface import Drift, Interface
from murk.envs.faults.rule import SCHEDULES, Rule, service
from murk.envs.records import Call, FaultEvent, Request, Response, World
from murk.envs.seeds import derive

__all__ = ["SCHEDULES", "FaultyWorld", "Ledger", "Rule", "digest", "service"]


class Ledger:
    """The fault events of an episode.

    Where several faults strike one exchange, the inner one fires first and what it delivers is what the next finds:
    the tool got what the last of them delivered. A fault that asks the world for something else meets the inner ones
    there, too; their events have the key of what it asked.
    """

    def __init__(self) -> None:
        self._events: list[FaultEvent] = []
        self._waiting: list[tuple[FaultEvent, Response | str | None, Response | str]] = []

    @property
    def events(self) -> list[FaultEvent]:
        """The events in the order of their firing. Their digests are made when they are asked for: they cost time."""
        for event, raw, delivered in self._waiting:
            before = "" if raw is None else digest(raw)
            self._events.append(replace(event, raw=before, delivered=digest(delivered)))
        self._waiting.clear()
        return self._events

    def add(self, event: FaultEvent, raw: Response | str | None, delivered: Response | str) -> None:
        """Adds an event, its digests to be those of a response or text as it was (None if unknown) and as it is."""
        self._waiting.append((event, raw, delivered))

    def names(self, first: int = 0) -> list[str]:
        """Names of the faults that fired, from an event on, at no cost of digests."""
        return [event.fault for event in (*self._events, *(event for event, _, _ in self._waiting))][first:]


class FaultyWorld:
    """A world behind faults, for one episode.

    Args:
        inner: The world behind them.
        rules: The faults by name; those that are louder stand further out, and equal ones by name.
        seed: Of the episode's realisation of the faults.

    Attributes:
        ledger: What fired so far. Never shown to a policy.
        drift: What the faults do to the tools' own interface.
    """

    def __init__(self, inner: World, rules: Mapping[str, Rule], seed: int) -> None:
        self.inner, self.ledger = inner, Ledger()
        order = sorted(rules, key=lambda name: (FAMILIES.index(rules[name].fault.family), name))
        active = {name: rules[name] for name in order if rules[name].intensity > 0}
        self.drift = Drift(active, seed, self.ledger)
        self._gates = [
            _Gate(name, rule, seed) for name, rule in active.items() if not isinstance(rule.fault, Interface)
        ]
        self._faced: dict[type, list[tuple[int, _Gate]]] = {}

    @property
    def front(self) -> World:
        """What answers as this does, at the least cost: the world behind, where no fault strikes exchanges."""
        return self if self._gates else self.inner

    def answer(self, request: Request, call: Call) -> Response:
        """Answers as the world does, or as a fault that strikes has it."""
        return self.answer_behind(0, request, call)

    def answer_behind(self, place: int, request: Request, call: Call) -> Response:
        """Answers as the world behind the first so many faults does."""
        facing = self._faced.get(type(request))
        if facing is None:
            facing = self._faced[type(request)] = self._facing(type(request))
        units: dict[tuple[str, float], bytes] = {}
        for i, gate in facing:
            if i >= place and (draw := gate.draw(request, call, units)) is not None:
                return self._strike(i, draw, units[gate.kind], request, call)
        return self.inner.answer(request, call)

    def _facing(self, kind: type) -> list[tuple[int, "_Gate"]]:
        """The faults that can strike requests of a type, with their places."""
        return [(i, gate) for i, gate in enumerate(self._gates) if issubclass(kind, gate.rule.fault.requests)]

    def _strike(self, place: int, draw: Draw, unit: bytes, request: Request, call: Call) -> Response:
        gate = self._gates[place]
        rule, behind = gate.rule, _Behind(self, place + 1, request)
        told = rule.fault.apply(request, call, behind, draw)
        told = told if isinstance(told, Told) else Told(told)
        if told.response is behind.raw or told.response == behind.raw:
            return told.response
        gate.fired += 1
        event = FaultEvent(
            gate.name, rule.fault.family, call.step, request.key, unit.decode("utf-8", "surrogatepass"), draw.value,
            rule.intensity, truth=told.truth, lie=told.lie,
        )  # fmt: skip
        self.ledger.add(event, behind.raw, told.response)
        return told.response


class _Gate:
    """One fault in one episode: whether it strikes a request of a type that it can."""

    def __init__(self, name: str, rule: Rule, seed: int) -> None:
        self.name, self.rule, self.fired, self._met = name, rule, 0, 0
        self.kind = rule.schedule, rule.slot
        self._keyed = blake2b(digest_size=8, key=derive(seed, name).to_bytes(8, "big"))
        self._choosy = bool(rule.tools or rule.shelves or rule.hosts)

    def draw(self, request: Request, call: Call, units: dict[tuple[str, float], bytes]) -> Draw | None:
        """The draw of an exchange that is struck; None for another. `units` keeps what the faults' units share."""
        rule = self.rule
        if self._choosy and not rule.aims_at(request, call):
            return None
        self._met += 1
        if self._met <= rule.onset or (rule.at_most is not None and self.fired >= rule.at_most):
            return None
        unit = units.get(self.kind)
        if unit is None:
            unit = units[self.kind] = rule.unit(request, call).encode("utf-8", "surrogatepass")
        hashed = self._keyed.copy()  # as `keyed` does it, the key taken in but once
        hashed.update(unit)
        number = int.from_bytes(hashed.digest(), "big")
        value = as_fraction(number)
        return Draw(number, value, rule.until(call)) if value < rule.intensity else None


class _Behind:
    """The world behind a fault, which remembers its answer to the request that was struck."""

    def __init__(self, world: FaultyWorld, place: int, request: Request) -> None:
        self._world, self._place, self._request = world, place, request
        self.raw: Response | None = None

    def answer(self, request: Request, call: Call) -> Response:
        response = self._world.answer_behind(self._place, request, call)
        if request is self._request:
            self.raw = response
        return response


def digest(response: Response | str) -> str:
    """The sha256 of a response's canonical JSON, or of a text, in hex."""
    text = response if isinstance(response, str) else canonical_json(encode(response))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
