"""Runs on Ray actors, in child processes as a user has them: the same episodes, whatever dies, hangs or is full."""

import re
import signal
from pathlib import Path

import pytest
import tiny
from chaos import alive, begin, family, finished, murk, python, questions, summary, until, workers

from murk.rollout.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.ray]


def reading(vale_dir: Path, tasks: Path, out: Path, seconds: float = 0.0, loop: bool = False) -> list[str]:
    """A run of the policy `reader` on two actors."""
    tools = f"env.tools={{base: research, trap: {{loop: {loop}}}}}"
    given = [f"world={vale_dir}", f"tasks={tasks}", "~policy.react", f"+policy.reader={{seconds: {seconds}}}", tools]
    return [*given, f"out={out}", "rollout=ray", "rollout.actors=2", "rollout.concurrency=4"]


def ends(folder: Path) -> dict[str, str | None]:
    """The error of each task's episode."""
    return {row["task"]: row["error"] for row in Store(folder).rows(["task", "error"])}


def test_any_number_of_actors_gives_the_same_run(invented: list[str], tmp_path: Path, outside: dict[str, str]) -> None:
    storm = ["faults=storm", "faults.intensity=0.3", "policy=[naive,careful]", "episodes=8", "samples=2"]
    digests = {}
    ways = {"local": ["rollout.concurrency=1"]}
    ways |= {f"{count} actors": ["rollout=ray", f"rollout.actors={count}"] for count in (1, 2, 4)}
    for name, way in ways.items():
        out = tmp_path / name
        murk([*invented, *storm, *way, f"out={out}"], outside)
        assert (summary(out)["episodes"], summary(out)["errored"]) == (32, 0)
        digests[name] = summary(out)["digest"], (out / "scores.jsonl").read_bytes()
    assert set(digests.values()) == {digests["local"]}


def test_a_sampling_model_gives_the_same_run_on_actors(vale_dir: Path, tmp_path: Path, outside: dict[str, str]) -> None:
    model = tiny.build(tmp_path / "model")
    policy = [f"policy.transformers.{name}" for name in (f"path={model}", "micro_batch=1", "max_tokens=24")]
    given = [f"world={vale_dir}", f"tasks={questions(tmp_path / 'tasks.jsonl', 2)}", "policy=transformers", *policy]
    given += ["samples=2", "env.max_steps=2", "faults=storm", "faults.intensity=0.3"]
    found = []
    for name, way in (("here", ["rollout.concurrency=1"]), ("there", ["rollout=ray", "rollout.actors=2"])):
        murk([*given, *way, f"out={tmp_path / name}"], outside)
        sampled = {row["id"]: row["sampled"] for row in Store(tmp_path / name).rows(["id", "sampled"])}
        found.append((summary(tmp_path / name)["digest"], sampled))
    assert found[0] == found[1]
    assert len({str(turns) for turns in found[0][1].values()}) == 4


@pytest.mark.parametrize("harms", [("exit", "fault", "kill"), ("sleep",)])
def test_poison_is_quarantined_only_after_it_has_killed_alone(
    vale_dir: Path, tmp_path: Path, outside: dict[str, str], harms: tuple[str, ...]
) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 12, *harms)
    murk([*reading(vale_dir, tasks, out, loop=True), "rollout.silence=4", "rollout.retries=1"], outside)
    found = [error for _, error in sorted(ends(out).items())]
    assert found[: 12 - len(harms)] == [None] * (12 - len(harms))
    told = re.compile(r"quarantined: [23] workers died while they ran it, 2 of them running nothing else")
    assert all(told.fullmatch(error or "") for error in found[12 - len(harms) :])
    assert (summary(out)["answered"], summary(out)["errored"]) == (12 - len(harms), len(harms))


