"""Tasks from facts: sound, exact, hard to guess, and the same in every process."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task, read_tasks
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot
from murk.envs.worlds.factbook import build_factbook
from murk.envs.worlds.facts import Fact, Relation, write_facts
from murk.envs.worlds.synthesize import KINDS, Synthesis, split_by_entities, synthesize
from murk.rewards import RubricReward

LANDS = (
    "Avarel",
    "Brunn",
    "Corvia",
    "Dastan",
    "Elmoor",
    "Ferrow",
    "Gildar",
    "Hestia",
    "Ivren",
    "Jorvik",
    "Kessel",
    "Lorran",
)
LEADERS = ("Ada Quill", "Bo Marsh", "Cy Varne", "Di Holt", "Ed Frost", "Flo Dane", "Gus Pike", "Hal Rook", "Ida Wren",
           "Jo Tarn", "Kit Lowe", "Lea Moss")  # fmt: skip
DATES = ("2021-03-01", "2024-07-25")
RELATIONS = (
    Relation("capital", {"en": "capital"}, "name", {"en": "country"}),
    Relation("area", {"en": "area"}, "number", {"en": "country"}, tolerance=0.005),
    Relation("length of rivers", {"en": "length of the rivers"}, "number", {"en": "country"}, tolerance=0.005),
    Relation("population", {"en": "population"}, "number", {"en": "country"}, changes=True, tolerance=0.005),
    Relation("leader", {"en": "leader"}, "name", {"en": "country"}, changes=True,
             questions={"en": ("Who is the leader of {subject}?",)}),
    Relation("length of roads", {"en": "length of the roads"}, "number", {"en": "country"}, tolerance=0.005),
    Relation("borders", {"en": "neighbours"}, "entity", {"en": "country"}, many=True, asked=False,
             members={"en": "countries that border {subject}"},
             foremost={"en": "the country with the longest border with {subject}"}),
)  # fmt: skip


def url(i: int) -> str:
    return f"https://atlas.example/{LANDS[i % 12].lower()}"


def facts_of(i: int, edition: int) -> list[Fact]:
    leader = LEADERS[(i * 5 + edition) % 12]
    values: list[tuple[str, str, float | None, str | None, str | None]] = [
        ("capital", f"{LANDS[i][::-1].title()}stad", None, None, None),
        ("area", f"{(i * 7 % 12 + 1) * 10_137:,} sq km", (i * 7 % 12 + 1) * 10_137.0, "sq km", None),
        ("length of rivers", f"{(i * 5 % 12 + 1) * 813:,} km", (i * 5 % 12 + 1) * 813.0, "km", None),
        ("length of roads", f"{(i * 11 % 12 + 1) * 3_191:,} km", (i * 11 % 12 + 1) * 3_191.0, "km", None),
        ("population", f"{(i + 1) * (edition + 6) * 171_131:,}", (i + 1) * (edition + 6) * 171_131.0, "people", None),
        ("leader", leader, None, None, None),
    ]
    values += [("borders", LANDS[(i + j) % 12], (i + j) * 37.0 % 700 + 91, "km", url(i + j)) for j in (1, 3, 9, 11)]
    more = {"leader": (leader.split()[1],)}
    return [
        Fact(LANDS[i], url(i), relation, value, DATES[edition], number, unit, target, more.get(relation, ()))
        for relation, value, number, unit, target in values
    ]


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("atlas")
    facts = [fact for edition in (0, 1) for i in range(12) for fact in facts_of(i, edition)]
    with (folder / "pages.jsonl").open("w") as file:
        for edition in (0, 1):
            for i in range(12):
                lines = [f"# {LANDS[i]}", *(f"{fact.relation}: {fact.value}" for fact in facts_of(i, edition))]
                page = {"url": url(i), "title": LANDS[i], "date": DATES[edition], "text": "\n\n".join(lines)}
                file.write(json.dumps(page) + "\n")
    write_facts(folder / "facts.gz", RELATIONS, facts)
    build([folder / "pages.jsonl"], folder / "snapshot", Options(workers=1, facts=folder / "facts.gz"))
    return Snapshot.open(folder / "snapshot")


@pytest.fixture(scope="module")
def made(atlas: Snapshot) -> Synthesis:
    return synthesize(atlas, 120, 7)


def score(world: Snapshot, task: Task, report: str, cited: bool = True) -> Any:
    """The rubric's score of a report that cites the gold pages."""
    pages = {gold["url"]: world.page(gold["url"], gold.get("at")).text for gold in task.more["gold"]} if cited else {}
    return RubricReward()(Trajectory(task.id, "answered", report, tuple(pages)), task, pages)


