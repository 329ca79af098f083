"""Replay: every action of a run is taken again, and all that happened must be the same to the last byte."""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from murk.envs.codec import encode
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UsageError
from murk.envs.records import Step, Trajectory
from murk.envs.tasks import read_tasks, task_row
from murk.rollout.digest import digest
from murk.rollout.episode import describe, step_record, trajectory_of
from murk.rollout.nodes import local_snapshot
from murk.rollout.run import read_config
from murk.rollout.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of an episode.

    Attributes:
        id: Of the trajectory.
        place: Field that differs, as `steps[3].observation`.
        diff: Unified diff of the recorded value (`-`) and the one found (`+`), its first lines.
    """

    id: str
    place: str
    diff: str


def replay(
    folder: Path, ids: frozenset[str] = frozenset(), snapshot: str | None = None, rerun_shell: bool = False
) -> Iterator[tuple[str, list[Difference]]]:
    """Replays the episodes of a run.

    Args:
        folder: Of the run.
        ids: Those to replay; empty for all.
        snapshot: Folder or URL of the snapshot, where it is not in the folder that the run's config names.
        rerun_shell: Whether shell commands are run again, and differences of their results are reported, too.

    Yields:
        Id of a trajectory, and what differs; nothing where it is the same. Errored episodes are left out.

    Raises:
        UsageError: the folder holds no run, or its snapshot cannot be opened.
    """
    config = read_config(folder)
    where = _snapshot(config) if snapshot is None else str(local_snapshot(snapshot))
    mode: Any = "rerun" if rerun_shell else True
    tasks = [task_row(task) for task in read_tasks(folder / "tasks.jsonl").values()]
    envs: dict[float, tuple[DeepResearchEnv, dict[str, Any]]] = {}
    for row in Store(folder).rows():
        if row["status"] == "errored" or (ids and row["id"] not in ids):
            continue
        if row["intensity"] not in envs:
            settings = config["env"] | {
                "retrievals": None,
                "faults": config["faults"] | {"intensity": row["intensity"]},
            }
            envs[row["intensity"]] = DeepResearchEnv(where, tasks, reward=None, replay=mode, **settings), settings
        yield row["id"], _differences(*envs[row["intensity"]], row)


def _snapshot(config: Mapping[str, Any]) -> str:
    """The place that a run's config names; a stranger's config is not followed into the network."""
    path = str(config["world"].get("path", ""))
    if "://" in path:
        raise UsageError(
            f"the snapshot of the run is {path}; name it with --snapshot {path} if you trust that address."
        )
    return str(local_snapshot(path))


def _differences(env: DeepResearchEnv, environment: Mapping[str, Any], row: Mapping[str, Any]) -> list[Difference]:
    from murk.rollout.rows import from_row

    try:
        old = from_row(row)
    except ValueError as error:
        return [Difference(row["id"], "row", f"the stored row is damaged: {error}")]
    try:
        new = again(env, old)
    except Exception as error:
        return [Difference(old.id, "replay", f"replaying broke: {describe(error)}")]
    found = first_difference(encode(old), encode(new))
    if found is not None:
        return [Difference(old.id, *found)]
    if digest(old, environment) != row["digest"]:
        return [Difference(old.id, "digest", "the episode replays, but it is not the one that the digest was made of")]
    shell = getattr(env, "differences", ())
    return [Difference(old.id, "shell", json.dumps(_plain(difference))) for difference in shell]


def again(env: DeepResearchEnv, old: Trajectory) -> Trajectory:
    """The trajectory that the actions of another one give."""
    options = {"task": old.task, "sample": old.sample, "commands": [list(command) for command in old.commands]}
    question, _ = env.reset(seed=old.seed, options=options)
    steps: list[Step] = []
    for step in old.steps:
        observation, _, terminated, truncated, info = env.step(step.action)
        steps.append(step_record(env, step.action, observation, info))
        if terminated or truncated:
            break
    names = ("id", "policy", "sample", "seed", "storm", "intensity", "sampled")
    about = {name: getattr(old, name) for name in names} | {"question": question}
    return trajectory_of(env, old.task, tuple(steps), None, about)


def first_difference(old: Any, new: Any, place: str = "") -> tuple[str, str] | None:
    """Place and diff of the first difference of two JSON values, `steps` first; None where they are equal."""
    if old == new:
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys(), key=lambda name: (name != "steps", name))
        parts = ((f"{place}.{name}" if place else name, old.get(name), new.get(name)) for name in names)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        parts = ((f"{place}[{i}]", a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)))
    else:
        return place, _diff(old, new)
    return next((found for name, a, b in parts if (found := first_difference(a, b, name))), None)


def _diff(old: Any, new: Any, lines: int = 20) -> str:
    before, after = (
        value.splitlines() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1).splitlines()
        for value in (old, new)
    )
    shown = [line[:300] for line in difflib.unified_diff(before, after, "recorded", "found", n=1, lineterm="")]
    return "\n".join(shown[:lines] + ["..."] * (len(shown) > lines))


def _plain(value: Any) -> Any:
    return {name: item for name, item in encode(value).items() if name != "type"}
