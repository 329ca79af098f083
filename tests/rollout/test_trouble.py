"""Trouble of the machinery that must neither end a run nor keep it from ending."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from test_run import TASKS

from murk.envs import plugins
from murk.envs.codec import canonical_json
from murk.envs.records import Trajectory
from murk.rollout.cli import resumed
from murk.rollout.main import main
from murk.rollout.policies import Completion, Start
from murk.rollout.run import read_config
from murk.rollout.store import Store


class Troubled:
    """A policy that fails in a way that is hard to keep or to notice."""

    kind = ""

    def begin(self, start: Start) -> "Troubled":
        return self

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        if Troubled.kind == "cancelled":
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task
        raise ValueError("half a pair: \ud800")


@pytest.fixture
def given(vale_dir: Path, tmp_path: Path) -> list[str]:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(canonical_json(task) + "\n" for task in TASKS))
    plugins.register("policies", "troubled", Troubled)
    return [f"world={vale_dir}", f"tasks={tasks}", f"out={tmp_path / 'run'}", "rollout.retries=0"]


@pytest.mark.parametrize(("kind", "told"), [("cancelled", "CancelledError"), ("surrogate", "half a pair: \ufffd")])
def test_an_episode_that_fails_oddly_is_an_error_and_the_run_ends(
    kind: str, told: str, given: list[str], tmp_path: Path
) -> None:
    Troubled.kind = kind
    assert main(["rollout", *given, "policy=[random]", "+policy.troubled={}"]) == 0
    errors = [one.error or "" for one, _ in Store(tmp_path / "run").trajectories() if one.policy == "troubled"]
    assert len(errors) == len(TASKS)
    assert all(told in error for error in errors)


def test_a_record_that_cannot_be_made_is_an_error_of_its_episode(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from murk.rollout import engine

    def digest(trajectory: Trajectory, settings: object) -> str:
        if trajectory.task == "light" and trajectory.status != "errored":
            raise KeyError("a bug of ours")
        return "0" * 64

    monkeypatch.setattr(engine, "digest", digest)
    assert main(["rollout", *given, "policy=random"]) == 0
    found = {one.task: (one.status, one.error or "") for one, _ in Store(tmp_path / "run").trajectories()}
    assert found["light"][0] == "errored"
    assert "a bug of ours" in found["light"][1]
    assert found["ferry"][0] != "errored"


def test_resuming_changes_only_how_it_is_told_to(given: list[str], tmp_path: Path) -> None:
    assert main(["rollout", *given, "rollout.patience=7"]) == 0
    way = resumed(tmp_path / "run", ["rollout.concurrency=3"]).config["rollout"]
    assert (way["patience"], way["concurrency"]) == (7, 3)
    way = resumed(tmp_path / "run", ["rollout=ray", "rollout.actors=2"]).config["rollout"]
    assert (way["kind"], way["actors"]) == ("ray", 2)


def test_a_seed_that_no_table_can_hold_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollout", *given, f"seed={1 << 63}"]) == 2
    assert "seed" in capsys.readouterr().err


def test_a_folder_that_a_crash_left_half_begun_can_be_begun(given: list[str], tmp_path: Path) -> None:
    half = tmp_path / "run"
    half.mkdir()
    (half / "tasks.jsonl").write_text("{}\n")
    (half / "config.yaml.123.partial").write_text("seed: ")
    assert main(["rollout", *given]) == 0


@pytest.mark.parametrize(
    "text", ["a: 1", "[1]", "world: 3", "", "policy: {}\nworld: {}\nenv: {}\nsamples: 1\nfaults: 2"]
)
@pytest.mark.parametrize(
    "command", [["rollout", "resume={}"], ["replay", "{}"], ["show", "{}"], ["score", "{}", "reward=rubric"]]
)
def test_an_odd_config_is_told_in_one_line(
    text: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "tasks.jsonl").write_text(canonical_json(TASKS[0]) + "\n")
    assert main([part.format(tmp_path) for part in command]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_replaying_follows_no_address_of_a_strangers_config(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollout", *given, "policy=naive"]) == 0
    config = tmp_path / "run" / "config.yaml"
    path = read_config(tmp_path / "run")["world"]["path"]
    config.write_text(config.read_text().replace(path, "http://127.0.0.1:9/world"))
    assert main(["replay", str(tmp_path / "run")]) == 2
    assert "--snapshot" in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "run"), "--snapshot", path]) == 0
