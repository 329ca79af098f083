"""`murk export`: what trainers, evaluations and libraries make of it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from murk.envs import plugins
from murk.envs.records import Sampled
from murk.envs.tools import profile
from murk.rollout.digest import digest
from murk.rollout.main import main
from murk.rollout.policies import Completion, Start
from murk.rollout.store import Store, entry_of

URL = "https://vale.example/lighthouse.html"
OPENED = {"name": "batch_web_surfer", "arguments": {"action": "batch_open", "urls": [URL]}}
FOUND = {"name": "batch_web_surfer", "arguments": {"action": "batch_search", "queries": ["ferry", "island"]}}
RUBRIC = [{"text": "gives the year", "weight": 5, "check": {"kind": "alias", "values": ["1874"]}}]


class Turns:
    """Takes its turns from a list, which differs by sample."""

    def __init__(self, turns: list[list[str]], number: int = 0) -> None:
        self._turns, self._left = turns, list(turns[number % len(turns)])

    def begin(self, start: Start) -> "Turns":
        return Turns(self._turns, start.seed)

    async def act(self, conversation: Any) -> Completion:
        if not self._left:
            raise ConnectionError("the model is gone")
        return Completion(self._left.pop(0))


def call(*calls: dict[str, Any]) -> str:
    return "Let me see. " + "".join(f"<toolcall>{json.dumps(one)}</toolcall>" for one in calls)


RIGHT, WRONG = "<answer>Lit in 1874.\u2028\U0001f30d</answer>", "<answer>Lit in 1900.</answer>"
plugins.register("policies", "turns", Turns)
TURNS = [[call(FOUND, OPENED), RIGHT], [call(OPENED), RIGHT], [WRONG], [call(OPENED)]]


@pytest.fixture(scope="module")
def run(vale_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of right, wrong, truncated and errored episodes on three tasks, by two policies."""
    folder = tmp_path_factory.mktemp("export")
    tasks = [{"id": f"t{n}", "question": "When was it lit?", "kind": "single", "rubric": RUBRIC} for n in range(3)]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    given = [f"world={vale_dir}", f"tasks={folder / 'tasks.jsonl'}", f"out={folder / 'run'}", "samples=6"]
    turns = json.dumps(TURNS).replace("\u2028", "\\u2028")
    given += [f"+policy.turns={{turns: {turns}}}", "env.max_steps=2", "policy=scripted"]
    assert main(["rollout", *given, f"policy.scripted.turns={json.dumps([call(OPENED)] * 3)}"]) == 0
    return folder / "run"


def export(run: Path, out: Path, *given: str) -> int:
    return main(["export", str(run), str(out), *given])


def chosen(run: Path, **wanted: str) -> list[dict[str, Any]]:
    rows = sorted(Store(run).rows(), key=lambda row: str(row["id"]))
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def test_filters(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statuses = {row["status"] for row in chosen(run)}
    assert statuses == {"answered", "truncated", "errored"}
    scores = {name: score["value"] for name, score in Store(run).scores().items()}
    right = [row for row in chosen(run) if scores.get(row["id"]) == 1.0]
    expected = {
        "": [row for row in chosen(run) if row["status"] != "errored"],
        "--status errored": chosen(run, status="errored"),
        "--status truncated --policy scripted": chosen(run, status="truncated", policy="scripted"),
        "--status answered --limit 3": chosen(run, status="answered")[:3],
        "--storm none --min-reward 0.5": right,
    }
    for number, (given, rows) in enumerate(expected.items()):
        out = tmp_path / f"{number}.jsonl"
        capsys.readouterr()
        assert export(run, out, "--format", "sft", "--json", *given.split()) == 0
        assert [line["id"] for line in lines(out)] == [row["id"] for row in rows] != []
        counts = json.loads(capsys.readouterr().out)
        assert counts == {"episodes": 36, "exported": len(rows), "tasks": len({row["task"] for row in rows})}
    assert export(run, tmp_path / "best.jsonl", "--format", "sft", "--best") == 0
    best = {line["task"]: line["id"] for line in lines(tmp_path / "best.jsonl")}
    tokens = {row["id"]: (json.loads(row["spending"])["tokens"], row["id"]) for row in right}
    for task in {row["task"] for row in right}:
        assert best[task] == min(tokens[row["id"]] for row in right if row["task"] == task)[1]
    assert len({value for value, _ in tokens.values()}) > 1


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").mkdir()
    for out, given, words in (
        ("x", "--format sfd", "Did you mean 'sft'?"),
        ("there", "--format sft", "exists already"),
        ("x", "--format sft --storm rain", "none of 36 episodes"),
        ("x", "--format sft --limit 0", "whole numbers from 1"),
        ("x", "--format browsecomp-plus", "one policy"),
    ):
        capsys.readouterr()
        assert export(run, tmp_path / out, *given.split()) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert export(tmp_path, tmp_path / "x", "--format", "sft") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_nothing_is_exported_of_a_damaged_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "run"
    shutil.copytree(run, source)
    (table,) = source.glob("trajectories/*")
    table.write_bytes(table.read_bytes()[:-1] + b"2")
    assert export(source, tmp_path / "out", "--format", "sft") == 2
    assert f"{table} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sft", "browsecomp-plus", "datasets"])
