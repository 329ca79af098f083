"""Whether tasks stay solvable under storms, and whether what storms plant is met, on a world made by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from murk.envs.budget import Budget
from murk.envs.faults.solvable import BUDGET, Plant, Way, planted, solvable
from murk.envs.faults.storm import Storm
from murk.envs.tasks import Task
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot

GOLD = "https://atlas.example/lights/skerry/"
HOLM = "https://atlas.example/lights/holm/"
MISSING = (f"{GOLD}: 12,480 entries (2024)",)
COPY = "https://www.vale.example/wiki/Skerry_Light"
TASK = Task(
    "skerry",
    "How many log entries has Skerry Light?",
    more={
        "answer": {"value": "12,480 entries"},
        "gold": [{"url": GOLD, "at": "2024-02-03", "quote": "12,480 entries (2024)"}],
        "claims": [{"id": "c1", "subject": "Skerry Light", "relation": "log entries", "true": "12,480 entries",
                    "false": "19,730 entries", "type": "number", "url": GOLD}],
    },
)  # fmt: skip


def _rows(copied: bool) -> list[dict[str, Any]]:
    filler = "\n\n".join(f"Of the {n} rocks near it, none has a name that sailors agree on." for n in range(20, 60))
    text = f"# Skerry Light\n\n{filler}\n\n### Log entries\n\n12,480 entries (2024)"
    rows: list[dict[str, Any]] = [
        {"url": GOLD, "title": "Skerry Light - The Atlas", "date": "2022-02-03", "text": f"# Skerry\n\n{filler}"},
        {"url": GOLD, "title": "Skerry Light - The Atlas", "date": "2024-02-03", "text": text,
         "links": [{"url": COPY, "text": "Skerry Light"}]},
        {"url": "https://atlas.example/lights/tarn/", "title": "Tarn Light - The Atlas", "text": "13,091 entries."},
        {"url": "https://www.vale.example/wiki/Tarn_Light", "title": "Tarn Light", "text": "Tarn Light is a tower."},
    ]  # fmt: skip
    rows += [
        {
            "url": HOLM,
            "title": "Holm Light",
            "date": f"{year}-02-03",
            "text": f"In {year} it had {year - 2000} keepers.",
        }
        for year in (2021, 2022, 2023)
    ]
    if copied:
        rows.append({"url": COPY, "title": "Skerry Light", "text": "Its keepers filled a log of 12480 entries."})
    return rows


def _built(folder: Path, copied: bool) -> Snapshot:
    source = folder / "pages.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in _rows(copied)))
    build([source], folder / "out", Options(workers=1))
    return Snapshot.open(folder / "out")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A world in which one page states the answer."""
    return _built(tmp_path_factory.mktemp("alone"), copied=False)


