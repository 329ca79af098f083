"""A cache of retrievals saves work and changes nothing else."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from murk.envs import DeepResearchEnv, plugins
from murk.envs.codec import canonical_json, encode
from murk.envs.errors import UsageError
from murk.envs.records import (
    Call,
    Failure,
    FileOp,
    Hits,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Search,
    Trajectory,
)
from murk.envs.web.replay import Replay
from murk.envs.web.retrievals import Retrievals
from murk.envs.web.snapshot import Snapshot
from murk.rollout.digest import digest
from murk.rollout.episode import run_episode

URL = "https://vale.example/lighthouse.html"
TASKS: list[dict[str, Any]] = [
    {
        "id": "light",
        "question": "When was the Skerry Light lit for the first time?",
        "gold": [{"url": URL, "quote": "1874"}],
        "claims": [
            {"id": "c", "subject": "Skerry Light", "type": "number", "true": "1874", "false": "1891", "url": URL}
        ],
    },
    {"id": "ferry", "question": "Who built the ferry Kittiwake?"},
]
STORM = {"intensity": 0.4, "faults": {"timeout": {}, "garbled": {}, "spam": {}, "injection": {}}}
LIES = {"intensity": 1, "faults": {"misinformation": {"mode": "altered"}, "slow": {}}}
REQUESTS: list[Request] = [
    Search("Skerry  Light", 3),
    Search("lighthouse", 50, "authority"),
    Open(URL),
    Open(URL, "2020"),
    Links(URL),
]


class Counting:
    """A world that counts what it is asked, with or without an identity."""

    def __init__(self, world: Any, change: Callable[[Response], Response] = lambda response: response) -> None:
        self._world, self._change = world, change
        self.count = 0

    def answer(self, request: Request, call: Call) -> Response:
        self.count += 1
        return self._change(self._world.answer(request, call))


def text(response: Response) -> str:
    return canonical_json(encode(response))


def episodes(vale_dir: Path, folder: Path | None, faults: dict[str, Any]) -> tuple[list[str], DeepResearchEnv]:
    """Digests of a few episodes."""
    given = None if folder is None else str(folder)
    env = DeepResearchEnv(str(vale_dir), TASKS, reward=None, faults=faults, retrievals=given, tools="research")
    policy = plugins.load("policies", "careful")()

    def run(task: str, sample: int) -> Trajectory:
        return asyncio.run(run_episode(env, policy, task=task, sample=sample, seed=3))

    found = [run(task["id"], sample) for task in TASKS for sample in range(2)]
    assert all(trajectory.status == "answered" for trajectory in found)
    assert any(trajectory.events for trajectory in found)
    return [digest(trajectory, {}) for trajectory in found], env


@pytest.mark.parametrize("faults", [STORM | {"scope": "episode"}, LIES])
def test_an_episode_is_the_same_with_a_cold_a_warm_and_no_cache(
    faults: dict[str, Any], vale_dir: Path, tmp_path: Path
) -> None:
    without, _ = episodes(vale_dir, None, faults)
    cold, _ = episodes(vale_dir, tmp_path / "cache", faults)
    warm, env = episodes(vale_dir, tmp_path / "cache", faults)
    assert without == cold == warm
    assert env.retrievals is not None
    assert env.retrievals.asked > 0
    again, _ = episodes(vale_dir, tmp_path / "cache", faults | {"intensity": 0.9})
    assert again != warm


def test_counters_are_of_the_episode_and_not_in_info(vale_dir: Path, tmp_path: Path) -> None:
    actions = [
        json.dumps({"name": "batch_web_surfer", "arguments": {"action": "batch_open", "urls": [URL, URL + "x"]}}),
        json.dumps({"name": "batch_web_surfer", "arguments": {"action": "batch_search", "queries": ["light"]}}),
    ]
    told = []
    for replay in (False, False, True):
        env = DeepResearchEnv(str(vale_dir), TASKS, retrievals=str(tmp_path), replay=replay)
        assert env.retrievals is not None
        for _ in range(2):
            steps: list[Any] = [env.reset(seed=1, options={"task": "light"})]
            assert (env.retrievals.asked, env.retrievals.hit) == (0, 0)
            steps += [env.step(f"<toolcall>{action}</toolcall>") for action in (*actions, actions[0])]
            told.append((steps, env.retrievals.asked, env.retrievals.hit))
    assert [(asked, hit) for _, asked, hit in told] == [(4, 0)] + [(4, 2)] * 5  # failures are asked for each time
    assert all(steps == told[0][0] for steps, _, _ in told)


def test_a_spec_with_a_cache_survives_json(vale_dir: Path, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {"snapshot": str(vale_dir), "tasks": TASKS, "retrievals": str(tmp_path), "reward": None}
    made = gymnasium.make("murk.envs:murk/DeepResearch-v0", **kwargs)
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(made.spec.to_json()))  # type: ignore[union-attr]
    assert repr(again.unwrapped.retrievals) == repr(made.unwrapped.retrievals)  # type: ignore[attr-defined]


def test_answers_are_the_worlds_own(vale: Snapshot, tmp_path: Path) -> None:
    own = [text(vale.answer(request, Call())) for request in REQUESTS]
    world = Retrievals(vale, tmp_path)
    assert [text(world.answer(request, Call())) for request in REQUESTS * 2] == own * 2
    assert (world.asked, world.hit) == (10, 5)
    outside = FileOp("read", "notes.md")
    assert world.answer(outside, Call()) == vale.answer(outside, Call())
    assert world.asked == 10


def test_more_hits_answer_fewer_and_not_the_other_way(vale: Snapshot, tmp_path: Path) -> None:
    world = Retrievals(vale, tmp_path)
    hits = []
    for k in (0, 2, 5, 3, 1, 0, 4):
        request = Search("the light of the vale", k)
        assert text(world.answer(request, Call())) == text(vale.answer(request, Call()))
        hits.append(world.hit)
    assert hits == [0, 0, 0, 1, 2, 2, 3]


def test_only_an_equal_world_and_an_equal_query_meet_an_entry(vale_dir: Path, vale: Snapshot, tmp_path: Path) -> None:
    Retrievals(vale, tmp_path).answer(REQUESTS[0], Call())

    def hit(world: Any, request: Request = REQUESTS[0], name: str = "") -> int:
        asked = Retrievals(world, tmp_path, name)
        asked.answer(request, Call())
        return asked.hit

    other = Snapshot(vale_dir, vale.info | {"files": {}})
    assert hit(Snapshot.open(vale_dir)) == 1
    assert hit(Snapshot.open(vale_dir, authority=False)) == hit(Replay(vale)) == hit(vale, name="x") == hit(other) == 0
    assert hit(Replay(vale, "empty")) == hit(Replay(vale, "search")) == 0
    assert hit(vale, Search("skerry light", 3)) == hit(vale, Search("Skerry  Light", 3, "library")) == 0
    assert hit(Counting(vale), name="live") == 0
    assert hit(Counting(vale), name="live") == 1


def test_a_world_without_identity_needs_a_name(vale: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no identity"):
        Retrievals(Counting(vale), tmp_path)
    with pytest.raises(UsageError, match="no identity"):
        DeepResearchEnv(Counting(vale), TASKS, retrievals=str(tmp_path))
    env = DeepResearchEnv(Retrievals(vale, tmp_path), TASKS, faults=LIES)  # the lies find the snapshot
    assert env.reset(seed=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda response: Failure("timeout", 0, "late"),
        lambda response: replace(response, cost=1),  # comes back from JSON as 1.0
        lambda response: replace(response, cost=float("nan")),
        lambda response: replace(response, title="\ud800"),
    ],
)
def test_what_would_not_come_back_as_it_was_is_not_kept(
    change: Callable[[Any], Response], vale: Snapshot, tmp_path: Path
) -> None:
    inner = Counting(vale, change)
    world = Retrievals(inner, tmp_path, "odd")
    assert text(world.answer(Open(URL), Call())) == text(world.answer(Open(URL), Call()))
    assert (inner.count, world.hit) == (2, 0)


@pytest.mark.parametrize(
    "damage",
    [
        "value = replace(value, '1874', '1891')",
        "value = substr(value, 1, 200)",
        "value = ''",
        "value = x'ff'",
        "value = CAST(x'ff20ff20ff' AS TEXT)",
        "value = 7",
        "mode = 4, value = x'80049520'",
        "filename = '../../etc/passwd'",
        "value = (SELECT value FROM Cache WHERE rowid = 3)",
        "value = replace(value, ' 1 ', ' 2 ')",
    ],
)
def test_a_damaged_or_hostile_entry_counts_as_absent(damage: str, vale: Snapshot, tmp_path: Path) -> None:
    world = Retrievals(vale, tmp_path)
    asked: list[Request] = [Open(URL), Open(URL, "2020"), Open(URL, "2019")]
    own = [text(world.answer(request, Call())) for request in asked]
    with closing(sqlite3.connect(tmp_path / "cache.db")) as db, db:
        assert db.execute(f"UPDATE Cache SET {damage} WHERE rowid < 3").rowcount == 2
    assert [text(world.answer(request, Call())) for request in asked] == own
    assert world.hit == 1
    assert [text(world.answer(request, Call())) for request in asked] == own
    assert world.hit == 4  # what is damaged is replaced


def forged(key: str, size: object, answer: str) -> str:
    from murk.envs.web.retrievals import _seal

    return f"{_seal(key, str(size), answer)} {size} {answer}"


@pytest.mark.parametrize(
    ("size", "answer"),
    [
        (9, text(Failure("refused", 403, "no"))),
        (9, text(Page(URL, "", ""))),
        (9, text(Hits((), -1.0))),
        (9, '{"type": "Call"}'),
        (9, "[" * 100_000),
        ("9" * 5000, text(Hits(()))),
        ("x", text(Hits(()))),
    ],
)
def test_a_sealed_entry_that_is_no_answer_counts_as_absent(
    size: object, answer: str, vale: Snapshot, tmp_path: Path
) -> None:
    world = Retrievals(vale, tmp_path)
    world._cache.set(key := world._key(REQUESTS[0]), forged(key, size, answer))
    assert text(world.answer(REQUESTS[0], Call())) == text(vale.answer(REQUESTS[0], Call()))
    assert world.hit == 0


def test_a_disk_that_fails_costs_nothing_but_time(
    vale: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Retrievals(vale, tmp_path)

    def fail(*given: object, **more: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(world._cache, "set", fail)
    monkeypatch.setattr(world._cache, "get", fail)
    assert isinstance(world.answer(Links(URL), Call()), LinkList)


def test_threads_share_a_folder(vale: Snapshot, vale_dir: Path, tmp_path: Path) -> None:
    own = [text(vale.answer(request, Call())) for request in REQUESTS]
    worlds = [Retrievals(vale, tmp_path) for _ in range(6)]
    assert len({id(world._cache) for world in worlds}) == 1

    def ask(world: Retrievals) -> list[str]:
        return [text(world.answer(request, Call())) for _ in range(20) for request in REQUESTS]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, worlds)) == [own * 20] * 6
    assert all(world.asked == 100 and world.hit >= 95 for world in worlds)


def test_another_process_finds_what_this_one_kept(vale: Snapshot, vale_dir: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from murk.envs.records import Call, Open, Search
from murk.envs.web.retrievals import Retrievals
from murk.envs.web.snapshot import Snapshot
world = Retrievals(Snapshot.open(sys.argv[1]), Path(sys.argv[2]))
world.answer(Search("Skerry  Light", 3), Call())
world.answer(Open("https://vale.example/"), Call())
print(world.asked, world.hit)
"""
    Retrievals(vale, tmp_path).answer(REQUESTS[0], Call())
    command = [sys.executable, "-c", code, str(vale_dir), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2 1\n"
