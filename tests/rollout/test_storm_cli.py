"""`murk storm check` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from murk.rollout import main as command
from murk.rollout.main import main

URL = "https://vale.example/lighthouse.html"
TASKS: list[dict[str, Any]] = [
    {"id": "lit", "question": "When was the light of Tessary lit?", "gold": [{"url": URL}], "split": "test"},
    {"id": "gone", "question": "Who was the keeper?", "split": "tune",
     "gold": [{"url": "https://vale.example/gone.html", "quote": "the keeper"}]},
    {"id": "open", "question": "Why is slate blue?", "split": "test"},
]  # fmt: skip


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return path


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command.COMMANDS, "storm", ("murk.rollout.storms", "add_commands", "check storms"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["storm", "check", *(str(argument) for argument in arguments)])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_a_calm_web_leaves_all_that_it_holds_solvable(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path
) -> None:
    status, out, _ = run(capsys, vale_dir, tasks, "faults=none")
    assert status == 0
    assert out.splitlines() == [
        "unsolvable (not in the snapshot): gone, for want of https://vale.example/gone.html",
        "none at 0, seed 0: 3 tasks, 1 solvable, 1 unsolvable, 1 without gold pages",
        "  unsolvable, not in the snapshot: 1",
    ]


def test_json_has_a_row_for_each_task(capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path) -> None:
    status, out, _ = run(capsys, vale_dir, tasks, "faults=injection", "faults.intensity=1", "split=test", "--json")
    told = json.loads(out)
    assert status == 0
    assert {name: told[name] for name in ("storm", "intensity", "tasks", "solvable", "unsolvable", "without_gold")} == {
        "storm": "injection", "intensity": 1, "tasks": 2, "solvable": 1, "unsolvable": {}, "without_gold": 1,
    }  # fmt: skip
    assert [(row["task"], row["solvable"]) for row in told["rows"]] == [("lit", True), ("open", None)]
    assert told["planted"]["injection"]["unreached"] == 0
    planted = [plant for row in told["rows"] for plant in row["planted"]]
    assert told["planted"]["injection"]["reached"] == len(planted) > 0
    assert f"page {URL}" in [plant["unit"] for plant in told["rows"][0]["planted"]]


def test_what_is_unsolvable_and_unmet_is_listed(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path
) -> None:
    given = ["faults=injection", "faults.intensity=1", "+faults.faults.blocked_host={}", "episodes=1"]
    status, out, _ = run(capsys, vale_dir, tasks, *given, "+faults.faults.injection.places=[links]")
    assert status == 0
    assert f"unsolvable (blocked_host): lit, for want of {URL}" in out
    assert f"unreached (injection): lit, page {URL}" in out
    assert "1 tasks, 0 solvable, 1 unsolvable" in out


def test_the_budget_is_that_of_the_environment(capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path) -> None:
    for setting in ("env.budget={seconds: 1}", "env.budget={calls: 0}"):
        assert "unsolvable (budget): lit" in run(capsys, vale_dir, tasks, setting, "episodes=1")[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["faults=flakey"], "flakey"),
        (["faults.intensity=2"], "intensity of the storm is 2"),
        (["faults.intensity=[0.1,0.2]"], "faults.intensity is [0.1, 0.2]; allowed is one number"),
        (["policy=naive"], "setting of a check 'policy'"),
        (["spam"], "setting of a check 'spam'"),
        (["seed=-1"], "seed is -1"),
        (["split=dev"], "split 'dev'"),
        (["env.budget={hours: 1}"], "hours"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path, given: list[str], message: str
) -> None:
    status, out, err = run(capsys, vale_dir, tasks, *given)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_missing_files_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path, tmp_path: Path
) -> None:
    for given in ((tmp_path / "none", tasks), (vale_dir, tmp_path / "none")):
        status, out, err = run(capsys, *given)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_another_process_says_the_same(capsys: pytest.CaptureFixture[str], vale_dir: Path, tasks: Path) -> None:
    given = [str(vale_dir), str(tasks), "faults=storm", "faults.intensity=0.6", "seed=3", "--json"]
    here = run(capsys, *given)[1]
    code = (
        "import sys; from murk.rollout import main as m; "
        "m.COMMANDS['storm'] = ('murk.rollout.storms', 'add_commands', ''); sys.exit(m.main())"
    )
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, "storm", "check", *given],
            env={"PYTHONHASHSEED": salt}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout == here