def test_the_same_run_gives_the_same_bytes_also_from_journals(run: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / "journals"
    source.mkdir()
    for file in ("config.yaml", "tasks.jsonl", "scores.jsonl"):
        (source / file).write_bytes((run / file).read_bytes())
    for number, row in enumerate(reversed(chosen(run))):
        Store(source, str(number % 3)).keep({"row": row, "pages": {}, "score": None})
    for folder, out in ((run, "a"), (run, "b"), (source, "c")):
        assert export(folder, tmp_path / out, "--format", name, "--policy", "turns") == 0
    one, *others = (
        {path.relative_to(tmp_path / out): path.read_bytes() for path in (tmp_path / out, *(tmp_path / out).rglob("*"))
         if path.is_file()} for out in ("a", "b", "c")
    )  # fmt: skip
    assert others == [one, one]


def loaded(run: Path, out: Path) -> Any:
    """Exported chats as `datasets` reads them."""
    import datasets

    assert export(run, out, "--format", "sft", "--status", "answered") == 0
    return datasets.load_dataset("json", data_files=str(out), cache_dir=str(out.with_name("cache")))["train"]


def test_chats_load_as_they_are(run: Path, tmp_path: Path) -> None:
    table = loaded(run, tmp_path / "chats.jsonl")
    rows = chosen(run, status="answered")
    scores = {name: score["value"] for name, score in Store(run).scores().items()}
    assert [line["messages"] for line in table] == [row["messages"] for row in rows]
    assert [line["reward"] for line in table] == [scores[row["id"]] for row in rows]
    assert table[0]["tools"] == [offer.schema for offer in profile("research").values()]


@pytest.mark.slow
def test_chats_pass_a_chat_template(run: Path, tmp_path: Path) -> None:
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    out = tmp_path / "chats.jsonl"
    table = loaded(run, out)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator([out.read_text("utf-8")], trainers.BpeTrainer(vocab_size=400))
    untyped: Any = transformers.PreTrainedTokenizerFast
    fast = untyped(tokenizer_object=tokenizer)
    fast.chat_template = (
        "{% for tool in tools %}{{ tool['function']['name'] }} {% endfor %}"
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    )
    for line in table:
        text = fast.apply_chat_template(line["messages"], tools=line["tools"], tokenize=False)
        assert text.startswith("batch_web_surfer links")
        assert [*re.findall(r"<\|(\w+)\|>", text)][:3] == ["system", "user", "assistant"]


def test_chats_of_a_model_have_its_token_ids(run: Path, tmp_path: Path) -> None:
    source = tmp_path / "run"
    source.mkdir()
    for file in ("config.yaml", "tasks.jsonl"):
        (source / file).write_bytes((run / file).read_bytes())
    for trajectory, _ in Store(run).trajectories():
        if trajectory.status == "answered":
            sampled = tuple(Sampled((1, 2), (3,), (-0.5,)) for _ in trajectory.steps)
            Store(source).keep(entry_of(replace(trajectory, sampled=sampled), digest(trajectory, {}), "s", {}, None))
    assert export(source, tmp_path / "out", "--format", "sft") == 0
    turn = {"token_ids": [1, 2, 3], "mask": [False, False, True], "logprobs": [0.0, 0.0, -0.5]}
    for line in lines(tmp_path / "out"):
        assert set(map(json.dumps, line["segments"])) == {json.dumps(turn)}
        assert line["reward"] is None


def test_run_files_have_what_the_evaluation_reads(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(run, out, "--format", "browsecomp-plus", "--policy", "turns") == 0
    rows = {row["id"]: row for row in chosen(run, policy="turns") if row["status"] != "errored"}
    files = {
        json.loads(path.read_text())["metadata"]["id"]: json.loads(path.read_text()) for path in out.glob("run_*.json")
    }
    assert files.keys() == rows.keys()
    assert len(list(out.iterdir())) == len(rows)
    for name, file in files.items():
        row = rows[name]
        opened, searched = (word in row["messages"][2]["content"] for word in ("batch_open", "batch_search"))
        assert (file["query_id"], file["metadata"]["model"]) == (row["task"], "turns")
        answered = row["status"] == "answered"
        assert file["status"] == ("completed" if answered else "incomplete")
        assert (file["result"] or [{"type": ""}])[-1]["type"] == ("output_text" if answered else "tool_call")
        if answered:
            assert file["result"][-1]["output"] == row["answer"]
        assert (URL in file["retrieved_docids"]) == opened
        assert file["tool_call_counts"].get("search", 0) == 2 * searched
        assert file["tool_call_counts"].get("get_document", 0) == opened
        assert (len(file["retrieved_docids"]) > 1) == searched
        calls = [item for item in file["result"] if item["type"] == "tool_call"]
        assert len(calls) == searched + opened
        assert all(json.loads(item["arguments"])["action"].startswith("batch_") for item in calls)


def test_a_folder_loads_as_a_dataset_with_its_card(run: Path, tmp_path: Path) -> None:
    import datasets

    out = tmp_path / "out"
    assert export(run, out, "--format", "datasets") == 0
    table = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]
    rows = [row for row in chosen(run) if row["status"] != "errored"]
    assert [(row["id"], row["messages"], row["kind"]) for row in table] == [
        (row["id"], row["messages"], "single") for row in rows
    ]
    assert set(table["reward"]) >= {0.0, 1.0}
    card = (out / "README.md").read_text()
    answered = sum(row["status"] == "answered" for row in rows)
    assert f"| turns | none | 0 | answered | {answered} |" in card
    assert all(f"| `{name}` |" in card for name in table.column_names)
    assert "all that did not err" in card
