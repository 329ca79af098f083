"""Worlds and tasks that a config describes: built on first use into a folder, found there again after that."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from murk.envs.codec import canonical_json
from murk.envs.errors import UnknownName, UsageError
from murk.envs.seeds import derive
from murk.rollout.nodes import local_snapshot

WORLDS = ("generated", "factbook", "sources", "folder")
TASKS = ("synthesized", "imported", "file")


def prepare_world(config: Mapping[str, Any], folder: Path) -> Path:
    """The snapshot of a world.

    Args:
        config: A config of the group `world`.
        folder: Where worlds are built.

    Raises:
        UsageError: the config is wrong, or the world cannot be built.
    """
    kind = config.get("kind")
    if kind not in WORLDS:
        raise UnknownName("kind of world", str(kind), WORLDS)
    if kind == "folder":
        return local_snapshot(str(config["path"]))
    out = folder / _name(config)
    if not out.exists():
        _build_world(kind, config, out)
    return out


def _build_world(kind: str, config: Mapping[str, Any], out: Path) -> None:
    if kind == "generated":
        from murk.envs.worlds.generate import generate

        generate(out, pages=config["pages"], seed=config["seed"], languages=tuple(config["languages"]))
    elif kind == "factbook":
        from murk.envs.worlds.factbook import build_factbook

        build_factbook(Path(config["data"]), out)
    else:
        from murk.envs.web.build import build

        build([Path(source) for source in config["sources"]], out)


def prepare_tasks(config: Mapping[str, Any], snapshot: Path, folder: Path) -> tuple[Path, str | None]:
    """The file of tasks, and which half of it counts; None for all of it.

    Args:
        config: A config of the group `tasks`.
        snapshot: Folder of the snapshot that the tasks are about.
        folder: Where task files are built.

    Raises:
        UsageError: the config is wrong, or there are no tasks.
    """
    kind, split = config.get("kind"), config.get("split")
    if kind not in TASKS:
        raise UnknownName("kind of tasks", str(kind), TASKS)
    if kind == "file":
        return Path(config["path"]), split
    from murk.envs.web.manifest import read_manifest

    settings = {name: value for name, value in config.items() if name != "split"}
    digest = read_manifest(snapshot)["content_digest"] if kind == "synthesized" else ""
    out = folder / f"{_name(settings | {'snapshot': digest})}.tasks.jsonl"
    if not out.exists():
        _build_tasks(kind, settings, snapshot, out)
    return out, split


def _build_tasks(kind: str, config: Mapping[str, Any], snapshot: Path, out: Path) -> None:
    rows: list[Mapping[str, Any]]
    if kind == "synthesized":
        from murk.envs.worlds.synthesize import split_by_entities, synthesize

        wanted = {name: config[name] for name in ("count", "seed", "kinds", "language")}
        made = synthesize(snapshot, **wanted)
        halves = {task["id"]: task["split"] for task in split_by_entities(made.tasks, config["seed"])[0]}
        rows = [task | {"split": halves.get(task["id"])} for task in made.tasks]
    else:
        from murk.envs.task_formats import read_format

        rows = list(read_format(config["format"], Path(config["file"])))
    if not rows:
        raise UsageError(f"no tasks could be made for {snapshot}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_text("".join(canonical_json(row) + "\n" for row in rows), "utf-8")
    partial.replace(out)


def _name(settings: Mapping[str, Any]) -> str:
    """Name of what is built by these settings: the same settings find it again."""
    return f"{settings['kind']}-{derive(0, canonical_json(dict(settings))):016x}"
