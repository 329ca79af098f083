"""From what a user types to objects. Hydra composes configs; nothing in them is ever instantiated blindly."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from murk.envs.codec import canonical_json
from murk.envs.errors import UnknownName, UsageError
from murk.envs.tasks import Task, read_tasks, task_row
from murk.envs.web.manifest import read_manifest
from murk.rewards.score import Reward
from murk.rewards.specs import build, build_named
from murk.rollout.episode import episode_id
from murk.rollout.policies import Policy
from murk.rollout.sources import prepare_tasks, prepare_world

KINDS = ("local", "ray", "cluster")
_SHORT = {"world": ("world=folder", "world.path"), "tasks": ("tasks=file", "tasks.path")}


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode that a run is to have."""

    id: str
    policy: str
    task: str
    sample: int
    intensity: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run.

    Attributes:
        config: As composed, with the world and the tasks as paths; what `config.yaml` holds.
        snapshot: Folder of the snapshot.
        tasks: The tasks by id.
        policies: Name and settings of each policy.
        environment: Keywords of the environment besides snapshot and tasks.
        reward: Name and settings of the reward; empty for none.
        faults: Settings of the storm, its intensity left out.
        seed: Of the run.
        episodes: What is to be run, in this order.
    """

    config: Mapping[str, Any]
    snapshot: Path
    tasks: Mapping[str, Task]
    policies: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, Any]
    reward: Mapping[str, Mapping[str, Any]]
    faults: Mapping[str, Any]
    seed: int
    episodes: Sequence[Episode]


@dataclass(frozen=True, slots=True)
class Crew:
    """How a run is carried out; nothing of it changes a trajectory.

    Attributes:
        kind: `local` (in this process), `ray` (actors on this machine) or `cluster` (on a Ray cluster).
        concurrency: Episodes at a time in each process.
        retries: How often an episode is run again that broke, or whose worker died.
        patience: Wall-clock seconds that a step of an environment may take.
        actors: Number of actors, anywhere.
        per_host: Number of actors on each host, in the place of `actors`; hosts may come and go.
        address: Of the cluster, as `auto`; None to begin one on this machine.
        cpus: Cores that an actor is counted for.
        gpus: Graphics cards that an actor gets, also a part of one.
        silence: Seconds without an answer after which an actor is taken for dead and ended.
        priorities: By policy; those with a smaller number run first. Those that are not named have 0.
        tensorboard: Whether the run's figures are written for TensorBoard as well, into its folder.
    """

    kind: str
    concurrency: int = 8
    retries: int = 2
    patience: float = 300.0
    actors: int | None = None
    per_host: int | None = None
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    silence: float = 120.0
    priorities: Mapping[str, int] = field(default_factory=dict)
    tensorboard: bool = False


def compose(overrides: Sequence[str], name: str = "rollout") -> dict[str, Any]:
    """Composes a config of `murk.configs` with overrides in Hydra's syntax.

    A path in the place of a world or of tasks is taken as such, and a single policy as a list of one.

    Raises:
        UsageError: an override is wrong; the message is Hydra's, in one line.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_module("murk.configs", version_base="1.3"):
            config = hydra_compose(name, [part for override in overrides for part in _plain(override)])
        composed: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(" ".join(str(error).split())[:600]) from None
    return composed


def _plain(override: str) -> list[str]:
    key, equals, value = override.partition("=")
    if not equals and not key.startswith("~"):
        raise UsageError(f"{override!r} is not a setting; allowed is NAME=VALUE, as in seed=1.")
    if key in _SHORT and ("/" in value or Path(value).exists()):
        group, path = _SHORT[key]
        return [group, f"{path}={canonical_json(value)}"]
    if key == "policy" and not value.startswith("["):
        return [f"policy=[{value}]"]
    return [override]


def plan(config: Mapping[str, Any]) -> Plan:
    """What a composed config asks for; worlds and tasks that do not exist yet are built.

    Raises:
        UsageError: a setting is wrong; the message names it and what is allowed.
    """
    for name in ("samples", "episodes"):
        if (value := config[name]) is not None and (not isinstance(value, int) or value < 1):
            raise UsageError(f"{name} is {value!r}; allowed are whole numbers from 1.")
    if not isinstance(config["seed"], int) or not 0 <= config["seed"] < 1 << 63:
        raise UsageError(f"seed is {config['seed']!r}; allowed are whole numbers from 0 to 2**63 - 1.")
    folder = Path(config["worlds"])
    snapshot = prepare_world(config["world"], folder)
    path, split = prepare_tasks(config["tasks"], snapshot, folder)
    tasks = {name: task for name, task in read_tasks(path).items() if split in (None, task.more.get("split"))}
    if not tasks:
        raise UsageError(f"no task of {path} is of the split {split!r}; allowed are tune, test, or null for all.")
    tasks = dict(list(tasks.items())[: config["episodes"]])
    seed, storm = config["seed"], config["faults"]["name"]
    intensities = _intensities(config["faults"]["intensity"])
    if not config.get("policy"):
        raise UsageError("policy is empty; allowed are one policy or a list of them.")
    episodes = [
        Episode(episode_id(seed, policy, storm, intensity, task, sample), policy, task, sample, intensity)
        for task in tasks
        for sample in range(config["samples"])
        for intensity in intensities
        for policy in config["policy"]
    ]
    found = {"kind": "folder", "path": _address(config["world"], snapshot)}
    source = {"kind": "file", "path": str(path.resolve()), "split": split}
    return _plan(dict(config) | {"world": found, "tasks": source}, snapshot, tasks, episodes)


