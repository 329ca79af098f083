"""Runs as a user meets them: begun, stopped, killed, resumed, replayed, shown."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from murk.envs import plugins
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UsageError
from murk.rollout.main import main
from murk.rollout.policies import Completion, Start
from murk.rollout.run import read_config, summarise
from murk.rollout.store import Store

URL = "https://vale.example/lighthouse.html"
TASKS: list[dict[str, Any]] = [
    {
        "id": "light",
        "question": "When was the Skerry Light lit for the first time?",
        "kind": "single",
        "rubric": [
            {"text": "gives the year", "weight": 5, "check": {"kind": "alias", "values": ["1874"]}},
            {"text": "cites the page", "weight": 5, "check": {"kind": "cites", "urls": [URL]}},
        ],
    },
    {
        "id": "ferry",
        "question": "Who built the ferry Kittiwake?",
        "kind": "other",
        "rubric": [{"text": "names nobody", "weight": 1, "check": {"kind": "alias", "values": ["xyz"]}}],
    },
]
TURNS = [
    f'<toolcall>{{"name": "batch_web_surfer", "arguments": {{"action": "batch_open", "urls": ["{URL}"]}}}}</toolcall>',
    f"<answer>It was lit in 1874 [source]({URL}).</answer>",
]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return path


@pytest.fixture
def run(vale_dir: Path, tasks: Path, tmp_path: Path) -> Path:
    """A finished run of a scripted and a random policy."""
    out = tmp_path / "run"
    given = [f"world={vale_dir}", f"tasks={tasks}", "policy=[scripted,random]", f"out={out}", "samples=2"]
    assert main(["rollout", *given, f"policy.scripted.turns={json.dumps(TURNS)}"]) == 0
    return out


def summary(folder: Path) -> dict[str, Any]:
    """What the summary says of the episodes; the rest is about the machine."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    found.pop("machinery", None)
    return found


