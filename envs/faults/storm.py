"""Storms: named sets of faults, scaled by one intensity."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults.faulty import FaultyWorld, Rule
from murk.envs.records import World
from murk.envs.seeds import derive

SCOPES = ("task", "episode")
_RULE = tuple(f.name for f in fields(Rule) if f.name != "fault")


@dataclass(frozen=True, slots=True)
class Storm:
    """A set of faults.

    Attributes:
        rules: By name of the fault.
        name: For the record.
        intensity: For the record.
        scope: Whether all samples of a task share one realisation (`task`) or each has its own (`episode`).
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    name: str = "none"
    intensity: float = 0.0
    scope: str = "task"

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> "Storm":
        """A storm from a config: `name`, `intensity`, `scope`, and `faults`, a mapping from fault to its settings.

        Settings of a fault are those of `Rule` and its own, and `plugin` where its name is not the plugin's. `weight`
        (default 1) gives its share of the storm's intensity: of several faults of one kind of unit each gets
        `1 - (1 - intensity) ** weight`, so that with weights that sum to 1 the intensity keeps its meaning.

        Raises:
            UsageError: a setting is wrong; the message names the fault and the setting.
        """
        settings = dict(settings or {})
        if unknown := sorted(set(settings) - {"name", "intensity", "scope", "faults"}):
            raise UnknownName("setting of a storm", unknown[0], ["name", "intensity", "scope", "faults"])
        intensity, scope = settings.get("intensity", 1.0), settings.get("scope", "task")
        if not isinstance(intensity, int | float) or isinstance(intensity, bool) or not 0 <= intensity <= 1:
            raise UsageError(f"intensity of the storm is {intensity!r}; allowed are 0 to 1.")
        if scope not in SCOPES:
            raise UnknownName("scope of the storm", str(scope), SCOPES)
        given = settings.get("faults") or {}
        rules = {name: _rule(name, dict(more or {}), float(intensity)) for name, more in given.items()}
        return cls(rules, str(settings.get("name", "storm" if rules else "none")), float(intensity), scope)

    def around(self, world: World, seed: int, task: str, sample: int) -> FaultyWorld:
        """The world behind this storm, for one episode."""
        names = (task,) if self.scope == "task" else (task, sample)
        return FaultyWorld(world, self.rules, derive(seed, *names))


def _rule(name: str, given: dict[str, Any], intensity: float) -> Rule:
    weight = given.pop("weight", 1.0)
    if not isinstance(weight, int | float) or not 0 < weight <= 1:
        raise UsageError(f"fault {name}: weight is {weight!r}; allowed are numbers above 0, to 1.")
    plugin = plugins.load("faults", str(given.pop("plugin", name)))
    shared = {key: given.pop(key) for key in _RULE if key in given}
    shared = {key: tuple(value) if isinstance(value, list) else value for key, value in shared.items()}
    shared.setdefault("intensity", 1 - (1 - intensity) ** weight)
    try:
        return Rule(plugin(**given), **shared)
    except TypeError as error:
        known = ", ".join([*_RULE, "weight", *(f.name for f in fields(plugin))])
        raise UsageError(f"fault {name}: {error}; known settings: {known}.") from None
    except UsageError as error:
        raise UsageError(f"fault {name}: {error}") from None
