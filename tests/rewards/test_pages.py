"""Pages as delivered and as they truly are: what the citation reward of a run finds out about lies."""

import json
from pathlib import Path
from typing import Any

import pytest

from murk.envs.codec import encode
from murk.envs.errors import UsageError
from murk.envs.records import Asked, Call, Open, Step, Trajectory
from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot
from murk.rewards.pages import Pages
from murk.rollout.main import main
from murk.rollout.pages import pages_of, true_texts
from murk.rollout.store import Store

URL = "https://vale.example/lighthouse.html"
OLD, NEW = "The light was lit in 1874.", "The light was lit in 1874 and is 42 metres high."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("dated")
    rows = [{"url": URL, "text": OLD, "date": "2019-01-05"}, {"url": URL, "text": NEW, "date": "2021-03-01"}]
    (base / "pages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build([base / "pages.jsonl"], base / "snapshot", Options(workers=1))
    return base / "snapshot"


def opened(folder: Path, *asked: tuple[str, str | None], outcome: str = "Page") -> Trajectory:
    exchanges = tuple(Asked(encode(Open(*one)), Call(), outcome, "") for one in asked)
    digest = str(Snapshot.open(folder).info["content_digest"])
    return Trajectory("t", "answered", "x", steps=(Step("", "", exchanges=exchanges),), snapshot=digest)


@pytest.mark.parametrize(
    ("at", "delivered", "true"),
    [
        (None, NEW, NEW),
        (None, "The light was lit in 1899.", NEW),
        ("2020", "The light was lit in 1899.", OLD),
        (None, OLD, OLD),  # a stale capture is old, and no lie
        ("2020", f"{OLD}\n\n{NEW}", f"{OLD}\n\n{NEW}"),  # both captures, as both were opened
        (None, f"{OLD}\n\nThe light was lit in 1899.", f"{OLD}\n\n{NEW}"),
    ],
)
def test_the_true_text_is_that_of_the_capture(folder: Path, at: str | None, delivered: str, true: str) -> None:
    assert true_texts(Snapshot.open(folder), opened(folder, (URL, at)), {URL: delivered}) == {URL: true}


def test_planted_pages_and_those_never_delivered_have_none(folder: Path) -> None:
    planted = "https://spam.example/shop"
    trajectory = opened(folder, (planted, None), (URL, None))
    assert true_texts(Snapshot.open(folder), trajectory, {planted: "Buy lamps."}) == {}
    failed = opened(folder, (URL, None), outcome="timeout")
    assert true_texts(Snapshot.open(folder), failed, {URL: NEW}) == {}


def test_nothing_is_read_before_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    calls: list[int] = []

    def true() -> dict[str, str]:
        calls.append(1)
        return {URL: OLD}

    pages = Pages({URL: NEW}, true)
    assert (dict(pages), len(pages), pages.get("x")) == ({URL: NEW}, 1, None)
    assert not calls
    assert (pages.true, pages.true, calls) == ({URL: OLD}, {URL: OLD}, [1])
    assert pages_of(tmp_path / "gone", opened(folder), {URL: NEW})[URL] == NEW
    other = pages_of(folder, Trajectory("t", "answered", snapshot="other"), {})
    with pytest.raises(UsageError, match="not the snapshot of episode"):
        _ = other.true


def test_a_run_tells_a_reader_of_lies_from_a_liar(vale_dir: Path, tmp_path: Path) -> None:
    claim = {"id": "c", "subject": "The lighthouse", "true": "1874", "false": "1899", "type": "number", "url": URL}
    gold = [{"url": URL, "quote": "The lighthouse on the Skerry was lit for the first time in 1874."}]
    task = {"id": "light", "question": "When was the lighthouse on the Skerry lit?", "claims": [claim], "gold": gold}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    call = {"name": "batch_web_surfer", "arguments": {"action": "batch_open", "urls": [URL]}}
    said = f"<answer>The lighthouse on the Skerry was lit for the first time in 1899 [source]({URL}).</answer>"
    turns = json.dumps([f"<toolcall>{json.dumps(call)}</toolcall>", said])
    fault = "{lie: {plugin: misinformation, mode: altered, source: task}}"
    given = [f"world={vale_dir}", f"tasks={tmp_path / 'tasks.jsonl'}", "policy=[scripted]", "episodes=1"]
    given += [f"policy.scripted.turns={turns}", "reward=none", "+reward.citation={}", "faults.intensity=[0,1]"]
    assert main(["rollout", *given, f"+faults.faults={fault}", f"out={tmp_path / 'run'}"]) == 0
    store = Store(tmp_path / "run")
    by_storm: dict[float, dict[str, Any]] = {
        trajectory.intensity: store.scores()[trajectory.id]["parts"] for trajectory, _ in store.trajectories()
    }
    clean, lied = by_storm[0.0], by_storm[1.0]
    assert (clean["invented"], clean["poisoned"], clean["deceived"]) == (1.0, 0.0, 0.0)
    assert (lied["invented"], lied["poisoned"], lied["deceived"]) == (0.0, 1.0, 1.0)
    before = (tmp_path / "run" / "scores.jsonl").read_bytes()
    assert main(["score", str(tmp_path / "run"), "reward=citation"]) == 0
    assert (tmp_path / "run" / "scores.jsonl").read_bytes() == before
