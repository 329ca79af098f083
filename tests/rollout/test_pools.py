"""The pool of one process: equal whatever runs side by side, and nothing lost where a disk or a tool fails."""

import asyncio
import json
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos import begin, finished, python, questions, summary, until
from chaos_plugin import Reader, Trap

from murk.envs import plugins
from murk.rollout import tables
from murk.rollout.backlog import Backlog
from murk.rollout.local import LocalPool
from murk.rollout.main import main
from murk.rollout.run import locked
from murk.rollout.store import Store

READING = ["~policy.react", "+policy.reader={}"]


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    for group, name, plugin in (("tools", "trap", Trap), ("policies", "reader", Reader)):
        monkeypatch.setitem(plugins._registered, (group, name), plugin)


def research(invented: list[str], out: Path) -> list[str]:
    """A run of two policies in a storm, 16 episodes."""
    storm = ["faults=storm", "faults.intensity=0.3", "policy=[naive,careful]"]
    return ["rollout", *invented, *storm, "episodes=4", "samples=2", f"out={out}"]


@pytest.fixture(scope="module")
def whole(invented: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run, one episode after another."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main([*research(invented, out), "rollout.concurrency=1"]) == 0
    return out


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_loop_that_was_told_to_stop_is_closed_all_the_same() -> None:
    class Idle:
        closed = False

        def close(self) -> None:
            self.closed = True

    engine: Any = Idle()
    pool = LocalPool(engine, Backlog(), 1)
    loop = pool._runner.get_loop()
    task = loop.create_task(asyncio.sleep(60))
    loop.call_soon(loop.stop)  # as a Ctrl-C leaves it, where it comes when a wait has just ended
    pool.close()
    assert engine.closed
    assert task.cancelled()


def test_what_runs_side_by_side_changes_nothing(whole: Path, invented: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main([*research(invented, out), "rollout.concurrency=16"]) == 0
    assert summary(out)["digest"] == summary(whole)["digest"]
    assert (summary(out)["episodes"], summary(out)["errored"]) == (16, 0)
    assert lines(out / "scores.jsonl") == lines(whole / "scores.jsonl")


def test_a_hung_tool_is_given_up_and_nobody_else_is_hurt(vale_dir: Path, tmp_path: Path) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 9, *["sleep"] * 3)
    given = [f"world={vale_dir}", f"tasks={tasks}", *READING, "env.tools={base: research, trap: {}}"]
    assert main(["rollout", *given, f"out={out}", "rollout.patience=0.5", "rollout.retries=1"]) == 0
    found = {row["task"]: row for row in Store(out).rows()}
    errored = {name for name, row in found.items() if row["status"] == "errored"}
    assert errored == {"t006", "t007", "t008"}
    assert all("did not come back within 0.5 seconds" in found[name]["error"] for name in errored)
    assert (summary(out)["machinery"]["retried"], summary(out)["answered"]) == (3, 6)
    assert {row["id"] for row in lines(out / "scores.jsonl")} == {
        row["id"] for row in found.values() if not row["error"]
    }


def test_a_full_disk_stops_the_run_in_one_line_and_loses_nothing(
    whole: Path, invented: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    with disk_of(max(300_000, (whole / "config.yaml").stat().st_size)):
        assert main(research(invented, out)) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "File too large" in error
    assert f"resume={out}" in error
    assert 0 < finished(out) < 16
    assert main(["rollout", f"resume={out}"]) == 0
    assert summary(out)["digest"] == summary(whole)["digest"]
    assert summary(out)["machinery"]["sessions"] == 2


def test_only_the_episodes_of_a_damaged_shard_are_run_again(
    whole: Path,
    invented: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "ROWS", 5)
    out = tmp_path / "run"
    assert main(research(invented, out)) == 0
    shards = sorted(out.glob("trajectories/*.parquet"))
    assert len(shards) == 4
    lost = {row["id"] for row in tables.read_rows(shards[1], ["id"])}
    data = bytearray(shards[1].read_bytes())
    data[len(data) // 2] ^= 0xFF
    shards[1].write_bytes(data)
    again: list[str] = []
    keep = Store.keep

    def keeping(store: Store, *entries: Mapping[str, Any]) -> None:
        again.extend(entry["row"]["id"] for entry in entries)
        keep(store, *entries)

    monkeypatch.setattr(Store, "keep", keeping)
    capsys.readouterr()
    assert main(["rollout", f"resume={out}"]) == 0
    assert f"{shards[1]} is damaged" in capsys.readouterr().err
    assert sorted(again) == sorted(lost)
    assert [path.name for path in (out / "damaged").iterdir()] == [f"trajectories-{shards[1].name}"]
    assert summary(out)["digest"] == summary(whole)["digest"]


def test_a_second_driver_is_refused(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(whole):
        assert main(["rollout", f"resume={whole}"]) == 2
    assert f"another process is at work on {whole}" in capsys.readouterr().err
    assert main(["rollout", f"resume={whole}"]) == 0


def test_a_run_that_is_asked_to_end_goes_on(vale_dir: Path, tmp_path: Path, outside: dict[str, str]) -> None:
    out, tasks = tmp_path / "run", questions(tmp_path / "tasks.jsonl", 30)
    tools = "env.tools={base: research, trap: {}}"
    given = [f"world={vale_dir}", f"tasks={tasks}", "~policy.react", "+policy.reader={seconds: 0.2}", tools]
    process = begin([*given, f"out={out}", "rollout.concurrency=4"], outside)
    until(lambda: finished(out) >= 8, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert 8 <= finished(out) < 30
    assert main(["rollout", f"resume={out}"]) == 0
    assert (summary(out)["episodes"], summary(out)["answered"]) == (30, 30)


DYING = """
import json, os, shutil, signal, sys
from pathlib import Path
from murk.rollout.main import main
from murk.rollout.store import Store

def dies_before(number):
    left = [number]
    def armed(function):
        def call(*arguments, **more):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **more)
        return call
    for owner, name in ((os, "replace"), (os, "fsync"), (Path, "unlink"), (Path, "write_text")):
        setattr(owner, name, armed(getattr(owner, name)))

run, found = Path(sys.argv[1]), []
Store(run).index()  # pyarrow is there before the first child
for number in range(60):
    copy = run.with_name(f"copy-{number}")
    shutil.copytree(run, copy)
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        dies_before(number)
        os._exit(main(["rollout", f"resume={copy}"]))
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    before = len(Store(copy).index())
    sys.stdout = open(os.devnull, "w")
    assert main(["rollout", f"resume={copy}"]) == 0
    sys.stdout = sys.__stdout__
    summary = json.loads((copy / "summary.json").read_text())
    rows = [row["id"] for row in Store(copy).rows(["id"])]
    left = sorted(path.name for path in copy.glob("*/*") if path.suffix != ".parquet")
    found.append([before, summary["digest"], len(rows), len(set(rows)), left])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_driver_may_be_killed_at_any_point_of_compacting_and_summing_up(
    whole: Path, invented: list[str], tmp_path: Path, outside: dict[str, str]
) -> None:
    out = tmp_path / "run"
    stopping = "import os, sys; from murk.rollout import drive; from murk.rollout.main import main; "
    stopping += "drive.Store.compact = lambda store: (print(1), sys.stdout.flush(), os._exit(0)); main(sys.argv[1:])"
    assert python(stopping, outside, *research(invented, out)) == 1
    assert finished(out) == 16
    found = python(DYING, outside, out)
    assert len(found) > 12
    assert found == [[16, summary(whole)["digest"], 16, 16, []]] * len(found)
