"""The tools of an environment, ready to be called: arguments checked, behind whatever faults do to their interface."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from murk.envs.arguments import Fit, canonical_text, values_of
from murk.envs.desk import Desk
from murk.envs.dialects.reading import Wanted
from murk.envs.faults.interface import Drift
from murk.envs.tools import Offer, Tool, check_arguments, described
from murk.envs.tools.file import FileTool
from murk.envs.tools.find import FindTool
from murk.envs.tools.shell import ShellTool


@dataclass(slots=True)
class _Ready:
    """A tool with what would cost time to look up at each call."""

    tool: Tool
    schema: Mapping[str, Any]
    fit: Callable[[dict[str, Any]], dict[str, Any] | None]
    run: Callable[[dict[str, Any], Desk], str | bytes]
    capability: Callable[[Mapping[str, Any]], str]


class Toolbox:
    """Calls tools.

    Args:
        offers: The tools by the name under which the agent calls them.

    Attributes:
        names: Those names.
        reads: Whether one of them can read files.
    """

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self.names = tuple(offers)
        self.reads = any(isinstance(offer.tool, FileTool | FindTool | ShellTool) for offer in offers.values())
        self._ready = {name: _ready(offer.tool) for name, offer in offers.items()}

    def call(self, call: Wanted, desk: Desk, drift: Drift, step: int) -> tuple[str | bytes, str]:
        """Makes a call, which is charged whatever comes of it; one beyond the budget is not run.

        Returns:
            What the tool said, and the atomic capability that the call exercised.
        """
        name = call.name
        ready = self._ready[name]
        desk.begin(name, step)
        if desk.limited and (beyond := desk.budget.exceeded(desk.spent)):
            return f"Error: the budget is spent ({beyond}); this call was not run.", ready.capability({})
        if not drift.steady:
            return self._call_adrift(call, ready, desk, drift, step)
        arguments = ready.fit(call.arguments)
        if arguments is None:
            arguments, problem = check_arguments(values_of(canonical_text(call.arguments)), ready.schema)
            if problem is not None:
                return f"Error: {problem}", ready.capability({})
        return ready.run(arguments, desk), ready.capability(arguments)

    def _call_adrift(self, call: Wanted, ready: _Ready, desk: Desk, drift: Drift, step: int) -> tuple[str, str]:
        name, given = call.name, values_of(canonical_text(call.arguments))
        fitted, problem = check_arguments(given, drift.schema(name, ready.schema, step))
        if problem is not None:
            return f"Error: {problem}", ready.capability({})
        arguments = drift.arguments(name, fitted, step)
        return drift.rendered(name, ready.tool.run(arguments, desk), step), ready.capability(arguments)


def without_patching(offers: Mapping[str, Offer]) -> dict[str, Offer]:
    """The same tools, with files that cannot be patched, for an ablation."""
    changed = {}
    for name, offer in offers.items():
        if isinstance(offer.tool, FileTool):
            tool = replace(offer.tool, patch=False)
            own = offer.description != described(offer.tool.description)
            changed[name] = replace(
                offer, tool=tool, description=offer.description if own else described(tool.description)
            )
    return {**offers, **changed}


def _ready(tool: Tool) -> _Ready:
    schema = tool.parameters
    return _Ready(tool, schema, Fit(schema).fitted, getattr(tool, "run_utf8", tool.run), tool.capability)
