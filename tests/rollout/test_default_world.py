"""The tasks of the default world are sound: an oracle solves them, and nobody else gets anything for nothing."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from murk.envs import plugins
from murk.envs.actions import ToolCall, Turn, render_turn
from murk.envs.citations import cite_key
from murk.envs.codec import canonical_json
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task, read_tasks
from murk.rewards.rubric import RubricReward
from murk.rollout.build import compose
from murk.rollout.episode import run_episode
from murk.rollout.sources import prepare_tasks, prepare_world

OPEN = {"single_hop", "multi_hop", "temporal", "report"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The default world and its tasks, as `murk rollout` makes them."""
    folder, config = tmp_path_factory.mktemp("default"), compose([])
    snapshot = prepare_world(config["world"], folder)
    return snapshot, prepare_tasks(config["tasks"], snapshot, folder)[0]


@pytest.fixture(scope="module")
def env(world: tuple[Path, Path]) -> DeepResearchEnv:
    return DeepResearchEnv(str(world[0]), str(world[1]), reward=None)


def score(env: DeepResearchEnv, task: Task, turns: list[str]) -> float:
    """The reward of a list of turns."""
    policy = plugins.load("policies", "scripted")(turns=tuple(turns))
    trajectory = asyncio.run(run_episode(env, policy, task=task.id))
    assert trajectory.error is None
    pages = {url: page.text for url, page in env.desk.pages.items()}
    value = RubricReward()(trajectory, task, pages).value
    assert value is not None
    return value


def told_by(task: Task, report: str) -> float:
    """The reward of a report that is given at once."""
    return RubricReward()(Trajectory(task.id, "answered", report), task, {}).value or 0.0


def oracle(task: Task) -> Iterator[str]:
    """Opens the gold pages by the ordinary tool, and reports the answer with what they say."""
    gold: list[dict[str, Any]] = list(task.more["gold"])
    for page in gold:
        arguments = {"action": "batch_open", "urls": [page["url"]]} | ({"at": page["at"]} if page.get("at") else {})
        yield render_turn(Turn("", (ToolCall("batch_web_surfer", canonical_json(arguments)),)), "step")
    answer = task.more["answer"]["value"]
    said = "\n".join(f"{page['quote']} \\cite{{{cite_key(page['url'])}}}" for page in gold)
    yield f"<answer>{answer}\n{said}</answer>"


def test_an_oracle_that_follows_the_gold_pages_solves_every_task(env: DeepResearchEnv) -> None:
    scores = {task.id: score(env, task, list(oracle(task))) for task in env.tasks.values()}
    assert len(scores) >= 200
    assert {name: value for name, value in scores.items() if value < 0.95} == {}


def test_guessing_from_the_question_gets_no_more_than_chance(env: DeepResearchEnv) -> None:
    policy, rewards, chances = plugins.load("policies", "closed_book")(), defaultdict(list), defaultdict(list)
    for task in env.tasks.values():
        trajectory: Trajectory = asyncio.run(run_episode(env, policy, task=task.id))
        rewards[task.kind].append(RubricReward()(trajectory, task, {}).value or 0.0)
        chances[task.kind].append(task.more["meta"]["chance"])
    assert set(rewards) >= OPEN
    for kind, values in rewards.items():
        mean, chance = sum(values) / len(values), sum(chances[kind]) / len(values)
        spread = 2 * (sum(chance * (1 - chance) for chance in chances[kind])) ** 0.5 / len(values)
        assert mean <= chance + spread, kind
        if kind in OPEN:
            assert mean <= 0.1, kind


def test_telling_the_planted_lies_is_worse_than_saying_nothing(env: DeepResearchEnv) -> None:
    told = 0
    for task in env.tasks.values():
        claims = task.more.get("claims") or []
        if not claims:
            continue
        lies = " ".join(f"{claim['subject']}: {claim['relation']} {claim['false']}." for claim in claims)
        flaws = [criterion for criterion in task.rubric if criterion.weight < 0]
        only = replace(
            task, rubric=(Criterion("any", "says something", 1.0, check={"kind": "absent", "values": []}), *flaws)
        )
        assert told_by(only, lies) < told_by(only, "Unknown."), task.id
        told += 1
    assert told > 0.8 * len(env.tasks)


def test_the_world_and_its_tasks_are_the_same_everywhere(world: tuple[Path, Path], tmp_path: Path) -> None:
    config = compose([])
    snapshot = prepare_world(config["world"], tmp_path)
    again = prepare_tasks(config["tasks"], snapshot, tmp_path)[0]
    assert again.name == world[1].name
    assert again.read_bytes() == world[1].read_bytes()
    assert json.loads((snapshot / "manifest.json").read_text())["files"]["facts.jsonl.gz"]["bytes"] > 0
    assert len(read_tasks(again)) > 200
