"""`murk merge`: runs become one that is shown, scored and replayed as any other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from murk.envs import plugins
from murk.rewards import Score
from murk.rollout.main import main
from murk.rollout.run import read_config
from murk.rollout.store import Store

URL = "https://vale.example/lighthouse.html"
CALL = {"name": "batch_web_surfer", "arguments": {"action": "batch_open", "urls": [URL]}}
TURNS = [f"<toolcall>{json.dumps(CALL)}</toolcall>", f"<answer>It was lit in 1874 [source]({URL}).</answer>"]
RUBRIC = [{"text": "gives the year", "weight": 5, "check": {"kind": "alias", "values": ["1874"]}}]

Rollout = Callable[..., Path]


class Half:
    """Half a mark for anything."""

    version = "half 1"

    def __call__(self, trajectory: Any, task: Any, pages: Any) -> Score:
        return Score(0.5)


plugins.register("rewards", "half", Half)


@pytest.fixture
def rollout(vale_dir: Path, tmp_path: Path) -> Rollout:
    """Runs a scripted and a random policy on some tasks."""

    def run(name: str, *given: str, tasks: str = "ab", question: str = "When was it lit?") -> Path:
        file, out = tmp_path / f"{name}.jsonl", tmp_path / name
        rows = [{"id": task, "question": question, "rubric": RUBRIC} for task in tasks]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        base = [f"world={vale_dir}", f"tasks={file}", f"out={out}", f"policy.scripted.turns={json.dumps(TURNS)}"]
        chosen = [] if any(one.startswith("policy=") for one in given) else ["policy=[scripted,random]"]
        assert main(["rollout", *base, *chosen, *given]) == 0
        return out

    return run


def merge(*folders: Path) -> int:
    return main(["merge", *map(str, folders)])


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_merged_runs_are_shown_scored_and_replayed(
    rollout: Rollout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rollout("first", "samples=2", "faults=flaky", "faults.intensity=[0,0.5]")
    second = rollout("second", "seed=1", "faults=flaky", "faults.intensity=0.9", "policy=scripted", tasks="bc")
    third = rollout("third", "samples=3", "faults=flaky", "faults.intensity=0.5", "policy=scripted", tasks="ab")
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["merge", *map(str, (first, second, third)), str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": 3, "episodes": 20, "tasks": 3, "shared": 4}
    ids = [name for run in (first, second, third) for name in Store(run).index()]
    assert sorted(Store(out).index()) == sorted(set(ids))
    assert Store(out).pages() == Store(first).pages()
    for run in (first, second, third):
        scores = Store(out).scores()
        assert Store(run).scores().items() <= scores.items()
    config = read_config(out)
    assert (config["seed"], config["samples"], config["faults"]["intensity"]) == ([0, 1], 3, [0, 0.5, 0.9])
    assert set(config["policy"]) == {"scripted", "random"}
    assert [one["seed"] for one in config["merged"]] == [0, 1, 0]
    groups = {(group["policy"], group["intensity"]): group["episodes"] for group in summary(out)["groups"]}
    assert groups == {("scripted", 0.0): 4, ("scripted", 0.5): 6, ("scripted", 0.9): 2, ("random", 0.0): 4,
                      ("random", 0.5): 4}  # fmt: skip
    before = summary(out)
    assert main(["show", str(out)]) == 0
    assert main(["show", str(out), ids[0]]) == 0
    assert main(["score", str(out), "reward=rubric"]) == 0
    assert summary(out) == before
    capsys.readouterr()
    assert main(["replay", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"replayed": 20, "differences": []}
    assert main(["rollout", f"resume={out}"]) == 2
    assert "seed is [0, 1]" in capsys.readouterr().err


def test_merging_is_the_same_each_time_and_a_merged_run_merges_and_resumes(rollout: Rollout, tmp_path: Path) -> None:
    first, second = rollout("first"), rollout("second", tasks="c")
    for name in ("one", "two"):
        assert merge(first, second, tmp_path / name) == 0
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("one", "two")
    )
    assert [name for name in one if one[name] != two.get(name)] == ["config.yaml"], "which names the folder"
    assert merge(tmp_path / "one", first, tmp_path / "again") == 0
    assert summary(tmp_path / "again") == summary(tmp_path / "one")
    assert main(["rollout", f"resume={tmp_path / 'again'}"]) == 0
    assert summary(tmp_path / "again")["episodes"] == 6


def test_what_does_not_belong_together_is_refused(
    rollout: Rollout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rollout("first")
    scored = rollout("scored", "seed=1")
    assert main(["score", str(scored), "reward=half"]) == 0
    other_row = rollout("other_row")
    change_digest(other_row)
    out = tmp_path / "out"
    for runs, words in (
        ([first, rollout("storm", "faults=flaky", "faults.intensity=0")], "faults of"),
        ([first, rollout("dialect", "env.dialect=hermes")], "env of"),
        ([first, rollout("task", question="Why?")], "task 'a'"),
        ([first, rollout("policy", "policy=scripted", "policy.scripted.turns=[x]")], "policy 'scripted'"),
        ([first, scored], "murk score"),
        ([first, other_row], "went another way"),
        ([first], "two runs"),
        ([first, tmp_path], "no run"),
    ):
        capsys.readouterr()
        assert merge(*runs, out) == 2, words
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
        assert not out.exists()
    assert merge(first, scored, first) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))


def change_digest(run: Path) -> None:
    """Lets the first episode have gone another way, in a run that is not damaged."""
    rows = list(Store(run).rows())
    rows[0]["digest"] = "0" * 64
    for table in run.glob("trajectories/*"):
        table.unlink()
    store = Store(run)
    for row in rows:
        store.keep({"row": row, "pages": {}, "score": None})
    store.compact()


def test_a_damaged_run_is_not_merged_and_an_error_gives_way(
    rollout: Rollout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = rollout("first"), rollout("second")
    rows = list(Store(second).rows())
    table = next(second.glob("trajectories/*"))
    table.unlink()
    for row in rows:
        broken = {"status": "errored", "error": "x", "answer": None, "digest": "1"}
        messages = {"messages": row["messages"][:2], "steps": [], "citations": "[]"}
        Store(second).keep({"row": row | broken | messages, "pages": {}, "score": None})
    assert merge(second, first, tmp_path / "out") == 0
    assert summary(tmp_path / "out")["digest"] == summary(first)["digest"]
    journal = next(second.glob("journal/*"))
    journal.write_bytes(journal.read_bytes().replace(b"errored", b"answere"))
    capsys.readouterr()
    assert merge(first, second, tmp_path / "bad") == 2
    assert f"{journal} is damaged" in capsys.readouterr().err
