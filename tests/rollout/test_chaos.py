"""The chaos test: workers and drivers are killed again and again, and nothing is lost, doubled or changed."""

import time
from pathlib import Path

import pytest
from chaos import begin, finished, kill, murk, summary, workers

from murk.rollout.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.ray]

EPISODES, EVERY = 300, 6.0


def test_workers_and_drivers_may_be_killed_again_and_again(
    invented: list[str], tmp_path: Path, outside: dict[str, str]
) -> None:
    given = [*invented, "~policy.react", "+policy.slow={seconds: 0.3}", "faults=storm", "faults.intensity=0.3"]
    given += ["episodes=100", "samples=3"]
    out, whole = tmp_path / "run", tmp_path / "whole"
    murk([*given, f"out={whole}", "rollout.concurrency=100"], outside)
    assert (summary(whole)["episodes"], summary(whole)["errored"]) == (EPISODES, 0)

    way = ["rollout=ray", "rollout.actors=2", "rollout.concurrency=12"]
    killed: list[int] = []
    process = begin([*given, *way, f"out={out}"], outside)
    drivers, due = [EPISODES // 3, 2 * EPISODES // 3], time.monotonic() + EVERY
    while process.poll() is None:
        time.sleep(0.1)
        if drivers and finished(out) >= drivers[0]:
            drivers.pop(0)
            process.kill()
            process.communicate()
            process = begin([f"resume={out}"], outside)
            due = time.monotonic() + EVERY
        elif time.monotonic() >= due and (living := workers(out)):
            due += EVERY
            killed.append(living[len(killed) % len(living)])
            kill(killed[-1])
    assert process.wait() == 0, process.communicate()
    assert not drivers, "the driver was killed twice"
    assert len(set(killed)) == len(killed) >= 4

    murk([f"resume={out}"], outside)  # an episode may have had the bad luck to lose three workers, the last one alone
    found = [(row["id"], row["status"]) for row in Store(out).rows(["id", "status"])]
    assert len(found) == len(dict(found)) == EPISODES
    assert "errored" not in dict(found).values()
    assert summary(out)["digest"] == summary(whole)["digest"]
    assert summary(out)["reward"] == summary(whole)["reward"]
    assert not list(out.glob("journal/*"))
