"""The collector: batches in a fixed order, by weights no staler than allowed, and errors that reach the trainer."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from chaos import python, questions
from chaos_plugin import Learner

from murk.envs import plugins
from murk.envs.errors import UsageError
from murk.rollout.collector import Collected, Collector
from murk.rollout.store import Store

Batch = Sequence[Sequence[Collected]]


@pytest.fixture(autouse=True)
def _learner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins._registered, ("policies", "learner"), Learner)


def learning(vale_dir: Path, tasks: Path, seconds: float = 0.0) -> list[str]:
    """Settings of a policy that says by which weights it answers, two samples a task."""
    policy = ["~policy.react", f"+policy.learner={{seconds: {seconds}}}", "samples=2"]
    return [f"world={vale_dir}", f"tasks={tasks}", *policy, "rollout.retries=0"]


def told(batch: Batch) -> list[list[tuple[str, int, str | None, int]]]:
    return [
        [(one.trajectory.task, one.trajectory.sample, one.trajectory.answer, one.weights_version) for one in group]
        for group in batch
    ]


@pytest.fixture
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_synchronous_batches_are_whole_ordered_and_by_the_newest_weights(vale_dir: Path, tmp_path: Path) -> None:
    tasks = questions(tmp_path / "tasks.jsonl", 4)
    found = []
    with Collector(learning(vale_dir, tasks, 0.05), batch=2, rounds=2) as collector:
        for batch in collector:
            found += [told(batch)]
            collector.update(f"w{len(found)}")
    assert [len(batch) for batch in found] == [2, 2, 2, 2]
    for number, groups in enumerate(found):
        answer = f"by weights {f'w{number}' if number else 'none'}"
        assert {one[2:] for group in groups for one in group} == {(answer, number)}
    rounds = [[one[:2] for groups in half for group in groups for one in group] for half in (found[:2], found[2:])]
    assert sorted(rounds[0]) == [(f"t{i:03}", sample) for i in range(4) for sample in (0, 1)]
    assert sorted(rounds[1]) == [(f"t{i:03}", sample) for i in range(4) for sample in (2, 3)]
    assert [task for task, _ in rounds[0]] != [task for task, _ in rounds[1]]


def test_batches_are_stale_by_no_more_than_allowed(vale_dir: Path, tmp_path: Path) -> None:
    tasks, staleness, behind = questions(tmp_path / "tasks.jsonl", 6), 1, []
    with Collector(learning(vale_dir, tasks, 0.2), batch=3, staleness=staleness, rounds=4) as collector:
        for number, batch in enumerate(collector):
            assert len(batch) == 3
            for one in (one for group in batch for one in group):
                behind.append(number - one.weights_version)
                weights = f"w{one.weights_version}" if one.weights_version else "none"
                assert one.trajectory.answer == f"by weights {weights}"
            time.sleep(0.1 * (number % 3))
            collector.update(f"w{number + 1}")
    assert len(behind) == 48
    assert set(behind) == {0, 1}


def test_what_broke_has_no_reward_and_is_kept(vale_dir: Path, tmp_path: Path) -> None:
    tasks, folder = questions(tmp_path / "tasks.jsonl", 3, "exit"), tmp_path / "kept"
    with Collector(learning(vale_dir, tasks), batch=3, rounds=1, folder=folder) as collector:
        (batch,) = collector
    found = {one.trajectory.task: one for group in batch for one in group}
    assert (found["t002"].trajectory.status, found["t002"].reward, found["t002"].score) == ("errored", None, None)
    assert "the model is gone" in (found["t002"].trajectory.error or "")
    assert (found["t001"].trajectory.status, found["t001"].reward) == ("answered", 0.0)
    assert len(Store(folder).index()) == 6
    assert found["t001"].trajectory.sampled[0].token_ids == (3,)


def test_a_batch_before_the_last_one_was_ended_is_refused(vale_dir: Path, tmp_path: Path) -> None:
    tasks = questions(tmp_path / "tasks.jsonl", 4)
    with Collector(learning(vale_dir, tasks), batch=2) as collector:
        next(collector)
        with pytest.raises(UsageError, match="update"):
            next(collector)
        collector.update()
        assert len(next(collector)) == 2


@pytest.mark.usefixtures("_no_thread_is_left")
def test_weights_that_do_not_fit_stop_the_trainer(vale_dir: Path, tmp_path: Path) -> None:
    tasks = questions(tmp_path / "tasks.jsonl", 4)
    with Collector(learning(vale_dir, tasks), batch=2) as collector:
        next(collector)
        collector.update("bad")
        for _ in range(2):
            with pytest.raises(ValueError, match="do not fit"):
                next(collector)


@pytest.mark.usefixtures("_no_thread_is_left")
def test_closing_in_the_middle_ends_all(vale_dir: Path, tmp_path: Path) -> None:
    tasks = questions(tmp_path / "tasks.jsonl", 8)
    begun = time.monotonic()
    with Collector(learning(vale_dir, tasks, 30.0), batch=2, staleness=2):
        time.sleep(0.3)
    assert time.monotonic() - begun < 10


@pytest.mark.usefixtures("_no_thread_is_left")
def test_ctrl_c_reaches_a_trainer_that_waits(vale_dir: Path, tmp_path: Path) -> None:
    tasks = questions(tmp_path / "tasks.jsonl", 2)
    with Collector(learning(vale_dir, tasks, 30.0), batch=2) as collector:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            next(collector)


COLLECT = """
import json, sys
from murk.rollout.collector import Collector

found = []
with Collector(sys.argv[1:], batch=3, rounds=2) as collector:
    for batch in collector:
        every = [one for group in batch for one in group]
        found.append([[one.trajectory.id, one.trajectory.answer, one.weights_version] for one in every])
        collector.update(f"w{len(found)}")
print(json.dumps(found))
"""
BROKEN = """
import json, sys, time
from murk.rollout.collector import Collector

with Collector(sys.argv[1:], batch=2) as collector:
    next(collector)
    collector.update("bad")
    try:
        next(collector)
        told = "nothing"
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.ray
def test_batches_are_the_same_from_ray_actors(vale_dir: Path, tmp_path: Path, outside: dict[str, str]) -> None:
    given = learning(vale_dir, questions(tmp_path / "tasks.jsonl", 6), 0.1)
    ray = [*given, "rollout=ray", "rollout.actors=2", "rollout.concurrency=2", "rollout.retries=0"]
    here, there = (python(COLLECT, outside, *way) for way in (given, ray))
    assert here == there
    assert [{version for _, _, version in batch} for batch in here] == [{0}, {1}, {2}, {3}]
    assert "do not fit" in python(BROKEN, outside, *ray)