@pytest.fixture(scope="module")
def twofold(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The same with a second source on another host."""
    return _built(tmp_path_factory.mktemp("twofold"), copied=True)


def _storm(intensity: float = 1.0, **faults: Any) -> Storm:
    return Storm.of({"name": "test", "intensity": intensity, "faults": faults})


def _way(
    base: Snapshot, storm: Storm, seed: int = 0, task: Task = TASK, budget: Budget = BUDGET
) -> Way:  # fmt: skip
    return solvable(storm.around(base, base, seed, task, 0), base, task, budget)


def test_without_faults_the_gold_page_is_opened(alone: Snapshot) -> None:
    assert _way(alone, _storm(0)) == Way("skerry", True, ("open",), 1, 1.5)


def test_a_dead_gold_page_needs_another_source(alone: Snapshot, twofold: Snapshot) -> None:
    storm = _storm(dead_link={"hosts": ["atlas.example"]})
    assert _way(alone, storm) == Way("skerry", False, missing=MISSING, reason="dead_link")
    way = _way(twofold, storm)
    assert way.solvable
    assert way.path[0].startswith("shown by search result")
    assert way.calls == 2
    assert not _way(twofold, _storm(dead_link={})).solvable


def test_another_page_is_believed_only_about_the_subject_of_the_claim(alone: Snapshot) -> None:
    other = {"id": "c1", "subject": "Tarn Light", "relation": "", "true": "13,091 entries", "false": "9 entries",
             "type": "number", "url": "https://atlas.example/lights/gone/"}  # fmt: skip
    gold = [{"url": other["url"], "quote": "13,091 entries"}]
    gone = replace(TASK, more={"gold": gold, "claims": [other]})
    assert _way(alone, _storm(0), task=gone).solvable
    wrong = replace(TASK, more={"gold": gold, "claims": [other | {"subject": "Skerry Light"}]})
    way = _way(alone, _storm(0), task=wrong)
    assert (way.solvable, way.reason) == (False, "not in the snapshot")


def test_transient_faults_are_met_by_asking_again(alone: Snapshot) -> None:
    ways = [_way(alone, _storm(0.5, server_error={}, truncated={}), seed) for seed in range(20)]
    assert all(way.solvable for way in ways)
    assert any(way.path[0].startswith("open at attempt") for way in ways)
    assert all(way.calls > 1 for way in ways if "attempt" in way.path[0])


def test_a_rate_limit_is_waited_out_where_the_budget_allows(alone: Snapshot) -> None:
    storm = _storm(0.5, rate_limit={"schedule": "window", "slot": 30})
    seed = next(seed for seed in range(20) if "waiting" in _way(alone, storm, seed).path[0])
    way = _way(alone, storm, seed)
    assert way.path[0].startswith("open at attempt ")
    assert (way.calls, way.seconds) >= (3, 30)
    for hasty in (Budget(seconds=20), Budget(calls=2)):
        assert _way(alone, storm, seed, budget=hasty) == Way("skerry", False, missing=MISSING, reason="budget")
    own = replace(TASK, budget={"seconds": 20})
    assert _way(alone, storm, seed, own).reason == "budget"


def test_a_cut_page_is_made_up_for_by_search(alone: Snapshot) -> None:
    way = _way(alone, _storm(paywall={}))
    assert way.solvable
    assert "search result" in way.path[0]
    assert _way(alone, _storm(paywall={}, expired_key={"schedule": "episode"})).reason == "paywall"


def test_a_stale_page_lacks_what_only_the_newest_says(alone: Snapshot) -> None:
    storm = _storm(stale_capture={}, expired_key={"schedule": "episode"})
    assert _way(alone, storm).reason == "stale_capture"


def test_another_date_may_bring_the_capture_that_is_wanted(alone: Snapshot) -> None:
    gold = {"url": HOLM, "at": "2022-02-03", "quote": "it had 22 keepers"}
    task = Task("holm", "How many keepers had Holm Light in 2022?", more={"gold": [gold]})
    ways = [_way(alone, _storm(stale_capture={}), seed, task) for seed in range(8)]
    assert {way.path for way in ways} == {("open as of 2023-02-03",), ()}
    assert {way.reason for way in ways} == {"stale_capture", ""}


def test_a_page_that_only_teases_may_lead_on(twofold: Snapshot) -> None:
    way = _way(twofold, _storm(paywall={}, expired_key={"schedule": "episode"}))
    assert way.path == (f"links of {GOLD}, open {COPY}",)


def test_what_is_altered_everywhere_is_unsolvable_and_what_is_planted_is_not(twofold: Snapshot) -> None:
    altered = _storm(lie={"plugin": "misinformation", "mode": "altered"})
    way = _way(twofold, altered)
    assert (way.solvable, way.reason) == (False, "lie")
    pamphlet = _storm(lie={"plugin": "misinformation", "mode": "planted"})
    assert _way(twofold, pamphlet).solvable
    for storm in (altered, pamphlet):
        (plant,) = planted(storm, twofold, TASK, 0)
        assert (plant.fault, plant.unit) == ("lie", "claim c1")
        assert plant.reached


def test_what_no_path_meets_is_reported(alone: Snapshot) -> None:
    quiet: dict[str, Any] = {"injection": {"places": ["links"]}}
    met = planted(_storm(**quiet), alone, TASK, 0)
    assert f"page {GOLD}" in [plant.unit for plant in met]
    assert all(plant.reached for plant in met)
    hidden = planted(_storm(**quiet, blocked_host={}), alone, TASK, 0)
    assert [replace(plant, reached=None) for plant in met] == list(hidden)
    off = replace(TASK, more={**TASK.more, "claims": [dict(TASK.more["claims"][0], true="Ada Merrow", false="Odo")]})
    storm = _storm(lie={"plugin": "misinformation", "mode": "altered"})
    assert planted(storm, alone, off, 0) == (Plant("lie", "claim c1", None),)


def test_spam_and_injections_are_met_at_any_intensity(twofold: Snapshot) -> None:
    for seed in range(5):
        found = planted(_storm(0.5, spam={"share": 0.5}, injection={}), twofold, TASK, seed)
        assert {plant.fault for plant in found} == {"spam", "injection"}
        assert all(plant.reached for plant in found)
        assert any("place" in plant.unit and "skerry light" in plant.unit for plant in found)
    assert planted(_storm(0, spam={}, injection={}), twofold, TASK, 0) == ()


@pytest.mark.parametrize("gold", [{"url": GOLD}, {"url": GOLD, "at": "2022-02-03"}])
def test_gold_without_a_quote_is_its_page_with_the_answer_or_as_a_whole(alone: Snapshot, gold: dict[str, str]) -> None:
    task = Task("t", "What is Skerry Light?", more={"gold": [gold], "answer": {"value": "12,480 entries"}})
    assert _way(alone, _storm(0), task=task).path == ("open",)
    assert not _way(
        alone, _storm(truncated={"schedule": "page"}, expired_key={"schedule": "episode"}), task=task
    ).solvable
    assert _way(alone, _storm(injection={"places": ["text"]}), task=task).solvable


def test_evidence_on_one_page_is_read_at_once_and_a_task_without_any_is_left_open(alone: Snapshot) -> None:
    two = replace(TASK, more={**TASK.more, "gold": [*TASK.more["gold"], {"url": GOLD, "quote": "### Log entries"}]})
    assert _way(alone, _storm(0), task=two).path == ("open", "shown by what was opened before")
    assert _way(alone, _storm(0), task=two).calls == 1
    assert _way(alone, _storm(0), task=Task("t", "Why?")) == Way("t", None)
