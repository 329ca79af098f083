"""`murk score`: runs scored again, in place or beside, stopped and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from murk.envs import plugins
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards import Score
from murk.rollout.main import main
from murk.rollout.score import add_command
from murk.rollout.store import Store

URL = "https://vale.example/lighthouse.html"
OPEN = (
    f'<toolcall>{{"name": "batch_web_surfer", "arguments": {{"action": "batch_open", "urls": ["{URL}"]}}}}</toolcall>'
)
TASKS: list[dict[str, Any]] = [
    {
        "id": f"light{number}",
        "question": "When was the Skerry Light lit for the first time?",
        "rubric": [
            {"id": "year", "text": "the year", "weight": 2, "check": {"kind": "supports", "values": ["1874"]}},
            {"id": "keeper", "text": "the keeper", "weight": 2, "check": {"kind": "alias", "values": ["nobody"]}},
            {"id": "more", "text": "says more", "weight": 1},
        ],
    }
    for number in range(3)
]
TURNS = [OPEN, f"<answer>It was lit in 1874 [source]({URL}).</answer>"]


class Scripted:
    """Counts its calls; a task in `fails` breaks it, and one in `none` gets no value."""

    version = "scripted 1"
    calls: list[str] = []  # noqa: RUF012
    fails = none = ""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        Scripted.calls.append(task.id)
        assert "1874" in pages[URL]
        if task.id == Scripted.fails:
            raise RuntimeError("the judge is on fire")
        return Score(None if task.id == Scripted.none else self.value, {"criterion a": self.value})


plugins.register("rewards", "scripted_reward", Scripted)


@pytest.fixture(autouse=True)
def _calls() -> None:
    Scripted.calls.clear()
    Scripted.fails = Scripted.none = ""


@pytest.fixture
def run(vale_dir: Path, tmp_path: Path) -> Path:
    tasks, out = tmp_path / "tasks.jsonl", tmp_path / "run"
    tasks.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    given = [f"world={vale_dir}", f"tasks={tasks}", "policy=[scripted]", f"out={out}", "samples=2"]
    assert main(["rollout", *given, f"policy.scripted.turns={json.dumps(TURNS)}"]) == 0
    return out


def score(*arguments: str | Path) -> int:
    return main(["score", *map(str, arguments)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_reward_gives_the_same_scores(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(run)
    capsys.readouterr()
    assert score(run, "reward=rubric") == 0
    assert files(run) == before, "scores of a run and scores made again are equal to the byte"
    made_by = next(iter(Store(run).scores().values()))["scorer"]
    assert (made_by["reward"], made_by["settings"]["mapping"]) == ("rubric", "step")
    assert made_by["version"].startswith("rubric 2, rule ")
    shown = capsys.readouterr().out
    assert "criterion year" in shown
    assert "reward 0.400 (0.40, 0.40); 6 episodes, 0 of them without a score" in shown


def test_scores_in_place_and_beside(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, beside = files(run), tmp_path / "beside.jsonl"
    capsys.readouterr()
    assert score(run, "reward=scripted_reward", "reward.scripted_reward.value=0.25", "--out", beside, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scored"], found["none"], found["reward"]["mean"]) == (6, 0, 0.25)
    assert found["parts"] == {"criterion a": {"count": 6, "mean": 0.25, "deviation": 0.0}}
    assert files(run) == before
    rows = [json.loads(line) for line in beside.read_text().splitlines()]
    assert {row["value"] for row in rows} == {0.25}
    expected = {"reward": "scripted_reward", "settings": {"value": 0.25}, "version": "scripted 1"}
    assert [row["scorer"] for row in rows] == [expected] * 6
    assert score(run, "reward=scripted_reward") == 0
    assert json.loads((run / "summary.json").read_text())["reward"]["mean"] == 0.5
    changed = {name for name, data in files(run).items() if before[name] != data}
    assert changed == {"scores.jsonl", "summary.json"}


def test_a_failure_is_counted_and_never_zero(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Scripted.fails, Scripted.none = "light1", "light2"
    capsys.readouterr()
    assert score(run, "reward=scripted_reward", "--json", "--threads", "3") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scored"], found["none"], found["reward"]["mean"]) == (6, 4, 0.5)
    assert any("the judge is on fire" in note for note in found["failures"])
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["unscored"], summary["reward"]["mean"]) == (4, 0.5)


def test_threads_change_no_byte(run: Path, tmp_path: Path) -> None:
    for threads in ("1", "3"):
        assert score(run, "reward=rubric", "--out", tmp_path / threads, "--threads", threads) == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


KILLED = """
import sys, time
from murk.envs import plugins
from murk.rewards import Score
from murk.rollout.main import main
class Slow:
    version = "scripted 1"
    def __init__(self, value=0.5): self.count = 0
    def __call__(self, trajectory, task, pages):
        self.count += 1
        if self.count == 4: time.sleep(60)
        return Score(None if self.count == 1 else 0.5, {"criterion a": 0.5})