def _address(world: Mapping[str, Any], snapshot: Path) -> str:
    """Where others find the snapshot: its URL if it has one."""
    path = str(world.get("path", ""))
    return path if "://" in path else str(snapshot.resolve())


def _plan(config: Mapping[str, Any], snapshot: Path, tasks: Mapping[str, Task], episodes: Sequence[Episode]) -> Plan:
    """A plan whose world and tasks are there."""
    return Plan(
        config=config,
        snapshot=snapshot,
        tasks=tasks,
        policies={name: settings or {} for name, settings in config["policy"].items()},
        environment=config["env"],
        reward=config["reward"] or {},
        faults={name: value for name, value in config["faults"].items() if name != "intensity"},
        seed=config["seed"],
        episodes=episodes,
    )


def job(made: Plan, folder: Path | None, mark: str) -> dict[str, Any]:
    """What a worker needs of a plan, as JSON values: it may live on another machine.

    Args:
        folder: Of the run; None where nothing is to be kept.
        mark: By which a worker knows that it sees the same folder.
    """
    return {
        "config": dict(made.config),
        "tasks": [task_row(task) for task in made.tasks.values()],
        "snapshot": made.config["world"]["path"],
        "digest": read_manifest(made.snapshot)["content_digest"],
        "folder": str(folder.resolve()) if folder else "",
        "mark": mark,
    }


def plan_of(data: Mapping[str, Any], snapshot: Path) -> Plan:
    """The plan of a job, without its episodes.

    Args:
        snapshot: Folder of the snapshot on this machine.
    """
    return _plan(data["config"], snapshot, read_tasks(data["tasks"]), [])


def crew(config: Mapping[str, Any]) -> Crew:
    """How a run is to be carried out, from the group `rollout`.

    Raises:
        UsageError: a setting is wrong.
    """
    try:
        made = Crew(**config)
    except TypeError as error:
        raise UsageError(f"settings of rollout: {error}.") from None
    if made.kind not in KINDS:
        raise UnknownName("kind of rollout", str(made.kind), KINDS)
    numbers = [name for name in ("actors", "per_host") if getattr(made, name) is not None]
    for name, least in ({"concurrency": 1, "retries": 0} | dict.fromkeys(numbers, 1)).items():
        value = getattr(made, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UsageError(f"rollout.{name} is {value!r}; allowed are whole numbers from {least}.")
    for name in ("patience", "silence", "cpus", "gpus"):
        value = getattr(made, name)
        if not isinstance(value, int | float) or value < 0 or (not value and name in ("patience", "silence")):
            raise UsageError(f"rollout.{name} is {value!r}; allowed are numbers above 0.")
    if made.gpus > 1 and made.gpus % 1:
        raise UsageError(f"rollout.gpus is {made.gpus!r}; allowed are parts of one card, or whole cards.")
    return replace(made, actors=os.cpu_count() or 1) if not numbers else made


def make_policy(name: str, settings: Mapping[str, Any]) -> Policy:
    """The policy of a name; `plugin` among the settings is the plugin's name where it is another.

    Raises:
        UnknownName: no such plugin.
        UsageError: wrong settings.
    """
    policy: Policy = build_named("policies", name, settings)
    return policy


def make_reward(spec: Mapping[str, Mapping[str, Any]]) -> Reward | None:
    """The reward of a mapping of one name to its settings; None for an empty one.

    Raises:
        UnknownName: no such plugin.
        UsageError: wrong settings, or several names.
    """
    reward: Reward | None = build("rewards", spec) if spec else None
    return reward


def _intensities(given: Any) -> list[float]:
    """One intensity or several; their range is the storm's business."""
    found = given if isinstance(given, list) else [given]
    wrong = [one for one in found if isinstance(one, bool) or not isinstance(one, int | float)]
    if wrong or not found:
        raise UsageError(f"intensity of the storm is {given!r}; allowed are 0 to 1, or a list of such numbers.")
    return [float(one) for one in found]