def test_a_hung_tool_is_given_up_and_nobody_else_is_hurt(
    vale_dir: Path, tmp_path: Path, outside: dict[str, str]
) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 12, "sleep")
    murk([*reading(vale_dir, tasks, out), "rollout.patience=1", "rollout.retries=1"], outside)
    found = ends(out)
    assert "did not come back within 1 seconds" in (found.pop("t011") or "")
    assert list(found.values()) == [None] * 11
    assert summary(out)["machinery"]["retried"] == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_driver_leaves_no_process_and_goes_on(
    vale_dir: Path, tmp_path: Path, outside: dict[str, str], number: signal.Signals, status: int
) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 60)
    process = begin(reading(vale_dir, tasks, out, seconds=0.3), outside)
    until(lambda: finished(out) >= 8 and len(workers(out)) == 2, process)
    second = murk([f"resume={out}"], outside, status=2)
    assert "another process is at work" in second
    ours = family(process.pid)
    process.send_signal(number)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == status
    # Ray's agents look for their parent every few seconds, a minute long; they hold nothing of a run.
    until(lambda: all(b"Agent" in command for command in alive(ours)), seconds=15)
    assert 8 <= finished(out) < 60
    if number == signal.SIGINT:
        assert error.splitlines() == [
            f"murk: stopped; nothing that was finished is lost. Go on with: murk rollout resume={out}"
        ]
    murk([f"resume={out}", "rollout=local"], outside)
    assert (summary(out)["episodes"], summary(out)["answered"]) == (60, 60)


POOL = """
import json, sys, time
from pathlib import Path
from murk.rollout.backlog import Backlog
from murk.rollout.build import compose, crew, plan
from murk.rollout.drive import groups, open_pool
from murk.rollout.run import begin, locked

seconds, out, made = float(sys.argv[1]), Path(sys.argv[2]), plan(compose(sys.argv[3:]))
begin(made, out)
how, backlog = crew(made.config["rollout"]), Backlog()
lock = locked(out)
lock.__enter__()
pool = open_pool(made, out, how, backlog)
while not all(member.began for member in pool._members):
    pool.advance()
(group,) = groups(made.episodes, how)
backlog.add(*group)
ended = pool.advance(0.0)
time.sleep(seconds)
unheard = sum(path.read_bytes().count(b"\\n") for path in out.glob("journal/*"))
most = 0
while len(ended) < len(made.episodes):
    ended += pool.advance()
    most = max(most, pool.load().running)
pool.close()
workers = [outcome.worker for outcome in ended]
print(json.dumps([unheard, most, [workers.count(name) for name in sorted(set(workers))]]))
"""


def test_a_group_is_shared_with_whoever_has_nothing_to_do(
    vale_dir: Path, tmp_path: Path, outside: dict[str, str]
) -> None:
    given = reading(vale_dir, questions(tmp_path / "tasks.jsonl", 1), tmp_path / "run", seconds=0.4)
    _, most, shares = python(POOL, outside, 0, tmp_path / "run", *given, "samples=8", "rollout.concurrency=1")
    assert most == 2
    assert sum(shares) == 8
    assert min(shares) >= 3


def test_workers_wait_for_a_slow_driver(vale_dir: Path, tmp_path: Path, outside: dict[str, str]) -> None:
    given = reading(vale_dir, questions(tmp_path / "tasks.jsonl", 1), tmp_path / "run")
    way = ["samples=100", "rollout.concurrency=2", "rollout.actors=1"]
    unheard, _, shares = python(POOL, outside, 5, tmp_path / "run", *given, *way)
    assert 6 <= unheard < 20
    assert shares == [100]


def test_a_full_disk_stops_the_run_in_one_line_and_loses_nothing(
    vale_dir: Path, tmp_path: Path, outside: dict[str, str]
) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 40, "fill")
    rows = tasks.read_text().splitlines(keepends=True)
    tasks.write_text("".join(rows[:20] + rows[-1:] + rows[20:-1]))
    error = murk(reading(vale_dir, tasks, out, seconds=0.1), outside | {"MURK_TEST_FULL": "1"}, status=1)
    assert error.count("\n") == 1
    assert "File too large" in error
    assert f"resume={out}" in error
    assert 0 < finished(out) < 40
    murk([f"resume={out}"], outside)
    assert ends(out) == {f"t{i:03}": None for i in range(40)}
