"""Tools: what an agent can call. One file each; each a plugin of the group `tools`.

A tool is a frozen dataclass whose fields are its settings. It acts through a `Desk` alone, says what went wrong in its
text, and never raises for what the agent gave it: arguments are checked against its schema before it is called.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from murk.envs import plugins
from murk.envs.desk import Desk
from murk.envs.errors import UnknownName, UsageError

PROFILES: Mapping[str, tuple[str, ...]] = {
    "research": ("batch_web_surfer", "links", "find", "file", "todo", "wait", "budget"),
    "full": ("batch_web_surfer", "links", "find", "file", "todo", "wait", "budget", "shell"),
}
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
CAPABILITIES = ("plan", "seek", "verify", "report")


@runtime_checkable
class Tool(Protocol):
    """One tool.

    A tool with an attribute `instant` that is true never waits for anything outside of this process, as a command, the
    network or another's lock, if the world that it asks does not; others are called in threads where many episodes run
    side by side. A tool with a method `run_utf8` may give what `run` returns as UTF-8 there, which saves looking at a
    long text again.

    Attributes:
        description: What it does, for the agent.
        parameters: JSON schema of its arguments (an object).
    """

    description: str
    parameters: Mapping[str, Any]

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        """Does what the arguments, which fit the schema, ask for, and returns what the agent reads."""
        ...

    def capability(self, arguments: Mapping[str, Any]) -> str:
        """Which atomic capability such a call exercises: `plan`, `seek`, `verify` or `report`."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as a profile offers it, under a name and with a description of the profile's own."""

    name: str
    description: str
    tool: Tool

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as an OpenAI function."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.tool.parameters)}
        return {"type": "function", "function": function}


def profile(spec: str | Mapping[str, Any]) -> dict[str, Offer]:
    """The tools of a profile by the name under which the agent calls them.

    Args:
        spec: `research`, `full`, or a mapping `{tool: settings}` whose settings may hold `name` and `description`
            beside the tool's own fields, and `false` to leave a tool out of the base profile that `base` names.

    Raises:
        UnknownName: no such profile or tool.
        UsageError: wrong settings, or two tools under one name.
    """
    if isinstance(spec, str):
        if spec not in PROFILES:
            raise UnknownName("tool profile", spec, PROFILES)
        spec = {name: {} for name in PROFILES[spec]}
    if not isinstance(spec, Mapping):
        raise UsageError(f"tools are {spec!r}; allowed is the name of a profile, or a mapping from tool to settings.")
    settings = dict(spec)
    if "base" in settings:
        base = settings.pop("base")
        if base not in PROFILES:
            raise UnknownName("tool profile", str(base), PROFILES)
        for name in [name for name, given in settings.items() if given is False and name not in PROFILES[base]]:
            raise UnknownName(f"tool of the profile {base}", str(name), PROFILES[base])
        settings = {name: {} for name in PROFILES[base]} | settings
    offers: dict[str, Offer] = {}
    for name, given in settings.items():
        if given is False:
            continue
        offer = _offer(str(name), {} if given is None else given)
        if offer.name in offers:
            raise UsageError(f"two tools are called {offer.name!r}; rename one of them.")
        offers[offer.name] = offer
    return offers


def _offer(name: str, given: Mapping[str, Any]) -> Offer:
    if not isinstance(given, Mapping):
        raise UsageError(f"settings of tool {name} are {given!r}; allowed are a mapping, or false to leave it out.")
    fields = {key: value for key, value in given.items() if key not in ("name", "description")}
    tool: Tool = plugins.make("tools", name, fields)
    own, description = given.get("name", name), given.get("description", tool.description)
    if not isinstance(own, str) or not _NAME.fullmatch(own):
        raise UsageError(f"name of tool {name} is {own!r}; allowed are 1 to 64 letters, digits, - and _.")
    if not isinstance(description, str):
        raise UsageError(f"description of tool {name} is {description!r}; allowed is a text.")
    return Offer(own, described(description), tool)


def described(text: str) -> str:
    """A description on one line."""
    return " ".join(text.split())


def check_arguments(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Fits arguments to the schema of a tool, which uses the types `string`, `integer`, `number`, `object` and
    `array` of strings, `enum`, `minimum`, `maximum` and `default`.

    A list given as JSON text, a number given as text, and null for an absent value are understood.

    Returns:
        The arguments with defaults filled in, and what is wrong with them, in words; None where nothing is.
    """
    known: Mapping[str, Any] = schema["properties"]
    fitted: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return {}, f"unknown argument {name[:40]!r}.{hint} Known: {', '.join(known) or 'none'}."
        if value is None:
            continue
        fitted[name], problem = _fit(name, value, known[name])
        if problem:
            return {}, problem
    for name in schema.get("required", ()):
        if name not in fitted:
            return {}, f"argument {name!r} is missing: {known[name].get('description', '')}"
    return {name: rule["default"] for name, rule in known.items() if "default" in rule} | fitted, None


def _fit(name: str, value: Any, rule: Mapping[str, Any]) -> tuple[Any, str | None]:
    kind = rule["type"]
    if not _RIGHT[kind](value) and not _RIGHT[kind](value := _understood(value, kind)):
        wanted = "a list of strings" if kind == "array" else f"of type {kind}"
        return None, f"argument {name!r} is {_shown(value)}; allowed is {wanted}."
    if "enum" in rule and value not in rule["enum"]:
        meant = [one for one in rule["enum"] if one.casefold() == value.casefold()]
        if len(meant) == 1:
            return meant[0], None
        near = difflib.get_close_matches(value, rule["enum"], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return None, f"argument {name!r} is {_shown(value)}; allowed are {', '.join(rule['enum'])}.{hint}"
    if "minimum" in rule and not rule["minimum"] <= value <= rule["maximum"]:
        return None, f"argument {name!r} is {_shown(value)}; allowed are {rule['minimum']} to {rule['maximum']}."
    return value, None


_RIGHT: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list) and set(map(type, value)) <= {str},
}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, default=str)[:80]


def _understood(value: Any, kind: str) -> Any:
    """What a model plainly meant: JSON within a string, a number as text, a single item for a list."""
    if isinstance(value, str) and kind in ("array", "object", "integer", "number"):
        try:
            value = json.loads(value) if len(value) < 100_000 else value
        except (ValueError, RecursionError):
            return [value] if kind == "array" else value
        if kind == "array" and isinstance(value, str):
            return [value]
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
