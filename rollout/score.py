"""`murk score`: the stored trajectories of a run are scored again, in place or beside."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from murk.envs import plugins
from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task, read_tasks
from murk.rewards.groups import statistics
from murk.rewards.score import Reward, Score, scorer, summed
from murk.rollout.build import compose, make_reward
from murk.rollout.episode import describe
from murk.rollout.journal import Journal, read_journal
from murk.rollout.metrics import interval
from murk.rollout.nodes import local_snapshot
from murk.rollout.pages import pages_of
from murk.rollout.run import read_config, summarise, write_text
from murk.rollout.store import Store

_SHOWN = 40


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk score`."""
    parser.epilog = (
        "example: murk score runs/first reward=rubric reward.rubric.mapping=ternary --out runs/ternary.jsonl. "
        "A scoring that was stopped goes on where it was when the same command is given again."
    )
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument(
        "overrides", nargs="+", metavar="NAME=VALUE", help="reward=NAME and its settings, as for rollout"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the scores there, and leave the run as it is")
    parser.add_argument(
        "--threads", metavar="N", type=int, default=1, help="episodes scored at a time, for slow judges"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=score)


def score(args: argparse.Namespace) -> int:
    """Scores a run."""
    read_config(args.folder)
    spec = reward_of(args.overrides)
    reward = make_reward(spec)
    if reward is None or args.threads < 1:
        raise UsageError("reward is null, or --threads is below 1; allowed are a reward, and whole numbers from 1.")
    if args.out is None and any(args.folder.glob("journal/*.jsonl")):
        raise UsageError(f"{args.folder} is not finished: end it with murk rollout resume={args.folder}, or use --out.")
    target = args.out or args.folder / "scores.jsonl"
    rescoring = Rescoring(args.folder, target, reward, scorer(spec, reward), args.threads)
    rows = rescoring.run()
    found = figures(rows, Store(args.folder))
    if args.out is None:
        summarise(args.folder)
    if args.json:
        print(json.dumps(found))
    else:
        _print(found, target)
    return 0


def reward_of(overrides: Sequence[str]) -> dict[str, Any]:
    """The reward that overrides ask for; a plugin that has no config of its own gets its default settings.

    Raises:
        UsageError: an override is wrong, or is about something else than the reward.
    """
    for override in overrides:
        if not override.lstrip("+~").startswith(("reward=", "reward.")):
            raise UsageError(
                f"{override!r} is not about the reward; allowed are reward=NAME and reward.NAME.FIELD=VALUE."
            )
    named = next((override[7:] for override in overrides if override.startswith("reward=")), None)
    if named is None:
        raise UsageError("no reward is named; allowed is reward=NAME.")
    configs = Path(__file__).parent.parent / "configs" / "reward"
    if named in plugins.names("rewards") and not (configs / f"{named}.yaml").is_file():
        rest = [override for override in overrides if not override.startswith("reward=")]
        overrides = ["reward=none", f"+reward.{named}={{}}", *(f"+{override.lstrip('+')}" for override in rest)]
    spec: dict[str, Any] = compose(overrides)["reward"]
    return spec


class _Work(NamedTuple):
    trajectory: Trajectory
    pages: dict[str, str]
    missing: str | None


class Rescoring:
    """Scores all episodes of a run into a file that appears whole; what is done survives a crash, in a journal beside.

    Args:
        folder: Of the run.
        target: File of the scores.
        reward: What scores.
        made_by: What is stored of it with each score.
        threads: Episodes scored at a time.
    """

    def __init__(
        self, folder: Path, target: Path, reward: Reward, made_by: Mapping[str, Any], threads: int = 1
    ) -> None:
        self._store, self._tasks = Store(folder), read_tasks(folder / "tasks.jsonl")
        path = str(read_config(folder)["world"]["path"])
        self._snapshot = local_snapshot(path) if "://" in path else Path(path)
        self._target, self._journal = target, target.with_name(f"{target.name}.journal")
        self._reward, self._made_by, self._threads = reward, json.loads(json.dumps(made_by)), threads

    def run(self) -> list[dict[str, Any]]:
        """The score of each episode that did not err, by id; those in the journal are not scored again, except None."""
        done = self._done()
        rows = dict(done)
        journal = Journal(self._journal)
        try:
            for row in self._fresh(done):
                journal.append(row)
                rows[row["id"]] = row
        finally:
            journal.close()
        ordered = [rows[name] for name in sorted(rows)]
        write_text(self._target, "".join(json.dumps(row) + "\n" for row in ordered))
        self._journal.unlink()
        return ordered

    def _done(self) -> dict[str, dict[str, Any]]:
        """What the journal holds by this scorer; one by another scorer is of no use and goes."""
        if not self._journal.exists():
            return {}
        rows = list(read_journal(self._journal))
        if any(row.get("scorer") != self._made_by for row in rows):
            self._journal.unlink()
            return {}
        return {row["id"]: row for row in rows if row["value"] is not None}

    def _fresh(self, done: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        work = self._work(done)
        if self._threads == 1:
            yield from map(self._one, work)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            batch: list[_Work] = []
            for one in work:
                batch.append(one)
                if len(batch) == 4 * self._threads:
                    yield from pool.map(self._one, batch)
                    batch = []
            yield from pool.map(self._one, batch)

    def _work(self, done: Mapping[str, Any]) -> Iterator[_Work]:
        texts = self._store.pages()
        for trajectory, _ in self._store.trajectories():
            if trajectory.status != "errored" and trajectory.id not in done:
                missing = next((url for url, digest in trajectory.pages if digest not in texts), None)
                yield _Work(trajectory, {u: texts[d] for u, d in trajectory.pages if d in texts}, missing)

    def _one(self, work: _Work) -> dict[str, Any]:
        """The score of one episode. Where scoring breaks, it has no value and says why: it is never 0."""
        task: Task | None = self._tasks.get(work.trajectory.task)
        try:
            if task is None:
                made = Score(None, notes=(f"tasks.jsonl holds no task {work.trajectory.task!r}",))
            elif work.missing:
                made = Score(None, notes=(f"the run holds no text of the page {work.missing}",))
            else:
                made = self._reward(work.trajectory, task, pages_of(self._snapshot, work.trajectory, work.pages))
        except Exception as error:
            made = Score(None, notes=(describe(error),))
        return {"id": work.trajectory.id, **asdict(made), "scorer": self._made_by}


def figures(rows: Sequence[Mapping[str, Any]], store: Store) -> dict[str, Any]:
    """Figures over the scores of a run: mean reward with its interval over tasks, and each part's."""
    tasks = {row["id"]: row["task"] for row in store.rows(["id", "task"])}
    rewards: dict[str, list[float]] = {}
    for row in rows:
        if row["value"] is not None:
            rewards.setdefault(tasks[row["id"]], []).append(row["value"])
    failures = sorted({note for row in rows if row["value"] is None for note in row["notes"]})
    return {
        "scored": len(rows),
        "none": sum(row["value"] is None for row in rows),
        "reward": interval(rewards),
        "parts": {name: asdict(one) for name, one in statistics(row["parts"] for row in rows).items()},
        "usage": summed([row["usage"] for row in rows]),
        "failures": failures[:10],
        "scorer": rows[0]["scorer"] if rows else None,
    }


def _print(found: Mapping[str, Any], target: Path) -> None:
    from murk.rollout.show import print_table, reward

    parts = list(found["parts"].items())
    print_table(
        ["part", "scores", "mean", "deviation"],
        [[name, str(one["count"]), f"{one['mean']:.3f}", f"{one['deviation']:.3f}"] for name, one in parts[:_SHOWN]],
    )
    if len(parts) > _SHOWN:
        print(f"... and {len(parts) - _SHOWN} parts more; --json has them")
    print(f"reward {reward(found['reward'])}; {found['scored']} episodes, {found['none']} of them without a score")
    for note in found["failures"]:
        print(f"  {note}")
    if found["usage"]:
        print("spent: " + ", ".join(f"{name} {amount:g}" for name, amount in found["usage"].items()))
    print(target)
