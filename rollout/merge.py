"""`murk merge`: several runs become one, which is shown, scored and replayed as any other.

The runs have the same snapshot, environment and storm, and their scores are by one reward; they may differ in seed,
policies, tasks, samples and intensity. A task or a policy of two runs has to be the same in both. An episode of two
runs is kept once if it went the same way in both; if not, nothing is merged. One that erred in a run and not in another
counts as in the other.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.tasks import read_tasks, task_row
from murk.rollout.compaction import page_schema, row_size, write_scores
from murk.rollout.mending import check_sound
from murk.rollout.rows import schema
from murk.rollout.run import read_config, summarise, to_yaml, write_text
from murk.rollout.store import Store
from murk.rollout.tables import write_tables
from murk.rollout.whole import appearing, check_free

_PLACES = ("out", "resume", "worlds", "data", "rollout", "world", "merged")  # where and how, not what
_UNITED = ("policy", "tasks", "episodes", "samples", "seed", "reward")


class _Run(NamedTuple):
    folder: Path
    config: Mapping[str, Any]
    store: Store


class _Chosen(NamedTuple):
    run: int
    status: str
    digest: str


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk merge`."""
    parser.epilog = (
        "example: murk merge runs/seed0 runs/seed1 runs/both. The runs may differ in seed, policies, tasks, samples "
        "and intensity; an episode that two of them hold is kept once."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="folders of runs, at least two")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the merged run; it must not exist")
    parser.add_argument("--json", action="store_true", help="print counts as JSON")
    parser.set_defaults(run=_command)


def _command(args: argparse.Namespace) -> int:
    counts = merge(args.runs, args.out)
    told = f"{counts['episodes']} episodes on {counts['tasks']} tasks of {counts['runs']} runs, {counts['shared']} of"
    print(json.dumps(counts) if args.json else f"{told} them in several; {args.out}")
    return 0


def merge(folders: Sequence[Path], out: Path) -> dict[str, int]:
    """Merges runs into a new folder, which appears whole or not at all.

    Args:
        folders: Of at least two runs.
        out: Folder of the merged run.

    Returns:
        Numbers of `runs`, `episodes`, `tasks`, and episodes that several runs hold (`shared`).

    Raises:
        UsageError: they cannot be merged, one of them is damaged, or there is something at `out` already.
    """
    if len(folders) < 2:
        raise UsageError("one run is not merged; allowed are two runs or more, and the folder to make.")
    check_free(out)
    runs = [_Run(folder, read_config(folder), Store(folder)) for folder in folders]
    for run in runs:
        check_sound(run.store)
    _check_agree(runs)
    tasks = _tasks(runs)
    config = _config(runs, out)
    chosen, shared = _choose(runs)
    scores = _scores(runs, chosen)
    with appearing(out) as partial:
        partial.mkdir()
        write_text(partial / "tasks.jsonl", "".join(canonical_json(row) + "\n" for row in tasks.values()))
        write_text(partial / "config.yaml", to_yaml(config))
        write_tables(partial / "pages", page_schema(), _pages(runs), lambda page: len(page["text"]))
        write_tables(partial / "trajectories", schema(), _rows(runs, chosen), row_size)
        write_scores(partial, scores)
        summarise(partial)
    return {"runs": len(runs), "episodes": len(chosen), "tasks": len(tasks), "shared": shared}


def _check_agree(runs: Sequence[_Run]) -> None:
    """What is neither a place nor united has to be equal."""
    first = runs[0]
    names = {name for run in runs for name in run.config} - {*_PLACES, *_UNITED}
    for run in runs[1:]:
        for name in sorted(names):
            was, now = (_plain(one.config, name) for one in (first, run))
            if was != now:
                raise UsageError(
                    f"{name} of {first.folder} and {run.folder} differ: {canonical_json(was)[:150]} and "
                    f"{canonical_json(now)[:150]}; allowed are other seeds, policies, tasks, samples and intensities."
                )


def _plain(config: Mapping[str, Any], name: str) -> Any:
    """A setting; the storm without its intensity."""
    value = config.get(name)
    return {key: value[key] for key in value if key != "intensity"} if name == "faults" and value else value


