"""Storms: named sets of faults, scaled by one intensity."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults.content import ContentFault, content_world
from murk.envs.faults.faulty import FaultyWorld, Rule
from murk.envs.faults.interface import Interface
from murk.envs.records import World
from murk.envs.seeds import derive
from murk.envs.settings import check_settings
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot

SCOPES = ("task", "episode")
_RULE = tuple(f.name for f in fields(Rule) if f.name != "fault")
_INTERFACE = ("intensity", "tools")
_CONTENT = ("intensity", "hosts", "shelves")


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
        if not isinstance(given, Mapping):
            raise UsageError(f"faults of the storm are {given!r}; allowed is a mapping from fault to settings.")
        rules = {str(name): _rule(str(name), more, float(intensity)) for name, more in given.items()}
        return cls(rules, str(settings.get("name", "storm" if rules else "none")), float(intensity), scope)

    @property
    def lies(self) -> bool:
        """Whether it changes the content of pages, for which it must know the snapshot."""
        return any(isinstance(rule.fault, ContentFault) for rule in self.rules.values())

    def around(self, world: World, base: Snapshot | None, seed: int, task: Task, sample: int) -> FaultyWorld:
        """The world behind this storm, for one episode.

        Args:
            world: What answers the agent.
            base: The snapshot behind it; None where there is none, and no content fault either.
            seed: Of the run.
            task: Which claims are at stake.
            sample: Index among the samples of the task.
        """
        own = derive(seed, task.id) if self.scope == "task" else derive(seed, task.id, sample)
        faulty = FaultyWorld(world, self.rules, own)
        if base is not None and self.lies and self.intensity > 0:
            faulty.inner = content_world(world, base, task, self.rules, own, faulty.ledger)
        return faulty


def _rule(name: str, given: Mapping[str, Any] | None, intensity: float) -> Rule:
    if not isinstance(given, Mapping | None):
        raise UsageError(f"fault {name}: its settings are {given!r}; allowed are a mapping, or null for none.")
    given = dict(given or {})
    weight = given.pop("weight", 1.0)
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight <= 1:
        raise UsageError(f"fault {name}: weight is {weight!r}; allowed are numbers above 0, to 1.")
    plugin = plugins.load("faults", str(given.pop("plugin", name)))
    own = [f.name for f in fields(plugin)]
    known = [*own, *(_INTERFACE if issubclass(plugin, Interface) else _RULE)]
    if issubclass(plugin, ContentFault):
        known = [*own, *_CONTENT]
    for setting in given:
        if setting not in known:
            raise UnknownName(f"setting of fault {name}:", str(setting), ["weight", "plugin", *known])
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    share = intensity if weight == 1 else 1 - (1 - intensity) ** weight
    shared: dict[str, Any] = {"intensity": share, "schedule": getattr(plugin, "schedule", "transient")}
    shared |= {key: value for key, value in given.items() if key not in own}
    mine = {key: given[key] for key in own if key in given}
    check_settings(f"fault {name}", plugin, mine)
    try:
        return Rule(plugin(**mine), **shared)
    except (TypeError, UsageError) as error:
        raise UsageError(f"fault {name}: {error}") from None
