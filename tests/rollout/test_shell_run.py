"""Runs whose agents have a shell, as a user meets them: replayed without one, run again with one, kept out of sight."""

import json
import os
from pathlib import Path

import pytest

from murk.envs.errors import UsageError
from murk.envs.sandbox import Sandbox, root
from murk.rollout.main import main
from murk.rollout.store import Store

COMMAND = "wc -w note.md; date +%s%N; echo made > made.txt"
TURNS = [
    '<toolcall>{"name": "file", "arguments": {"action": "write", "path": "note.md", "content": "a b c d"}}</toolcall>',
    f'<toolcall>{{"name": "shell", "arguments": {{"cmd": "{COMMAND}"}}}}</toolcall>',
    '<toolcall>{"name": "file", "arguments": {"action": "read", "path": "made.txt"}}</toolcall>',
    "<answer>Four words.</answer>",
]


@pytest.fixture
def given(vale_dir: Path, tmp_path: Path) -> list[str]:
    try:
        Sandbox()
    except UsageError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"id": "words", "question": "How many words has the note?"}\n')
    turns = f"policy.scripted.turns={json.dumps(TURNS)}"
    return [f"world={vale_dir}", f"tasks={tasks}", "policy=scripted", turns, "env.tools=full", "reward=none"]


def test_commands_are_replayed_without_a_shell_and_run_again_with_one(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    assert main(["rollout", *given, f"out={run}"]) == 0
    ((trajectory, _),) = Store(Path(run)).trajectories()
    assert "4 note.md" in trajectory.steps[1].observation
    assert "made" in trajectory.steps[2].observation
    capsys.readouterr()
    assert main(["replay", run, "--rerun-shell"]) == 1
    assert '"field": "stdout", "recorded": "4 note.md' in capsys.readouterr().out
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["replay", run]) == 0
    assert "0 of them different" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["tasks", "out"])
def test_what_commands_would_see_of_a_run_is_refused(
    given: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    monkeypatch.setattr(root, "_SHOWN", [seen.resolve()])
    (seen / "tasks.jsonl").write_text((tmp_path / "tasks.jsonl").read_text())
    places = {"tasks": f"tasks={seen}/tasks.jsonl", "out": f"out={seen}/run"}
    assert main(["rollout", *given, f"out={tmp_path}/run", places[name]]) == 2
    assert "lies where the shell's sandbox shows the host's files" in capsys.readouterr().err
    assert not (seen / "run").exists()
    assert not (tmp_path / "run").exists()
