"""Rollouts: scripted policies in process and on Ray; many episodes with a slow model, beside skyrl-gym and OpenEnv."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common import ROOT, WORK, short_queries, snapshot_folder, table, versions
from engines import page_urls
from rollout_peers.watch import Held, Peak, busy, rollup, together
from rollout_peers.work import THINKING, TURNS, WARM_UP

from murk.envs.web.snapshot import Snapshot

CONCURRENCIES = (64, 256, 1_024)
WAVES = 2
SCRIPTED = 1_500
QUERIES, STRIDE = 1_200, 1_733
OPENENV = ROOT / ".venv-openenv" / "bin" / "python"
OUT = WORK / "rollout"
PLUGIN = WORK / "slow_model"
LOCAL, ONE, TWO = "murk: in process", "murk: 1 Ray actor", "murk: 2 Ray actors"
SKYRL, OPEN = "skyrl-gym: 32 threads", "OpenEnv: websocket server"

Rollup = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a contender did.

    Attributes:
        turns: A second, those of the warm-up not counted.
        busy: Seconds of processor for a turn, in all its processes.
        idle: Memory of all its processes after the warm-up.
        peak: The most that they had together at one time after it.
        workers: Memory of each Ray actor after the warm-up, by kind.
        bare: The same of an actor that does nothing.
    """

    turns: float
    busy: float
    idle: Held
    peak: Held
    workers: Sequence[Rollup]
    bare: Rollup


