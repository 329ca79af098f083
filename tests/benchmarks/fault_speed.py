"""Steps of the environment over a world behind 0, 1 and 5 faults: idle, striking now and then, striking always.

With a snapshot and tasks that have claims: what content faults add to a reset, the same reset again, and searches.

    .venv-bench/bin/python tests/benchmarks/fault_speed.py [SNAPSHOT TASKS.jsonl]
"""

import json
import sys
import warnings
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
from common import interleaved, p50_p99, short_queries, snapshot_folder, table, versions
from engines import page_urls

from murk.envs.deep_research import DeepResearchEnv
from murk.envs.faults.faulty import FaultyWorld, Rule
from murk.envs.faults.garbled import Garbled
from murk.envs.faults.paywall import Paywall
from murk.envs.faults.reordered import Reordered
from murk.envs.faults.server_error import ServerError
from murk.envs.faults.slow import Slow
from murk.envs.faults.storm import Storm
from murk.envs.faults.timeout import Timeout
from murk.envs.faults.truncated import Truncated
from murk.envs.records import Call, Search, World
from murk.envs.seeds import uniform
from murk.envs.tasks import Task, read_tasks
from murk.envs.web.snapshot import Snapshot

STEPS, EPISODE, ROUNDS, STRIDE = 450, 50, 5, 1_733
TASKS = ({"id": "one", "question": "When was the lighthouse lit, and by whom?"},)
IDLE = 1e-12
MIXED = {
    "timeout": Rule(Timeout(), schedule="window"),
    "server_error": Rule(ServerError()),
    "reordered": Rule(Reordered(), schedule="sticky"),
    "truncated": Rule(Truncated(), schedule="page"),
    "paywall": Rule(Paywall(), schedule="sticky"),
}
CHANGING = {
    "reordered": Rule(Reordered(), schedule="sticky"),
    "paywall": Rule(Paywall(), schedule="sticky"),
    "garbled": Rule(Garbled()),
    "slow": Rule(Slow()),
    "truncated": Rule(Truncated(), schedule="page"),
}
SETS: Mapping[str, tuple[Mapping[str, Rule], float]] = {
    "0 faults": ({}, 0.0),
    "1 idle": ({"server_error": MIXED["server_error"]}, IDLE),
    "5 idle": (MIXED, IDLE),
    "1 active, 0.2": ({"truncated": MIXED["truncated"]}, 0.2),
    "5 active, 0.2 together": (MIXED, 1 - 0.8**0.2),
    "5 active, 0.2 each": (MIXED, 0.2),
    "5 that change every answer they can": (CHANGING, 1.0),
}
CONTENT: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "spam, 0.4": {"intensity": 0.4, "faults": {"spam": {}}},
    "spam, 1": {"faults": {"spam": {}}},
    "altered": {"faults": {"misinformation": {}}},
    "planted": {"faults": {"misinformation": {"mode": "planted"}}},
    "injection, 0.2": {"intensity": 0.2, "faults": {"injection": {}}},
}
TASKS_USED = 60
TARGETS = {"5 idle": 10.0, "5 active, 0.2 together": 50.0, "5 active, 0.2 each": 50.0}


