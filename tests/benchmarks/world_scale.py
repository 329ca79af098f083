"""Generated worlds of 1,000, 10,000 and 100,000 pages: what building and searching costs, and what policies score."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import p50_p99, table

from murk.envs.tasks import read_tasks
from murk.envs.web.snapshot import Snapshot

SIZES = (1_000, 10_000, 100_000)
POLICIES = ("closed_book", "naive", "react", "careful")
TASKS, QUERIES = 300, 300


def build(pages: int, out: Path) -> dict[str, Any]:
    """Builds a world in a process of its own; what it cost."""
    code = f"from murk.rollout.main import main; main(['world', 'build', {str(out)!r}, '--pages', '{pages}'])"
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1024  # of the largest child so far: sizes ascend
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    return {"seconds": seconds, "processor": processor, "peak": peak, "size": size}


def murk(*arguments: str) -> str:
    """Runs a murk command and returns what it prints."""
    command = [sys.executable, "-m", "murk.rollout.main", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    costs, scores = [], []
    with tempfile.TemporaryDirectory() as folder:
        for pages in SIZES:
            world, tasks, run = (Path(folder) / f"{name}-{pages}" for name in ("world", "tasks", "run"))
            cost = build(pages, world)
            murk("tasks", "synthesize", str(world), str(tasks), "--count", str(TASKS))
            questions = [task.question for task in read_tasks(tasks).values()][:QUERIES]
            snapshot, times = Snapshot.open(world), []
            for question in questions * 3:
                began = time.perf_counter()
                snapshot.search(question, 10)
                times.append(time.perf_counter() - began)
            search = p50_p99(np.array(times[len(questions) :]) * 1e6)
            row = [f"{pages:,}", *(f"{cost[name]:.1f}" for name in ("seconds", "processor")), f"{cost['peak']:.0f}"]
            costs.append([*row, f"{cost['size']:.0f}", *search])
            given = [f"world={world}", f"tasks={tasks}", f"policy=[{','.join(POLICIES)}]", f"out={run}", "--json"]
            groups = json.loads(murk("rollout", *given).splitlines()[-1])["groups"]
            kinds = sorted({kind for group in groups for kind in group["kinds"]})
            for kind in kinds:
                means = [group["kinds"][kind]["reward"]["mean"] for group in groups]
                scores.append([f"{pages:,}", kind, *(f"{mean:.3f}" for mean in means)])
            means = [group["reward"]["mean"] for group in groups]
            scores.append([f"{pages:,}", "all", *(f"{mean:.3f}" for mean in means)])
    head = ["pages", "build s", "processor s", "peak MB", "snapshot MB", "search p50 us", "p99 us"]
    table("Building and searching", head, costs)
    table(f"Reward over {TASKS} tasks", ["pages", "kind", *sorted(POLICIES)], scores)


if __name__ == "__main__":
    main()
