"""`murk export`: trajectories of a run in the format of trainers, evaluations and other libraries."""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from murk.envs.errors import UsageError
from murk.envs.tasks import read_tasks
from murk.rollout.formats import FORMATS, Source, writer
from murk.rollout.mending import check_sound
from murk.rollout.run import read_config
from murk.rollout.store import Store
from murk.rollout.whole import appearing, check_free

_CORRECT = 1.0
_COLUMNS = ("id", "task", "policy", "storm", "status", "spending", "snapshot")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which trajectories are exported; None leaves a filter out.

    Attributes:
        policy: Name of the policy.
        storm: Name of the storm.
        status: `answered`, `truncated` or `errored`; None for all that did not err.
        min_reward: Least reward; those without a score have none.
        best: Only the shortest correct trajectory of each task: that with the fewest tokens, of those whose reward is
            at least `min_reward`, or 1 without it.
        limit: How many at most, by id.
    """

    policy: str | None = None
    storm: str | None = None
    status: str | None = None
    min_reward: float | None = None
    best: bool = False
    limit: int | None = None

    def told(self) -> str:
        """The filters in words."""
        named = {"policy": self.policy, "storm": self.storm, "status": self.status, "reward from": self.least}
        words = [f"{name} {value}" for name, value in named.items() if value is not None]
        words += ["the shortest of each task"] * self.best + [f"the first {self.limit}"] * (self.limit is not None)
        return "; ".join(words) or "all that did not err"

    @property
    def least(self) -> float | None:
        """The least reward."""
        return _CORRECT if self.best and self.min_reward is None else self.min_reward


class _Candidate(NamedTuple):
    tokens: float
    id: str
    task: str
    policy: str


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk export`."""
    formats = "; ".join(f"{name}: {text}" for name, text in FORMATS.items())
    parser.epilog = f"example: murk export runs/first chats.jsonl --format sft --best. Formats are {formats}."
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("out", metavar="OUT", type=Path, help="file or folder to make; it must not exist")
    parser.add_argument("--format", metavar="NAME", required=True, help=", ".join(FORMATS))
    parser.add_argument("--policy", metavar="NAME", help="only of this policy")
    parser.add_argument("--storm", metavar="NAME", help="only under this storm")
    parser.add_argument(
        "--status", choices=("answered", "truncated", "errored"), help="only these; default all but errored"
    )
    parser.add_argument("--min-reward", metavar="X", type=float, help="only with at least this reward")
    parser.add_argument(
        "--best", action="store_true", help="the shortest of each task with a reward of 1, or of --min-reward"
    )
    parser.add_argument("--limit", metavar="N", type=int, help="at most so many, by id")
    parser.add_argument("--json", action="store_true", help="print counts as JSON")
    parser.set_defaults(run=_command)


def _command(args: argparse.Namespace) -> int:
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit is {args.limit}; allowed are whole numbers from 1.")
    filters = Filters(args.policy, args.storm, args.status, args.min_reward, args.best, args.limit)
    counts = export(args.folder, args.out, args.format, filters)
    told = f"{counts['exported']} of {counts['episodes']} episodes, on {counts['tasks']} tasks; {args.out}"
    print(json.dumps(counts) if args.json else told)
    return 0


def export(folder: Path, out: Path, name: str, filters: Filters) -> dict[str, int]:
    """Exports trajectories, by id, to a file or folder that appears whole or not at all; equal runs give equal bytes.

    Args:
        folder: Of the run.
        out: What to make.
        name: Of the format.
        filters: What to export.

    Returns:
        Numbers of episodes of the run (`episodes`) and of those `exported`, and of their `tasks`.

    Raises:
        UnknownName: there is no such format.
        UsageError: the folder holds no run or a damaged one, nothing passes the filters, or `out` is there already.
    """
    check_free(out)
    write, store, config = writer(name), Store(folder), read_config(folder)
    check_sound(store)
    index = store.index()
    scores = {name: score for name, score in store.scores().items() if name in index}
    rewards = {name: score.get("value") for name, score in scores.items() if index[name].status != "errored"}
    chosen = _choose(store, rewards, filters)
    if not chosen:
        raise UsageError(f"none of {len(index)} episodes of {folder} passes the filters ({filters.told()}).")
    about = f"Made by murk from a run of {len(index):,} episodes. Chosen: {filters.told()}."
    policies = tuple(sorted({one.policy for one in chosen}))
    source = Source(config, read_tasks(folder / "tasks.jsonl"), about, policies)
    with appearing(out) as partial:
        names = {one.id for one in chosen}
        rows = (row for row in store.rows() if row["id"] in names)
        told = (row | {"reward": rewards.get(row["id"])} for row in _by_id(rows, len(names), out.parent))
        try:
            write(told, partial, source)
        except ValueError as error:
            raise UsageError(f"{folder} holds a damaged row: {error}.") from None
    return {"episodes": len(index), "exported": len(chosen), "tasks": len({one.task for one in chosen})}


def _choose(store: Store, rewards: Mapping[str, float | None], filters: Filters) -> list[_Candidate]:
    """What passes the filters, by id."""
    passed: list[_Candidate] = []
    for row in store.rows(_COLUMNS):
        wanted = {"policy": filters.policy, "storm": filters.storm, "status": filters.status}
        if any(value is not None and row[name] != value for name, value in wanted.items()):
            continue
        if row["status"] == "errored" and filters.status != "errored":
            continue
        reward = rewards.get(row["id"])
        if filters.least is not None and (reward is None or reward < filters.least):
            continue
        tokens = json.loads(row["spending"]).get("tokens", 0.0)
        passed.append(_Candidate(tokens, row["id"], row["task"], row["policy"]))
    if filters.best:
        shortest: dict[str, _Candidate] = {}
        for one in sorted(passed):
            shortest.setdefault(one.task, one)
        passed = list(shortest.values())
    return sorted(passed, key=lambda one: one.id)[: filters.limit]


def _by_id(rows: Iterable[Mapping[str, Any]], count: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows, of which there are to be `count`, by id; they pass through a file, so that few are in memory at a time.

    Raises:
        UsageError: there are fewer.
    """
    places: list[tuple[str, int]] = []
    with TemporaryFile(dir=folder) as file:
        for row in rows:
            places.append((row["id"], file.tell()))
            file.write(json.dumps(row).encode() + b"\n")
        if len(places) < count:
            raise UsageError(f"{count - len(places)} of the {count} episodes chosen cannot be read.")
        for _, place in sorted(places):
            file.seek(place)
            yield json.loads(file.readline())