def assert_sound(world: Snapshot, data: dict[str, Any]) -> None:
    """What must hold for every task: the truth scores 1, guesses and lies do not, and each lie is seen."""
    task = Task.of(data)
    truth = "\n".join([data["answer"]["value"], *(gold["quote"] for gold in data["gold"])])
    assert score(world, task, truth).value == 1.0, (task.id, truth)
    lies = "\n".join(claim["false"] for claim in data["claims"])
    seen, empty = score(world, task, lies), score(world, task, "")
    flaws = [criterion["id"] for criterion in data["rubric"] if criterion["weight"] < 0]
    assert flaws
    assert all(seen.parts[f"criterion {name}"] == 1.0 for name in flaws), (task.id, lies)
    assert seen.value < empty.value
    assert score(world, task, data["question"], cited=False).value <= data["meta"]["chance"], task.question
    if data["kind"] == "report":
        return
    swapped = truth
    for claim in data["claims"]:
        swapped = f"{claim['false']}\n" + swapped.replace(claim["true"], claim["false"])
    assert score(world, task, swapped).value < 0.5, (task.id, swapped)
    for rival in data["rubric"][0]["check"].get("rivals", ()):
        value = rival["values"][0] if "values" in rival else f"{rival['number']:,.2f}"
        assert score(world, task, f"It is {value}.").value < 0.5, (task.id, value)


def test_every_task_is_sound(atlas: Snapshot, made: Synthesis) -> None:
    assert Counter(task["kind"] for task in made.tasks) == dict.fromkeys(KINDS, 20)
    assert len(read_tasks(made.tasks)) == 120
    for task in made.tasks:
        assert_sound(atlas, task)


def test_answers_follow_from_the_facts(made: Synthesis) -> None:
    newest = {(f.subject, f.relation): f for i in range(12) for f in facts_of(i, 1)}
    for task in made.tasks:
        subject, relation = task["meta"]["entities"][-1], task["meta"]["relations"][-1]
        if task["kind"] in ("single_hop", "multi_hop"):
            assert task["answer"]["value"] == newest[subject, relation].value
        elif task["kind"] == "comparison":
            sign = 1 if "lower" in task["question"] else -1
            ranked = sorted(task["meta"]["entities"], key=lambda name: sign * (newest[name, relation].number or 0))
            assert task["answer"]["value"] == ranked[0]
        elif task["kind"] == "aggregation":
            i = LANDS.index(task["meta"]["entities"][0])
            members = [LANDS[(i + j) % 12] for j in (1, 3, 9, 11)]
            sign = 1 if "lowest" in task["question"] else -1
            assert task["answer"]["value"] == min(members, key=lambda name: sign * (newest[name, relation].number or 0))


def test_questions_are_as_they_should_be(made: Synthesis) -> None:
    for task in made.tasks:
        asked, changes = task["question"], task["meta"]["relations"][-1] in ("population", "leader")
        assert task["kind"] in ("comparison", "aggregation", "report") or task["answer"]["value"] not in asked
        dated = task["kind"] == "report" or (changes and task["kind"] != "temporal")
        assert ("newest edition" in asked) == dated, asked
        assert ("as_of" in task) == (task["kind"] == "temporal" and "egin" not in asked)
        assert asked[0].isupper()
        assert not any(slot in asked for slot in ("{", "the the ", "  "))
    first = [task["kind"] for task in made.tasks[:12]]
    assert Counter(first) == dict.fromkeys(KINDS, 2), "the first tasks are a balanced set"
    assert all(reason for _, reason in made.discards)
    described = [task["question"] for task in made.tasks if task["kind"] == "multi_hop"]
    assert any("longest border" in text for text in described)
    assert any("whose capital" in text for text in described)


