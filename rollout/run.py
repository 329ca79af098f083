"""A run's folder: begun, resumed, and summed up."""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.tasks import read_tasks, task_row
from murk.rollout.build import Plan
from murk.rollout.digest import digest_of_run
from murk.rollout.effort import Effort
from murk.rollout.exposure import STAGES, exposure
from murk.rollout.machinery import machinery
from murk.rollout.metrics import figures, grouped
from murk.rollout.store import Store

_GROUPS = ("policy", "storm", "intensity")
_NAMES = ("id", "task", *_GROUPS, "status", "digest", "snapshot")
_TOLD = ("events", "citations", "answer", "spending", "steps")
_BEGUN = ("tasks.jsonl", ".partial")  # what a crash may leave of a run not yet begun
_SHAPE = {"world": dict, "policy": dict, "env": dict, "faults": dict, "rollout": dict, "samples": int}
_FREE = ("out", "resume", "worlds", "data", "rollout")  # what may differ when a run is resumed


def begin(plan: Plan, folder: Path) -> None:
    """Makes a run's folder.

    Raises:
        UsageError: there is something at that place already.
    """
    if folder.exists() and (not folder.is_dir() or not all(path.name.endswith(_BEGUN) for path in folder.iterdir())):
        raise UsageError(f"{folder} exists already; go on with resume={folder}, or choose another out=.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "tasks.jsonl", "".join(canonical_json(task_row(task)) + "\n" for task in plan.tasks.values()))
    write_text(folder / "config.yaml", to_yaml(plan.config))  # last: with it, the folder is a run


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a run.

    Raises:
        UsageError: the folder holds no run.
    """
    from omegaconf import OmegaConf
    from yaml import YAMLError

    path = folder / "config.yaml"
    if not path.is_file():
        raise UsageError(f"{folder} holds no run: it has no config.yaml.")
    try:
        config = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())[:300]}.") from None
    if not isinstance(config, dict):
        raise UsageError(f"{path} holds no config.")
    for name, kind in _SHAPE.items():
        if not isinstance(config.get(name), kind):
            raise UsageError(f"{path} holds no config of a run: its {name!r} is {config.get(name)!r}."[:400])
    return {str(name): value for name, value in config.items()}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a run to one driver at a time; the lock goes with the process that holds it.

    Raises:
        UsageError: another process is at work on the run.
    """
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another process is at work on {folder}; wait for its end, or stop it.") from None
        file.truncate(0)
        file.write(os.urandom(16).hex())  # another each time, so that no old copy of the folder passes for this one
        file.flush()
        yield


def mark(folder: Path) -> str:
    """By which a worker knows that a folder is the one that the driver has locked, on a disk that both see."""
    return (folder / ".lock").read_text("utf-8")


def is_here(folder: Path, expected: str) -> bool:
    """Whether a run's folder is on a disk that this process sees and can write to."""
    try:
        return mark(folder) == expected and os.access(folder, os.W_OK)
    except OSError:
        return False


def check_same(stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Compares the config of a run with the one that it is to be resumed under.

    Raises:
        UsageError: they differ; the message names the first difference.
    """
    for name in sorted(set(stored) | set(given)):
        if name not in _FREE and stored.get(name) != given.get(name):
            was, now = canonical_json(stored.get(name)), canonical_json(given.get(name))
            raise UsageError(f"{name} is {now[:200]}, but the run was begun with {was[:200]}; leave it out to resume.")


def summarise(folder: Path) -> dict[str, Any]:
    """Writes `summary.json` over all episodes of a run, and returns what it holds."""
    store = Store(folder)
    scores, config = store.scores(), read_config(folder)
    kinds = {task.id: task.kind for task in read_tasks(folder / "tasks.jsonl").values()}
    rows: list[dict[str, Any]] = []
    lies: dict[tuple[Any, ...], Counter[str]] = {}
    efforts: dict[tuple[Any, ...], Effort] = {}
    for row in store.rows((*_NAMES, *_TOLD)):
        score = scores.get(row["id"], {}) if row["status"] != "errored" else {}
        kept = {name: row[name] for name in _NAMES}  # what is told at length must not fill the memory
        rows.append(kept | {"reward": score.get("value"), "kind": kinds.get(row["task"], "")})
        group_of = tuple(row[name] for name in _GROUPS)
        lies.setdefault(group_of, Counter()).update(exposure([row]) or {})
        efforts.setdefault(group_of, Effort()).add(row)
    groups = grouped(rows, _GROUPS)
    for group in groups:
        key = tuple(group[name] for name in _GROUPS)
        own = [row for row in rows if tuple(row[name] for name in _GROUPS) == key]
        if lies[key]:
            group["exposure"] = {stage: lies[key][stage] for stage in STAGES}
        group.update(efforts[key].means())
        group["kinds"] = {entry.pop("kind"): entry for entry in grouped(own, ("kind",))}
    summary = figures(rows) | {
        "groups": groups,
        "unscored": sum(row["reward"] is None and row["status"] != "errored" for row in rows),
        "digest": digest_of_run(row["digest"] for row in rows),
        "snapshot_digest": next((row["snapshot"] for row in rows), ""),
        "seed": config.get("seed"),
    }
    if (told := machinery(folder)) is not None:
        summary["machinery"] = told
    write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    return summary


def to_yaml(config: Mapping[str, Any]) -> str:
    """A config as YAML text, its keys in their order."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and synced."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # `murk show` may sum up at the same time
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def missing(plan: Plan, folder: Path) -> Sequence[str]:
    """Ids of the plan's episodes that the folder does not hold, or holds as errored only."""
    done = {name for name, entry in Store(folder).index().items() if entry.status != "errored"}
    return [episode.id for episode in plan.episodes if episode.id not in done]
