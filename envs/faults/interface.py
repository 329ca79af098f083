"""Drift: what faults do to the interface of the tools, which are the names of arguments and of result fields.

The unit is a tool, for the whole episode; from which step on a struck tool has its new names is drawn, too. The agent
is not told: an argument of an old name is refused by a message that lists the new ones, and results have other fields.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.faults import Draw, draw_of
from murk.envs.records import Call, FaultEvent, Request, Response, World
from murk.envs.seeds import derive

if TYPE_CHECKING:
    from murk.envs.faults.faulty import Ledger
    from murk.envs.faults.rule import Rule

_RESULTS = re.compile(r'(?:\d+ links of [^\n]*\n)?\[?\{"(?:query|url|spent)":')


@dataclass(frozen=True, slots=True)
class Interface:
    """A fault of the interface: it strikes tools and no exchange.

    Attributes:
        first: The first step, from 0, at which a struck tool may have changed.
        last: The last step at which it changes.

    Raises:
        UsageError: the steps are not in order.
    """

    first: int = 2
    last: int = 6

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        if not (isinstance(self.first, int) and isinstance(self.last, int) and 0 <= self.first <= self.last):
            raise UsageError(f"first is {self.first!r} and last {self.last!r}; allowed are steps from 0, in order.")

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        """Strikes no exchange."""
        return inner.answer(request, call)

    def arguments(self, names: Sequence[str], draw: Draw) -> Mapping[str, str]:
        """New names of a tool's arguments, by the old ones that are renamed."""
        return {}

    def fields(self, draw: Draw) -> Mapping[str, str]:
        """New names of fields in results, by the old ones that are renamed."""
        return {}


class Drift:
    """The tools' interface in one episode; without faults of the interface all stays as it is.

    Args:
        rules: Faults by name, of which those of the interface count.
        seed: Of the episode's realisation of the faults.
        ledger: Gets an event for each call that meets other arguments, and each result with other fields.

    Attributes:
        steady: Whether there are no such faults, so that nothing ever changes.
    """

    def __init__(self, rules: Mapping[str, "Rule"], seed: int, ledger: "Ledger") -> None:
        self._faults = [
            (name, rule, rule.fault, derive(seed, name))
            for name, rule in rules.items()
            if isinstance(rule.fault, Interface)
        ]
        self.steady = not self._faults
        self._ledger = ledger
        self._old: dict[str, dict[str, str]] = {}

    def schema(self, tool: str, parameters: Mapping[str, Any], step: int) -> Mapping[str, Any]:
        """The schema of a tool's arguments as it is at a step. To be asked for at the beginning of each call."""
        if self.steady:
            return parameters
        old = self._old[tool] = {}
        for name, rule, fault, draw in self._struck(tool, step):
            new = fault.arguments(list(parameters["properties"]), draw)
            if new:
                changed = _renamed(parameters, new)
                self._record(name, rule, tool, step, draw, canonical_json(parameters), canonical_json(changed))
                parameters = changed
                old |= {later: old.pop(name, name) for name, later in new.items()}
        return parameters

    def arguments(self, tool: str, arguments: Mapping[str, Any], step: int) -> dict[str, Any]:
        """Arguments that fit what `schema` gave for this call, by the names that the tool itself knows."""
        old = self._old.get(tool)
        return {old.get(name, name): value for name, value in arguments.items()} if old else dict(arguments)

    def rendered(self, tool: str, text: str, step: int) -> str:
        """What a tool said, with the fields that its results have at a step."""
        for name, rule, fault, draw in () if self.steady else self._struck(tool, step):
            new = fault.fields(draw)
            changed = _with_fields(text, new) if new and _RESULTS.match(text) else text
            if changed != text:
                self._record(name, rule, tool, step, draw, text, changed)
                text = changed
        return text

    def _struck(self, tool: str, step: int) -> Iterator[tuple[str, "Rule", Interface, Draw]]:
        """The faults that a tool has at a step."""
        unit = f"tool {tool}"
        for name, rule, fault, seed in self._faults:
            draw = draw_of(seed, unit)
            aimed = not rule.tools or tool in rule.tools
            if aimed and draw.value < rule.intensity and step >= draw.pick(range(fault.first, fault.last + 1), "onset"):
                yield name, rule, fault, draw

    def _record(self, name: str, rule: "Rule", tool: str, step: int, draw: Draw, raw: str, delivered: str) -> None:
        key, unit = canonical_json(["call", tool]), f"tool {tool}"
        event = FaultEvent(name, rule.fault.family, step, key, unit, draw.value, rule.intensity)
        self._ledger.add(event, raw, delivered)


def _renamed(parameters: Mapping[str, Any], new: Mapping[str, str]) -> dict[str, Any]:
    """A schema with other names."""
    rules = {new.get(name, name): rule for name, rule in parameters["properties"].items()}
    required = [new.get(name, name) for name in parameters.get("required", ())]
    return {**parameters, "properties": rules} | ({"required": required} if required else {})


def _with_fields(text: str, new: Mapping[str, str]) -> str:
    """JSON text with other keys. A quotation mark within a JSON string has a backslash in front, and so is not met."""
    return re.sub(r'(?<!\\)"(\w+)"(?=\s*:)', lambda found: f'"{new.get(found[1], found[1])}"', text)
