"""`murk tasks` as a user meets it."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from murk.envs import plugins
from murk.envs.tasks import read_tasks
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot
from murk.rollout.main import main
from murk.rollout.policies import Completion, Start
from murk.rollout.tasks import solved_by

URL = "https://vale.example/lighthouse.html"
YEAR = {"text": "the year", "weight": 5, "check": {"kind": "supports", "values": ["1874"]}}
CITES = {"text": "the page", "weight": 2, "check": {"kind": "cites", "urls": [URL]}}
TASKS: list[dict[str, Any]] = [
    {"id": "lit", "kind": "single", "question": "When was the light lit?", "gold": [{"url": URL}],
     "rubric": [YEAR, CITES]},
    {"id": "keeper", "kind": "single", "question": "Who kept it?",
     "rubric": [{"text": "name", "weight": 1, "check": {"kind": "alias", "values": ["Bo"]}}]},
]  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["tasks", *(str(argument) for argument in arguments)])
    output = capsys.readouterr()
    return status, output.out, output.err


def lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Keeper:
    """Opens the page of the lighthouse and tells the year, whatever it is asked."""

    def begin(self, start: Start) -> "Keeper":
        return self

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        if any("1874" in message["content"] for message in conversation):
            return Completion(f"<answer>In 1874, says [the light]({URL}).</answer>")
        arguments = {"action": "batch_open", "urls": [URL]}
        return Completion(f"<toolcall>{json.dumps({'name': 'batch_web_surfer', 'arguments': arguments})}</toolcall>")


class Broken(Keeper):
    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        raise RuntimeError("no power")


def test_import_tells_what_is_in_and_what_is_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = {"question": "Which grain?", "answer": "Wheat", "gold_urls": [URL]}
    source = lines(tmp_path / "in.jsonl", [good, {"question": "No answer"}, {}])
    status, out, _ = run(capsys, "import", source, tmp_path / "out", "--format", "qa")
    assert (status, out.count("\n")) == (0, 3)
    assert "1 tasks, 2 criteria, 2 records left out" in out
    assert "1 no answer; first line 2" in out
    status, out, _ = run(capsys, "import", source, tmp_path / "out2", "--format", "qa", "--json")
    assert json.loads(out)["skipped"] == {"no answer": 1, "no question": 1}
    assert (tmp_path / "out").read_bytes() == (tmp_path / "out2").read_bytes()
    assert len(read_tasks(tmp_path / "out")) == 1


@pytest.mark.data
def test_check_finds_the_gold_pages_of_real_claims(
    capsys: pytest.CaptureFixture[str], data: Path, wiki: Snapshot, tmp_path: Path
) -> None:
    claims = data / "tasks" / "creak_in_wikispeedia.jsonl"
    assert run(capsys, "import", claims, tmp_path / "tasks", "--format", "creak")[0] == 0
    status, out, _ = run(capsys, "check", wiki.folder, tmp_path / "tasks", "--json")
    found = json.loads(out)
    assert (status, found["tasks"], found["criteria"]) == (1, 1372, 4116)
    assert (len(found["missing"]), found["undecided"], found["duplicates"]) == (931, {}, [])
    held = set(wiki.urls())
    assert all(url not in held for urls in found["missing"].values() for url in urls)


def test_check_lists_what_cannot_be_met_decided_or_told_apart(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tmp_path: Path
) -> None:
    odd = [{"text": "a", "weight": 1}, {"text": "b", "weight": 1, "check": {"kind": "aliass"}}]
    odd += [{"text": "c", "weight": 1, "check": {"kind": "any", "checks": [{"kind": "cites", "urls": ["http://x/"]}]}}]
    rows = [*TASKS, {"id": "odd", "question": "who KEPT it", "gold": [{"url": URL.upper()}], "rubric": odd}]
    status, out, _ = run(capsys, "check", vale_dir, lines(tmp_path / "tasks", rows))
    assert status == 1
    assert f"odd: {URL.upper()} http://x/" in out
    assert "odd: 2 of 3 (0, 1)" in out
    assert "keeper odd" in out
    assert "2 gold pages missing in 1 tasks" in out
    status, out, _ = run(capsys, "check", vale_dir, lines(tmp_path / "good", TASKS), "--json")
    assert status == 0
    assert json.loads(out) == {"tasks": 2, "criteria": 3, "missing": {}, "undecided": {}, "duplicates": []}


def test_a_solver_finds_the_tasks_that_are_too_easy(vale: Snapshot) -> None:
    assert solved_by(Keeper(), vale, TASKS) == {"lit"}


@pytest.fixture
def solvers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, policy in (("keeper", Keeper), ("broken", Broken)):
        monkeypatch.setitem(plugins._registered, ("policies", name), policy)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, solvers: None) -> dict[str, Any]:
    """A synthesizer that gives `TASKS`, and what it was asked."""
    asked: dict[str, Any] = {}

    def synthesize(snapshot: Snapshot, **settings: Any) -> SimpleNamespace:
        asked.update(settings)
        return SimpleNamespace(tasks=TASKS, discards=[("What?", "asked twice")])

    def split_by_entities(tasks: Any, seed: int) -> Any:
        return [task | {"split": "test"} for task in tasks[:1]], [
            task | {"reason": "both halves"} for task in tasks[1:]
        ]

    made = SimpleNamespace(synthesize=synthesize, split_by_entities=split_by_entities)
    monkeypatch.setitem(sys.modules, "murk.envs.worlds.synthesize", made)
    return asked


def test_synthesize_writes_tasks_and_every_discard_with_its_reason(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tmp_path: Path, maker: dict[str, Any]
) -> None:
    out, discards = tmp_path / "out", tmp_path / "discards"
    options = ["--count", 7, "--seed", 3, "--kinds", "single, multi", "--language", "zh", "--discards", discards]
    status, text, _ = run(capsys, "synthesize", vale_dir, out, *options, "--solver", "keeper", "--split", "--json")
    assert status == 0
    assert maker == {"count": 7, "seed": 3, "facts": None, "kinds": ["single", "multi"], "language": "zh"}
    told = json.loads(text)
    assert (told["tasks"], told["kinds"], told["splits"]) == (1, {"single": 1}, {"test": 1})
    assert told["discards"] == {"asked twice": 1, "solved by keeper": 1}
    assert list(read_tasks(out)) == ["keeper"]
    reasons = [json.loads(line) for line in discards.read_text().splitlines()]
    solved = {"what": TASKS[0]["question"], "reason": "solved by keeper"}
    assert reasons == [{"what": "What?", "reason": "asked twice"}, solved]
    status, text, _ = run(capsys, "synthesize", vale_dir, tmp_path / "both", "--split")
    assert "1 tasks, 2 discarded" in text
    assert "discarded: its entities lie in both halves 1" in text


def test_synthesize_makes_tasks_that_a_check_has_nothing_against(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, solvers: None
) -> None:
    names = [f"{first}{last}" for first in ("Ost", "Wel", "Mar") for last in ("land", "burg", "mark", "ovia")]
    towns = [f"Port {name[::-1].title()}" for name in names]
    urls = [f"https://atlas.example/{name}" for name in names]
    texts = [f"{name} is a land. Its capital is {town}." for name, town in zip(names, towns, strict=True)]
    pages = [{"url": url, "title": url[22:], "text": text} for url, text in zip(urls, texts, strict=True)]
    facts = [
        {"subject": name, "url": url, "relation": "capital", "value": town}
        for name, url, town in zip(names, urls, towns, strict=True)
    ]
    out, world = tmp_path / "out", tmp_path / "world"
    build([lines(tmp_path / "pages.jsonl", pages)], world, Options(workers=1))
    wanted = ["--facts", lines(tmp_path / "facts", facts), "--kinds", "single_hop", "--count", 5, "--seed", 1]
    assert run(capsys, "synthesize", world, out, *wanted, "--solver", "keeper", "--split")[0] == 0
    assert {task.more["split"] for task in read_tasks(out).values()} <= {"tune", "test"}
    assert run(capsys, "synthesize", world, tmp_path / "all", *wanted)[0] == 0
    assert run(capsys, "synthesize", world, tmp_path / "again", *wanted)[0] == 0
    assert (tmp_path / "all").read_bytes() == (tmp_path / "again").read_bytes()
    status, text, _ = run(capsys, "check", world, tmp_path / "all", "--json")
    found = json.loads(text)
    assert (status, found["tasks"], found["undecided"], found["duplicates"]) == (0, 5, {}, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "FILE", "OUT", "--format", "craek"], "Did you mean 'creak'"),
        (["import", "FILE", "OUT", "--format", "creak"], "no usable record of format creak"),
        (["import", "OUT", "OUT", "--format", "creak"], "is not a file"),
        (["check", "VALE", "OUT"], "cannot read tasks"),
        (["check", "OUT", "FILE"], "is not a folder"),
        (["synthesize", "VALE", "OUT", "--count", "0"], "allowed are 1 and more"),
        (["synthesize", "VALE", "FILE"], "exists already"),
        (["synthesize", "VALE", "OUT", "--discards", "FILE"], "exists already"),
        (["synthesize", "VALE", "OUT", "--discards", "OUT"], "the same file"),
        (["synthesize", "VALE", "OUT", "--solver", "keepr"], "Did you mean 'keeper'"),
        (["synthesize", "VALE", "OUT", "--solver", "scripted"], "needs settings"),
        (["synthesize", "VALE", "OUT", "--solver", "broken"], "the solver failed on task lit: RuntimeError: no power"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_clear_line_and_status_2(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tmp_path: Path, maker: Any, arguments: list[str], words: str
) -> None:
    places = {"VALE": vale_dir, "FILE": lines(tmp_path / "file", [{"x": 1}]), "OUT": tmp_path / "out"}
    status, out, error = run(capsys, *(places.get(a, a) for a in arguments))
    assert (status, out) == (2, "")
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["import", "check", "synthesize"])
def test_every_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["tasks", command, "--help"])
    assert stop.value.code == 0
    assert f"example: murk tasks {command}" in capsys.readouterr().out