def test_roles_are_reread_from_the_question(made: Synthesis) -> None:
    reasons = Counter(reason for _, reason in made.discards)
    assert reasons["a role read from the question is not the role that the fact was given"] == 0
    for task in made.tasks:
        if task["kind"] == "report":
            roles = Counter(criterion["role"] for criterion in task["rubric"] if criterion["id"].startswith("fact"))
            assert 4 <= roles["explicit"] <= 7
            assert roles["implicit"] == 1


def test_what_cannot_be_asked_is_refused_with_a_reason(tmp_path: Path) -> None:
    one = [
        Fact("Avarel", url(0), "capital", "Avarel", DATES[0]),
        Fact("Brunn", url(1), "area", "5 sq km", DATES[0], 5.0),
    ]
    write_facts(tmp_path / "facts.gz", RELATIONS, one)
    made = synthesize(None, 12, 0, facts=tmp_path / "facts.gz")
    reasons = {reason for _, reason in made.discards}
    assert {"the question holds the answer", "no number in common", "too few facts for a report"} <= reasons
    assert any(reason.startswith("the facts hold no more") for reason in reasons)
    with pytest.raises(UnknownName, match="Did you mean 'report'"):
        synthesize(None, 1, 0, facts=tmp_path / "facts.gz", kinds=["reports"])
    with pytest.raises(UsageError, match="no facts"):
        synthesize(None, 1, 0)


def test_halves_share_no_entity(made: Synthesis) -> None:
    kept, dropped = split_by_entities(made.tasks, seed=1)
    halves = {half: {e for t in kept if t["split"] == half for e in t["meta"]["entities"]} for half in ("tune", "test")}
    assert halves["tune"]
    assert halves["test"]
    assert not halves["tune"] & halves["test"]
    assert dropped == len(made.tasks) - len(kept) > 0
    assert [task["id"] for task in kept] == [t["id"] for t in made.tasks if t["id"] in {k["id"] for k in kept}]


_PRINT = """
import hashlib, json, sys
from pathlib import Path
from murk.envs.worlds.synthesize import split_by_entities, synthesize
made = synthesize(Path(sys.argv[1]), 60, 3)
kept = split_by_entities(made.tasks)
print(hashlib.sha256(json.dumps([made.tasks, made.discards, kept]).encode()).hexdigest())
"""


def test_the_same_in_every_process(atlas: Snapshot) -> None:
    def digest(seed: str) -> bytes:
        environment = os.environ | {"PYTHONHASHSEED": seed}
        return subprocess.check_output([sys.executable, "-c", _PRINT, str(atlas.folder)], env=environment)

    assert digest("1") == digest("2")
    assert synthesize(atlas, 12, 1).tasks != synthesize(atlas, 12, 2).tasks


@pytest.mark.data
@pytest.mark.slow
def test_tasks_over_the_real_pages(data: Path, tmp_path: Path) -> None:
    report = build_factbook(data, tmp_path / "world")
    assert (report.captures, report.pages) == (5_694, 4_875)
    world = Snapshot.open(tmp_path / "world")
    made = synthesize(world, 3_000, 0)
    for task in made.tasks[:300]:
        assert_sound(world, task)
    kept, dropped = split_by_entities(made.tasks)
    counts = Counter(task["kind"] for task in kept if task["split"] == "test")
    assert len(kept) >= 1_000
    assert dropped < 1_500
    assert sum(count for kind, count in counts.items() if kind != "report") >= 500
    assert min(counts.values()) >= 10  # an aggregation is kept only where all that it compares lies in one half