class Episodes:
    """Takes step i of a list of turns; a new episode begins every `EPISODE` steps, outside the timing."""

    def __init__(self, world: Callable[[], World], turns: list[str]) -> None:
        self._world, self._turns, self._environments = world, turns, list[DeepResearchEnv]()

    def begin(self) -> None:
        self._environments = []
        for _ in range(0, len(self._turns), EPISODE):
            environment = DeepResearchEnv(self._world(), TASKS, max_steps=1_000_000, cache=False)
            environment.reset(seed=0)
            self._environments.append(environment)

    def __call__(self, i: int) -> object:
        return self._environments[i // EPISODE].step(self._turns[i])


def main() -> None:
    """Prints the tables."""
    warnings.filterwarnings("ignore", module="gymnasium")
    if len(sys.argv) > 2:
        tasks = [task for task in read_tasks(sys.argv[2]).values() if task.more.get("claims")]
        content(Snapshot.open(sys.argv[1]), sorted(tasks, key=lambda task: uniform(0, task.id))[: TASKS_USED + 1])
        return
    snapshot = Snapshot.open(snapshot_folder())
    urls = page_urls(snapshot)
    print(
        f"# Environments behind faults, {len(urls):,} Wikispeedia pages; {versions('murk-gym', 'gymnasium', 'numpy')}"
    )
    turns = {
        "search": [_call(action="batch_search", queries=[query], topk=10) for query in short_queries(STEPS)],
        "open": [_call(action="batch_open", urls=[urls[i * STRIDE % len(urls)]]) for i in range(STEPS)],
    }
    times = {verb: _measure(verb, steps, snapshot) for verb, steps in turns.items()}
    steps = {name: times["search"][name] + times["open"][name] for name in SETS}
    rows = []
    for name, most in TARGETS.items():
        added = (steps[name] / steps["0 faults"] - 1) * 100
        rows.append(
            [f"{name}, % of an opening and a search", f"{most:g}", f"{added:.1f}", "yes" if added < most else "no"]
        )
    table("Targets", ["", "under", "measured", "met"], rows)


def content(snapshot: Snapshot, tasks: list[Task]) -> None:
    """Prints what content faults cost: the median over tasks, each asked once by each fault in turn."""
    storms = {name: Storm.of(settings) for name, settings in CONTENT.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in storms}
    for storm in storms.values():
        storm.around(snapshot, snapshot, 0, tasks[0], 0).answer(Search(tasks[0].question), Call())
    for task in tasks[1:]:
        claim = task.more["claims"][0]
        queries = [task.question, f"{claim['subject']} {claim['relation']} value", f"more about {claim['subject']}"]
        for name, storm in storms.items():
            marks = [perf_counter()]
            world = storm.around(snapshot, snapshot, 1, task, 0)
            marks.append(perf_counter())
            storm.around(snapshot, snapshot, 1, task, 1)
            marks.append(perf_counter())
            for query in queries:
                world.answer(Search(query), Call())
                marks.append(perf_counter())
            times[name].append(np.diff(marks).tolist())
    rows = [[name, *(f"{1e3 * t:.2f}" for t in np.median(row, axis=0).tolist())] for name, row in times.items()]
    head = ["", "reset", "the same again", "first search", "second", "third"]
    table(f"Content faults, {len(tasks) - 1} tasks; milliseconds, medians", head, rows)


def _measure(verb: str, turns: list[str], snapshot: Snapshot) -> dict[str, float]:
    """The median step, of 450, behind each set of faults."""
    calls = {name: Episodes(_behind(snapshot, *given), turns) for name, given in SETS.items()}

    def begin() -> None:
        for episodes in calls.values():
            episodes.begin()

    times = interleaved(calls, STEPS, ROUNDS, begin)
    middle = {name: float(np.median(row)) for name, row in times.items()}
    rows = []
    for name, row in times.items():
        added = (middle[name] / middle["0 faults"] - 1) * 100
        rows.append([name, *p50_p99(row, digits=1), f"{1e6 / row.mean():,.0f}", f"{added:+.1f}"])
    table(f"Steps that {verb}; microseconds", ["", "p50", "p99", "steps/s", "% added"], rows)
    return middle


def _behind(snapshot: Snapshot, rules: Mapping[str, Rule], intensity: float) -> Callable[[], World]:
    scaled = {name: Rule(rule.fault, intensity, rule.schedule) for name, rule in rules.items()}
    return lambda: FaultyWorld(snapshot, scaled, seed=1)


def _call(**arguments: Any) -> str:
    return f"<toolcall>{json.dumps({'name': 'batch_web_surfer', 'arguments': arguments})}</toolcall>"


if __name__ == "__main__":
    main()