def test_a_run_is_summed_up_and_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = summary(run)
    assert (found["episodes"], found["answered"], found["truncated"], found["errored"]) == (8, 8, 0, 0)
    groups = {group["policy"]: group for group in found["groups"]}
    assert groups["scripted"]["reward"]["mean"] == 0.5
    assert groups["scripted"]["kinds"]["single"]["reward"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert groups["scripted"]["capabilities"] == {"plan": 0.0, "seek": 1.0, "verify": 0.0, "report": 1.0}
    trajectories = [one for one, _ in Store(run).trajectories() if one.policy == "random"]
    for name, mean in groups["random"]["spent"].items():
        assert mean == round(sum(one.spending[name] for one in trajectories) / 4, 6)
    assert len(found["digest"]) == len(found["snapshot_digest"]) == 64
    capsys.readouterr()
    assert main(["show", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    name = next(line.split()[0] for line in lines if "scripted" in line and "light" in line)
    assert main(["show", str(run), name[:8]]) == 0
    shown = capsys.readouterr().out
    assert "It was lit in 1874" in shown
    assert "reward 1.0" in shown
    assert main(["show", str(run), "zz"]) == 2
    assert main(["show", str(run), name, "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]


def test_half_a_surrogate_pair_in_a_turn_is_kept_and_replayed(vale_dir: Path, tasks: Path, tmp_path: Path) -> None:
    class Broken:
        def begin(self, start: Start) -> "Broken":
            return self

        async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
            return Completion("<answer>\ud800 1874 \U0001f30d</answer>")

    plugins.register("policies", "surrogate", Broken)
    out = tmp_path / "run"
    given = [f"world={vale_dir}", f"tasks={tasks}", "~policy.react", "+policy.surrogate={}", f"out={out}"]
    assert main(["rollout", *given]) == 0
    assert [trajectory.answer for trajectory, _ in Store(out).trajectories()] == ["\ufffd 1874 \U0001f30d"] * 2
    assert main(["replay", str(out)]) == 0


def test_a_run_replays_in_another_process(run: Path) -> None:
    command = [sys.executable, "-m", "murk.rollout.main", "replay", str(run), "--json"]
    done = subprocess.run(command, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"replayed": 8, "differences": []}


@pytest.mark.parametrize(("old", "new"), [("lit in 1874 [", "lit in 1875 ["), ("batch_open", "batch_opem")])
def test_a_changed_action_is_found(run: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (path,) = run.glob("trajectories/*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row in rows:
        for message in row["messages"][1:]:
            if message["role"] == "assistant" and row["policy"] == "scripted":
                message["content"] = message["content"].replace(old, new)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert main(["replay", str(run)]) == 1
    shown = capsys.readouterr().out
    assert "8 episodes replayed, 4 of them different" in shown
    assert "differs first in" in shown


def test_a_changed_page_and_a_changed_rendering_are_found(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from murk.envs.tools import batch_web_surfer
    from murk.envs.web.build import Options, build

    pages = tmp_path / "pages.jsonl"
    pages.write_text(json.dumps({"url": URL, "text": "The light was lit in 1875.", "title": "Skerry Light"}) + "\n")
    build([pages], tmp_path / "other", Options(workers=1))
    assert main(["replay", str(run), "--snapshot", str(tmp_path / "other")]) == 1
    shown = capsys.readouterr().out
    assert "differs first in steps[" in shown
    assert "\n+" in shown
    monkeypatch.setattr(batch_web_surfer, "cite_key", lambda url: "web_00000000")
    assert main(["replay", str(run)]) == 1
    assert ".observation" in capsys.readouterr().out


def test_a_run_is_not_overwritten_and_wrong_settings_are_one_clear_line(
    run: Path, vale_dir: Path, tasks: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    base = ["rollout", f"world={vale_dir}", f"tasks={tasks}"]
    for more, words in (
        ([f"out={run}"], "resume="),
        (["policy=nave"], "nave"),
        (["seed=-1"], "from 0"),
        (["samples=0"], "from 1"),
        (["colour=red"], "colour"),
        (["colour"], "NAME=VALUE"),
        (["tasks.split=tune"], "split"),
        (["policy=random", "+policy.random.speed=3"], "speed"),
        ([f"resume={tmp_path}"], "no run"),
        (["policy=random", "env.dialect=klingon"], "dialect"),
        (["policy=[]"], "policy is empty"),
        (["policy=random", "faults.intensity=much"], "intensity of the storm"),
        (["policy=random", "faults.intensity=[]"], "intensity of the storm"),
        (["policy=random", "env.budget={calls: -1}"], "calls"),
    ):
        capsys.readouterr()
        assert main([*base, f"out={tmp_path / 'x'}", *more]) == 2, more
        error = capsys.readouterr().err
        assert words in error, (more, error)
        assert error.count("\n") == 1
        assert not (tmp_path / "x").exists()


def test_settings_may_stand_on_both_sides_of_a_flag(
    vale_dir: Path, tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"world={vale_dir}", "--json", f"tasks={tasks}", "policy=random", f"out={tmp_path / 'run'}"]
    assert main(["rollout", *given]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["episodes"] == 2
    with pytest.raises(SystemExit):
        main(["rollout", *given, "--jsn"])


def test_resuming_a_whole_run_changes_nothing_and_other_settings_are_refused(
    run: Path, vale_dir: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = summary(run)
    assert main(["rollout", f"resume={run}"]) == 0
    assert summary(run) == before
    given = ["rollout", f"world={vale_dir}", f"tasks={tasks}", "policy=random", f"resume={run}"]
    assert main(given) == 2
    assert "policy" in capsys.readouterr().err


class Broken:
    """A policy whose machinery fails for as long as `down`."""

    down = True

    def begin(self, start: Start) -> "Broken":
        return self

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        if Broken.down:
            raise ConnectionError("the model is gone")
        return Completion("<answer>It is back.</answer>")


def test_a_failure_of_the_machinery_is_an_error_and_no_score(vale_dir: Path, tasks: Path, tmp_path: Path) -> None:
    plugins.register("policies", "broken", Broken)
    out = tmp_path / "broken"
    given = [f"world={vale_dir}", f"tasks={tasks}", "+policy.broken={}", "policy=random", f"out={out}"]
    assert main(["rollout", *given]) == 0
    found = summary(out)
    assert (found["errored"], found["answered"], found["unscored"]) == (2, 2, 0)
    assert next(group for group in found["groups"] if group["policy"] == "broken")["reward"] is None
    errors = [trajectory.error or "" for trajectory, _ in Store(out).trajectories() if trajectory.policy == "broken"]
    assert all("the model is gone" in error for error in errors)
    Broken.down = False
    assert main(["rollout", f"resume={out}"]) == 0
    assert (summary(out)["errored"], summary(out)["episodes"]) == (0, 4)


def finished(folder: Path) -> int:
    return sum(journal.read_bytes().count(b"\n") for journal in folder.glob("journal/*.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_goes_on(vale_dir: Path, tasks: Path, tmp_path: Path, number: signal.Signals) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    given = [f"world={vale_dir}", f"tasks={tasks}", "policy=random", "samples=600"]
    command = [sys.executable, "-m", "murk.rollout.main", "rollout", *given, f"out={out}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while finished(out) < 50 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert f"resume={out}" in error
    assert 50 <= finished(out) < 1200
    with next(out.glob("journal/*.jsonl")).open("ab") as journal:
        journal.write(b'{"row": {"id": "torn')
    assert main(["rollout", f"resume={out}"]) == 0
    assert main(["rollout", *given, f"out={whole}"]) == 0
    assert summary(out) == summary(whole)
    ids = [trajectory.id for trajectory, _ in Store(out).trajectories()]
    assert len(ids) == len(set(ids)) == 1200
    assert not list(out.glob("journal/*"))


def test_a_crash_between_table_and_journal_doubles_nothing(run: Path) -> None:
    before, store, again = summary(run), Store(run), Store(run, "1")
    for trajectory, digest in list(store.trajectories()):
        again.add(trajectory, digest, "system", {}, store.scores()[trajectory.id])
    again.close()
    assert {name: value for name, value in summarise(run).items() if name != "machinery"} == before
    again.compact()
    assert {name: value for name, value in summarise(run).items() if name != "machinery"} == before


def test_a_full_disk_is_told_and_loses_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(run, "2")
    (trajectory, digest), *_ = store.trajectories()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    store.add(trajectory, digest, "system", {}, None)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.add(trajectory, digest, "system", {}, None)
    monkeypatch.undo()
    store.add(trajectory, digest, "system", {}, None)
    store.close()
    assert finished(run) == 2


def loaded(run: Path, cache: Path) -> Any:
    """A run's trajectories as Hugging Face datasets read them."""
    import datasets

    files = [str(path) for path in run.glob("trajectories/*.parquet")]
    return datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache))["train"]


def test_trajectories_load_as_datasets(run: Path, tmp_path: Path) -> None:
    table = loaded(run, tmp_path / "cache")
    assert len(table) == 8
    assert {message["role"] for message in table[0]["messages"]} <= {"system", "user", "assistant", "tool"}


@pytest.mark.slow
def test_messages_pass_a_chat_template(run: Path, tmp_path: Path) -> None:
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    table = loaded(run, tmp_path / "cache")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    texts = (message["content"] for row in table for message in row["messages"])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    for row in table:
        assert "<|assistant|>" in fast.apply_chat_template(row["messages"], tokenize=False)


def test_episodes_do_not_depend_on_what_ran_before(vale_dir: Path, tasks: Path) -> None:
    from murk.rollout.digest import digest
    from murk.rollout.episode import run_episode

    policy = plugins.load("policies", "random")()
    env, other = (DeepResearchEnv(str(vale_dir), str(tasks), reward=None) for _ in range(2))

    def one(where: DeepResearchEnv, task: str, sample: int) -> str:
        return digest(asyncio.run(run_episode(where, policy, task=task, sample=sample, seed=3)), {})

    forth = [one(env, task["id"], sample) for task in TASKS for sample in range(4)]
    back = [one(other, task["id"], sample) for task in reversed(TASKS) for sample in reversed(range(4))]
    assert forth == back[::-1]
    assert len(set(forth)) == 8


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        read_config(tmp_path)
    (tmp_path / "config.yaml").write_text("a: [1")
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path)