@dataclass(frozen=True, slots=True)
class Bench:
    """The snapshot and the tasks that all contenders have."""

    snapshot: Path
    tasks: Path

    def murk(self, actors: int, episodes: int, slots: int, seconds: float) -> Ran:
        """murk on so many Ray actors, in one process if there are none; a turn of the model takes so many seconds."""
        shutil.rmtree(OUT, ignore_errors=True)
        pool = ["rollout=ray", f"rollout.actors={actors}"] if actors else ["rollout=local"]
        each = f"rollout.concurrency={slots // max(1, actors)}"
        return self._run(sys.executable, "murk_pool", episodes, slots, OUT, seconds, *pool, each)

    def skyrl(self, episodes: int, slots: int) -> Ran:
        """skyrl-gym."""
        return self._run(sys.executable, "skyrl", episodes, slots)

    def openenv(self, episodes: int, slots: int) -> Ran:
        """OpenEnv."""
        return self._run(str(OPENENV), "openenv", episodes, slots)

    def _run(self, python: str, module: str, episodes: int, slots: int, *arguments: object) -> Ran:
        """Runs a contender in processes of its own, and watches them."""
        paths = os.pathsep.join(map(str, (ROOT / "tests" / "benchmarks", PLUGIN)))
        given = self.snapshot, self.tasks, WARM_UP + episodes + slots, slots, *arguments
        with subprocess.Popen(
            [python, "-m", f"rollout_peers.{module}", *map(str, given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": paths},
        ) as process:
            ready = _told(process)
            idle = together(process.pid)
            workers = [rollup(one) for one in ready.get("workers", ())]
            peak, before = Peak(process.pid), busy(process.pid)
            _go_on(process)
            ended = _told(process)
            highest, spent = peak.stop(), busy(process.pid) - before
            _go_on(process)
            bare: Rollup = {}
            if workers:  # only now, or it would count in the peak
                bare = rollup(_told(process)["bare"])
                _go_on(process)
        turns = episodes * TURNS
        return Ran(turns / ended["seconds"], spent / turns, idle, highest, workers, bare)


def main() -> None:
    """Prints the tables."""
    snapshot = snapshot_folder()
    bench = Bench(snapshot, _tasks(snapshot))
    _install_policy()
    print(f"# Rollouts on {os.cpu_count()} cores, episodes of {TURNS} turns on Wikispeedia")
    print(versions("murk-gym", "ray", *["skyrl-gym"] * bool(find_spec("skyrl_gym"))))
    scripted = _scripted(bench)
    slow = _slow_model(bench)
    added = _actor_memory(scripted[TWO])
    _targets(scripted, slow, added)
    shutil.rmtree(OUT, ignore_errors=True)


def _scripted(bench: Bench) -> dict[str, Ran]:
    """Policies that answer at once, at the concurrency that `murk rollout` has by default."""
    ran = {
        LOCAL: bench.murk(0, SCRIPTED, 8, 0),
        ONE: bench.murk(1, SCRIPTED, 16, 0),
        TWO: bench.murk(2, 2 * SCRIPTED, 32, 0),
    }
    rows = [[name, f"{one.turns / TURNS:,.0f}", f"{one.turns:,.0f}", _milliseconds(one)] for name, one in ran.items()]
    table("Scripted policies", ["", "episodes/s", "turns/s", "processor ms a turn"], rows)
    return ran


def _slow_model(bench: Bench) -> dict[tuple[str, int], Ran]:
    """A model that takes half a second for a turn."""
    contenders: dict[str, Callable[[int, int], Ran]] = {
        TWO: lambda episodes, slots: bench.murk(2, episodes, slots, THINKING),
        LOCAL: lambda episodes, slots: bench.murk(0, episodes, slots, THINKING),
    }
    if find_spec("skyrl_gym"):
        contenders[SKYRL] = bench.skyrl
    if OPENENV.exists():
        contenders[OPEN] = bench.openenv
    for name in (name for name in (SKYRL, OPEN) if name not in contenders):
        print(f"\n{name} is left out: it is not installed (tests/benchmarks/README.md).")
    ran, rows = {}, []
    for slots in CONCURRENCIES:
        for name, run in contenders.items():
            ran[name, slots] = one = run(WAVES * slots, slots)
            memory = [f"{one.idle.all / 1e6:,.0f}", f"{one.peak.all / 1e6:,.0f}", f"{_each(one, slots) / 1e3:,.0f}"]
            rate = [f"{one.turns:,.0f}", f"{_share(one, slots):.1%}", _milliseconds(one)]
            rows.append([name, f"{slots:,}", *rate, *memory])
    head = ["", "concurrent", "turns/s", "of ideal", "processor ms a turn", "idle MB", "peak MB", "kB an episode"]
    table(f"A model of {THINKING * 1000:.0f} ms", head, rows)
    return ran


def _milliseconds(ran: Ran) -> str:
    return f"{ran.busy * 1000:.2f}"


def _share(ran: Ran, slots: int) -> float:
    """Turns as a share of those that so many episodes could take if nothing but the model cost time."""
    return ran.turns * THINKING / slots


def _each(ran: Ran, slots: int) -> float:
    """Bytes that each episode at a time adds, the files of the snapshot apart."""
    return (ran.peak.own - ran.idle.own) / slots


def _actor_memory(ran: Ran) -> float:
    """Bytes that an actor has beyond a bare one, snapshot and all: the mean of the actors (PSS)."""
    rows = []
    for name, one in [("bare actor", ran.bare), *((f"worker {i}", one) for i, one in enumerate(ran.workers, 1))]:
        rows.append([name, *(f"{size / 1e6:,.1f}" for size in (one["Pss"], _own(one), one["Pss_File"]))])
    table("Memory of a Ray actor, the snapshot open; MB", ["", "PSS", "USS", "PSS of files"], rows)
    return sum(one["Pss"] - ran.bare["Pss"] for one in ran.workers) / len(ran.workers)


def _own(memory: Rollup) -> int:
    """Bytes that no other process shares (USS)."""
    return memory["Private_Clean"] + memory["Private_Dirty"]


def _targets(scripted: Mapping[str, Ran], slow: Mapping[tuple[str, int], Ran], added: float) -> None:
    scaling = scripted[TWO].turns / scripted[ONE].turns
    rows = [["scaling from 1 to 2 actors", "at least 1.7", f"{scaling:.2f}", _yes(scaling >= 1.7)]]
    slots = CONCURRENCIES[-1]
    for peer in (SKYRL, OPEN):
        if (peer, slots) not in slow:
            continue
        for name, figure, sign in (("turns/s", lambda one: one.turns, 1), ("memory an episode", _each_of(slots), -1)):
            ours, theirs = figure(slow[TWO, slots]), figure(slow[peer, slots])
            told = f"{ours / theirs:.2f} of it"
            rows.append(
                [f"{name} of {slots:,} episodes, beside {peer}", "ahead", told, _yes(sign * ours > sign * theirs)]
            )
    rows.append(["memory that an actor adds, MB", "", f"{added / 1e6:,.1f}", ""])
    table("Targets", ["", "target", "measured", "met"], rows)


def _each_of(slots: int) -> Callable[[Ran], float]:
    return lambda ran: _each(ran, slots)


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def _told(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended too soon"
    found: dict[str, Any] = json.loads(line)
    return found


def _go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _tasks(folder: Path) -> Path:
    """A task file of as many episodes as the largest case has; no query comes twice."""
    path, snapshot = WORK / "rollout.tasks.jsonl", Snapshot.open(folder)
    urls, queries = page_urls(snapshot), short_queries(QUERIES)
    with path.open("w", encoding="utf-8") as file:
        for number in range(WARM_UP + (WAVES + 1) * CONCURRENCIES[-1]):
            searched = [_query(queries, 3 * number + i) for i in range(3)]
            opened = [urls[(2 * number + i) * STRIDE % len(urls)] for i in range(2)]
            listed = [searched[0], opened[0], searched[1], opened[1], searched[2]]
            file.write(json.dumps({"id": f"episode-{number}", "question": json.dumps(listed)}) + "\n")
    return path


def _query(queries: Sequence[str], number: int) -> str:
    """A short query and a word of another, so that there are enough."""
    other = queries[(7 * number + number // len(queries)) % len(queries)]
    return f"{queries[number % len(queries)]} {other.split()[0]}"


def _install_policy() -> None:
    """Makes `slow_model` a plugin as an installed package would: Ray's actors are processes of their own."""
    about = PLUGIN / "slow_model-0.1.0.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-model\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[murk.policies]\nslow_model = rollout_peers.slow_model:SlowModel\n")


if __name__ == "__main__":
    main()