def _tasks(runs: Sequence[_Run]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        for name, task in read_tasks(run.folder / "tasks.jsonl").items():
            row = task_row(task)
            if canonical_json(found.setdefault(name, row)) != canonical_json(row):
                raise UsageError(f"task {name!r} of {run.folder} is another than that of a run before it.")
    return found


def _config(runs: Sequence[_Run], out: Path) -> dict[str, Any]:
    """The config of the first run, with what is united; `merged` tells what each run had of its own."""
    configs = [run.config for run in runs]
    policies: dict[str, Any] = {}
    for run in runs:
        for name, settings in run.config["policy"].items():
            if policies.setdefault(name, settings or {}) != (settings or {}):
                raise UsageError(f"policy {name!r} of {run.folder} has other settings than in a run before it.")
    own = [name for name in _UNITED if any(config.get(name) != configs[0].get(name) for config in configs)]
    merged = [
        {"run": str(run.folder), "intensity": run.config["faults"]["intensity"]}
        | {name: run.config.get(name) for name in own}
        for run in runs
    ]
    intensity = _united([config["faults"]["intensity"] for config in configs])
    return dict(configs[0]) | {
        "policy": policies,
        "tasks": {"kind": "file", "path": str((out / "tasks.jsonl").resolve()), "split": None},
        "episodes": None,
        "samples": max(config["samples"] for config in configs),
        "seed": _united([config["seed"] for config in configs]),
        "faults": dict(configs[0]["faults"]) | {"intensity": intensity},
        "out": str(out),
        "merged": merged,
    }


def _united(values: Sequence[Any]) -> Any:
    """One number, or a list of all that there are."""
    found = sorted({one for value in values for one in (value if isinstance(value, list) else [value])})
    return found[0] if len(found) == 1 else found


def _choose(runs: Sequence[_Run]) -> tuple[dict[str, _Chosen], int]:
    """Which run each episode is taken from, and how many are in several."""
    chosen: dict[str, _Chosen] = {}
    snapshot = ""
    shared: set[str] = set()
    for number, run in enumerate(runs):
        for row in run.store.rows(["id", "status", "digest", "snapshot"]):
            snapshot = snapshot or row["snapshot"]
            if row["snapshot"] and row["snapshot"] != snapshot:
                raise UsageError(f"{run.folder} is of another snapshot than {runs[0].folder}: its content differs.")
            name, new = row["id"], _Chosen(number, row["status"], row["digest"])
            old = chosen.get(name)
            if old is not None:
                shared.add(name)
                _check_same_episode(name, runs[old.run], old, run, new)
            if old is None or (old.status == "errored" and new.status != "errored"):
                chosen[name] = new
    return chosen, len(shared)


def _check_same_episode(name: str, first: _Run, old: _Chosen, second: _Run, new: _Chosen) -> None:
    if old.digest != new.digest and "errored" not in (old.status, new.status):
        raise UsageError(
            f"episode {name} went another way in {second.folder} than in {first.folder}, so only one of these runs can "
            "be merged; runs of policies that do not repeat themselves need seeds of their own."
        )


def _rows(runs: Sequence[_Run], chosen: Mapping[str, _Chosen]) -> Iterator[dict[str, Any]]:
    for number, run in enumerate(runs):
        left = {name for name, one in chosen.items() if one.run == number}
        for row in run.store.rows():
            if row["id"] in left:
                left.remove(row["id"])
                yield row
        if left:
            raise UsageError(f"{len(left)} episodes of {run.folder} cannot be read, {min(left)} among them.")


def _pages(runs: Sequence[_Run]) -> Iterator[dict[str, str]]:
    known: set[str] = set()
    for run in runs:
        for page in run.store.texts():
            if page["digest"] not in known:
                known.add(page["digest"])
                yield page


def _scores(runs: Sequence[_Run], chosen: Mapping[str, _Chosen]) -> dict[str, dict[str, Any]]:
    """The scores of the episodes, each from the run that the episode is taken from, or else from another."""
    found: dict[str, dict[str, Any]] = {}
    by: dict[str, Path] = {}
    for number, run in enumerate(runs):
        for name, score in run.store.scores().items():
            if name in chosen and (name not in found or chosen[name].run == number):
                found[name] = score
                by.setdefault(canonical_json(score.get("scorer")), run.folder)
    if len(by) > 1:
        first, second, *_ = by.items()
        raise UsageError(
            f"{first[1]} and {second[1]} are scored by different rewards, {first[0][:150]} and {second[0][:150]}; "
            "score one of them again with murk score RUN reward=NAME."
        )
    return found
