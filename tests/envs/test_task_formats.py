"""Formats of task files: real ones with their figures, and broken ones that must not be fatal."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Trajectory
from murk.envs.task_formats import FORMATS, Imported, import_tasks, read_format
from murk.envs.task_formats.creak import question
from murk.envs.tasks import Task, read_tasks, write_tasks
from murk.rewards import RubricReward

URL = "https://en.wikipedia.org/wiki/Wheat"
RECORDS: dict[str, dict[str, Any]] = {
    "creak": {"ex_id": "c1", "claim": "Wheat is blue.", "label": "false", "explanation": "It is not.",
              "entity": "Wheat", "url": URL},
    "strategyqa": {"qid": "s1", "question": "Is wheat blue?", "answer": False, "gold_urls": [URL], "facts": ["f"]},
    "researchrubrics": {"sample_id": "r1", "prompt": "Report!", "domain": "food", "rubrics": [
        {"criterion": "It names wheat", "weight": 5, "axis": "Explicit"},
        {"criterion": "It rambles", "weight": -2.0, "axis": "Quality", "note": "n"},
        {"criterion": "Nothing", "weight": 0, "axis": "Quality"}]},
    "scholarqa": {"case_id": "q1", "initial_prompt": "Why?", "annotator": "1", "metric_config": {"config": {
        "length_weight": 0.05, "other_properties": [
            {"name": "most_important_item_0", "criterion": "Because", "weight": 0.3, "evidence": ["e"]}]}}},
    "deepresearchbench": {"id": 7, "prompt": "研究小麦", "dimension_weight": {"insight": 0.4}, "criterions": {
        "insight": [{"criterion": "Depth", "explanation": "how deep", "weight": 0.25}]}},
    "qa": {"question": "Which grain?", "answer": "Wheat", "gold_urls": [URL], "aliases": ["Triticum"]},
}  # fmt: skip


def imported(tmp_path: Path, name: str, *records: Any, suffix: str = "jsonl") -> Imported:
    file = tmp_path / f"in.{suffix}"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return import_tasks(name, file)


def score(task: Task, report: str, *cited: str) -> float:
    value = RubricReward()(Trajectory(task.id, "answered", report, cited), task, {}).value
    assert value is not None
    return value


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "file", "tasks", "criteria"),
    [
        ("creak", "creak_in_wikispeedia.jsonl", 1372, 3 * 1372),
        ("strategyqa", "strategyqa_in_wikispeedia.jsonl", 532, 2 * 532 + 671),
        ("qa", "strategyqa_in_wikispeedia.jsonl", 532, 2 * 532 + 671),
        ("scholarqa", "scholarqa_rubrics.json", 110, 484),
        ("deepresearchbench", "deepresearchbench_criteria.jsonl", 100, 2517),
    ],
)
def test_real_files_are_read_whole(data: Path, tmp_path: Path, name: str, file: str, tasks: int, criteria: int) -> None:
    found = import_tasks(name, data / "tasks" / file)
    assert not found.skipped
    write_tasks(tmp_path / "a", found.tasks)
    write_tasks(tmp_path / "b", read_format(name, data / "tasks" / file))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    made = read_tasks(tmp_path / "a")
    assert len(made) == tasks
    assert sum(len(task.rubric) for task in made.values()) == criteria


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "file"), [("creak", "creak_in_wikispeedia.jsonl"), ("strategyqa", "strategyqa_in_wikispeedia.jsonl")]
)
def test_an_honest_report_gets_all_and_the_opposite_verdict_less_than_nothing(data: Path, name: str, file: str) -> None:
    for task in read_tasks(read_format(name, data / "tasks" / file)).values():
        urls = [page["url"] for page in task.more["gold"]]
        right, wrong = ("Yes", "No") if task.more["answer"]["value"] == "yes" else ("No", "Yes")
        assert score(task, f"{right}. The sources say so.", *urls) == 1.0
        assert score(task, f"{right}. The sources say so.") == pytest.approx(5 / 7)
        assert score(task, f"{wrong}. The sources say so.", *urls) == pytest.approx(-2 / 7)
        assert score(task, "Yes, it is true. No, it is not true.", *urls) < 0.3
        assert score(task, "Nobody knows.") == 0.0
        assert task.more["meta"]["chance"] == pytest.approx((5 - 4) / 2 / 7)


@pytest.mark.data
def test_a_page_lies_in_one_half_and_false_claims_can_be_planted(data: Path) -> None:
    claims = import_tasks("creak", data / "tasks" / "creak_in_wikispeedia.jsonl").tasks
    questions = import_tasks("strategyqa", data / "tasks" / "strategyqa_in_wikispeedia.jsonl").tasks
    halves: dict[str, set[str]] = {"tune": set(), "test": set()}
    for task in claims + questions:
        if "split" in task:
            halves[task["split"]] |= {page["url"] for page in task["gold"]}
    assert not halves["tune"] & halves["test"]
    assert Counter(task.get("split") for task in claims) == {"tune": 648, "test": 724}
    assert Counter(task.get("split") for task in questions) == {"tune": 234, "test": 235, None: 63}
    assert sum("claims" in task for task in claims) == 686
    for task in claims:
        assert ("claims" in task) == (task["answer"]["value"] == "no")
        assert task["question"].startswith("Is it true that ")
        assert task["question"].endswith("? Argue from sources.")


@pytest.mark.data
def test_weights_and_languages_of_real_rubrics(data: Path) -> None:
    reports = import_tasks("deepresearchbench", data / "tasks" / "deepresearchbench_criteria.jsonl").tasks
    assert Counter(task["language"] for task in reports) == {"zh": 50, "en": 50}
    assert all(task["meta"]["topic"] for task in reports)
    for task in reports:
        assert sum(entry["weight"] for entry in task["rubric"]) == pytest.approx(1.0)
        for axis, weight in task["meta"]["dimension_weight"].items():
            assert sum(e["weight"] for e in task["rubric"] if e["axis"] == axis) == pytest.approx(weight)
    experts = import_tasks("scholarqa", data / "tasks" / "scholarqa_rubrics.json").tasks
    assert len({task["question"] for task in experts}) == 100
    assert {task["meta"]["citations_weight"] for task in experts} == {0.2}
    assert sum(len(more["evidence"]) for task in experts for more in task["meta"]["criteria"].values()) > 1000


@pytest.mark.data
def test_the_language_is_seen_without_the_file_of_queries(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "criteria.jsonl"
    copy.write_bytes((data / "tasks" / "deepresearchbench_criteria.jsonl").read_bytes())
    assert Counter(task["language"] for task in read_format("deepresearchbench", copy)) == {"zh": 50, "en": 50}


@pytest.mark.parametrize(
    ("claim", "asked"),
    [
        ("The Rhine flows north.", "the Rhine flows north"),
        ("Isaac Newton was in the U.S.", "Isaac Newton was in the U.S."),
        ("Wheat is not like other wheat.", "wheat is not like other wheat"),
        ("Mark Twain left no mark", "Mark Twain left no mark"),
        ("NASA flies. ", "NASA flies"),
        ("X", "X"),
    ],
)
def test_a_claim_becomes_a_question(claim: str, asked: str) -> None:
    assert question(claim) == f"Is it true that {asked}? Argue from sources."


def test_negative_weights_are_flaws_and_unknown_fields_are_kept(tmp_path: Path) -> None:
    for suffix in ("jsonl", "json"):
        record = RECORDS["researchrubrics"] if suffix == "jsonl" else [RECORDS["researchrubrics"]]
        (task,) = imported(tmp_path, "researchrubrics", record, suffix=suffix).tasks
        rubric = [(entry["weight"], entry["role"], entry["axis"], "check" in entry) for entry in task["rubric"]]
        assert rubric == [(5.0, "explicit", "Explicit", False), (-2.0, "negative", "Quality", False)]
        assert task["meta"] == {"domain": "food", "criteria": {"1": {"note": "n"}}}
        assert task["id"] == "researchrubrics-r1"


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        ("Wheat", "It is triticum.", "Barley."),
        ("1,874", "in 1874", "in 1875"),
        (3.5e6, "3.52 million", "3.6 million"),
        ("No.", "No, it is not", "Yes, it is"),
        (True, "True.", "False."),
        ("['Oat', 'Oats']", "oats", "wheats"),
    ],
)
def test_an_answer_is_checked_by_its_nature(tmp_path: Path, answer: Any, right: str, wrong: str) -> None:
    aliases = ["Triticum"] if answer == "Wheat" else None
    (row,) = imported(tmp_path, "qa", RECORDS["qa"] | {"answer": answer, "aliases": aliases}).tasks
    task = Task.of(row)
    assert score(task, right, URL) == 1.0
    assert score(task, wrong) <= 0.0


def test_frames_as_tsv(tmp_path: Path) -> None:
    file = tmp_path / "frames.tsv"
    links = "\"['https://a.example/x', 'https://a.example/O\\'y', 'https://a.example/x']\""
    head = "\tPrompt\tAnswer\twikipedia_link_1\twiki_links\treasoning_types\n"
    file.write_text(f"\ufeff{head}0\tWho?\tAda\thttps://a.example/x\t{links}\tTabular\n1\tWhen?\t\t\t\t\n")
    found = import_tasks("qa", file)
    (task,) = found.tasks
    assert [page["url"] for page in task["gold"]] == ["https://a.example/x", "https://a.example/O'y"]
    assert [entry["weight"] for entry in task["rubric"]] == [5.0, 1.0, 1.0]
    assert task["meta"]["reasoning_types"] == "Tabular"
    assert (dict(found.skipped), found.examples["no answer"]) == ({"no answer": 1}, ["line 3: None"])


def test_ids_are_unique_and_stable(tmp_path: Path) -> None:
    first, again = RECORDS["qa"], RECORDS["qa"] | {"answer": "Rye"}
    found = imported(tmp_path, "qa", first, first, again, first | {"id": 3}, again | {"id": "\x1b[31m"})
    ids = [task["id"] for task in found.tasks]
    assert len(set(ids)) == 3
    assert ids[1].startswith(ids[0] + "-")
    assert ids[2] == "qa-3"
    assert found.skipped == {"a record that was there before": 2}
    assert [task["id"] for task in imported(tmp_path, "qa", first, again).tasks] == ids[:2]


@pytest.mark.parametrize(
    ("suffix", "content", "words"),
    [
        ("jsonl", b"", "it is empty"),
        ("jsonl", b'\n{"question": "q', "not JSON (1, line 2"),
        ("json", b'[{"claim": 3}, {"claim": ', "not JSON from here on (1, line 1"),
        ("json", b"[1 2]", "after a record"),
        ("json", b"[1", "the list has no end"),
        ("json", b"[" * 100_000, "not JSON from here on"),
        ("jsonl", b'{"a":' * 100_000, "not JSON"),
        ("jsonl", b"x" * (17 << 20) + b"\n3\n", "larger than 16 MiB (1, line 1); not a mapping (1, line 2: int)"),
        ("jsonl", b'{"question": NaN}', "NaN is not a number of JSON"),
        ("jsonl", bytes(range(256)) * 20, "not JSON"),
        ("csv", bytes(range(256)), "is not UTF-8 text"),
        ("json", b"[\xff]", "is not UTF-8 text"),
        ("csv", b"question\n" + b"x" * 200_000, "field larger than field limit"),
        ("csv", b"\nquestion\n1,2\n", "more cells than columns (1, line 3)"),
    ],
)  # fmt: skip
def test_a_file_without_a_usable_record_is_one_clear_line(
    tmp_path: Path, suffix: str, content: bytes, words: str
) -> None:
    file = tmp_path / f"in.{suffix}"
    file.write_bytes(content)
    for name in FORMATS:
        with pytest.raises(UsageError) as error:
            import_tasks(name, file)
        assert words in str(error.value)
        assert str(error.value).isprintable()


def test_what_is_no_file_or_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'creak'"):
        import_tasks("craek", tmp_path / "x")
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="is not a file"):
            import_tasks("creak", path)
    write_tasks(tmp_path / "x", [])
    with pytest.raises(UsageError, match="exists already"):
        write_tasks(tmp_path / "x", [])
    with pytest.raises(UsageError, match="cannot write"):
        write_tasks(tmp_path / "no" / "x", [])


@pytest.mark.parametrize("name", RECORDS)
def test_a_broken_record_is_counted_with_its_line(tmp_path: Path, name: str) -> None:
    """Each field in turn is missing or of a wrong type; the good record around it is read all the same."""
    good = RECORDS[name]
    wrong = [{field: value for field, value in good.items() if field != left} for left in good]
    odd: tuple[Any, ...] = (None, 3, [], {}, [[1]], "\ud800", 10**400)
    wrong += [good | {field: value} for field in good for value in odd]
    found = imported(tmp_path, name, good, *wrong, good | {"meta": 1})
    assert found.tasks[0]["id"].startswith(name)
    assert found.skipped.total() + len(found.tasks) == len(wrong) + 2
    assert found.skipped.total() >= len(good)
    assert all(example.startswith("line ") for examples in found.examples.values() for example in examples)
    assert len(read_tasks(found.tasks)) == len(found.tasks)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", RECORDS)
@given(st.data())
def test_any_record_is_a_task_or_broken(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    def mutated(value: Any) -> Any:
        if data.draw(st.integers(0, 5)) == 0:
            return data.draw(JSON)
        if isinstance(value, dict):
            return {key: mutated(entry) for key, entry in value.items()}
        return [mutated(entry) for entry in value] if isinstance(value, list) else value

    file = tmp_path_factory.getbasetemp() / f"fuzz-{name}.jsonl"
    records = [RECORDS[name], {field: mutated(value) for field, value in RECORDS[name].items()}]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = import_tasks(name, file)
    assert found.skipped.total() + len(found.tasks) == 2
    assert all(task.rubric for task in read_tasks(found.tasks).values())