plugins.register("rewards", "scripted_reward", Slow)
main(["score", sys.argv[1], "reward=scripted_reward"])
"""


def test_a_scoring_that_was_killed_goes_on(run: Path) -> None:
    before = (run / "scores.jsonl").read_bytes()
    journal = run / "scores.jsonl.journal"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(run)])
    try:
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert (run / "scores.jsonl").read_bytes() == before
    with journal.open("ab") as file:
        file.write(b'{"id": "torn')
    assert score(run, "reward=scripted_reward") == 0
    assert len(Scripted.calls) == 4, "two were done, one had failed and three were left"
    assert {row["value"] for row in Store(run).scores().values()} == {0.5}
    assert not journal.exists()


def test_what_another_scorer_left_is_not_used(run: Path) -> None:
    ids = sorted(Store(run).index())
    stale = {"id": ids[0], "value": 0.9, "parts": {}, "notes": [], "usage": {}}
    made_by = {"reward": "scripted_reward", "settings": {}, "version": "scripted 0"}
    (run / "scores.jsonl.journal").write_text(json.dumps(stale | {"scorer": made_by}) + "\n")
    assert score(run, "reward=scripted_reward") == 0
    assert len(Scripted.calls) == 6


def test_a_page_that_is_gone_is_no_fault_of_the_policy(run: Path) -> None:
    for table in run.glob("pages/*.parquet"):
        table.unlink()
    assert score(run, "reward=rubric") == 0
    rows = Store(run).scores().values()
    assert {row["value"] for row in rows} == {None}
    assert all(row["notes"] == [f"the run holds no text of the page {URL}"] for row in rows)


def test_errored_episodes_get_no_score(run: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (path,) = run.glob("trajectories/*.parquet")
    rows = pq.read_table(path).to_pylist()
    rows[0] |= {"status": "errored", "error": "x", "answer": None}
    rows[0]["messages"] = rows[0]["messages"][:2]
    rows[0]["steps"] = []
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    assert score(run, "reward=scripted_reward") == 0
    assert len(Store(run).scores()) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reward=rubrik"], "rubrik"),
        (["seed=3"], "not about the reward"),
        (["reward.rubric.mapping=ternary"], "no reward is named"),
        (["reward=rubric", "reward.rubric.mapping=x"], "unknown mapping 'x'"),
        (["reward=none"], "reward is null"),
        (["reward=scripted_reward", "reward.scripted_reward.valeu=1"], "valeu"),
        (["reward=rubric", "--threads", "0"], "--threads"),
    ],
)
def test_wrong_use_is_one_clear_line(
    run: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert score(run, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_scored_beside_only(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "journal").mkdir(exist_ok=True)
    (run / "journal" / "0.jsonl").touch()
    assert score(run, "reward=scripted_reward") == 2
    assert "is not finished" in capsys.readouterr().err
    assert score(run, "reward=scripted_reward", "--out", tmp_path / "beside") == 0


def test_every_config_of_a_reward_can_be_made() -> None:
    from murk.rollout.build import make_reward
    from murk.rollout.score import reward_of

    for config in sorted((Path(__file__).parents[2] / "configs" / "reward").glob("*.yaml")):
        spec = reward_of([f"reward={config.stem}"])
        assert (make_reward(spec) is None) == (config.stem == "none")


def test_the_command_has_an_example() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_command(parser)
    assert "example: murk score" in (parser.epilog or "")
