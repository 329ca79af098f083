"""The environment behind faults, as an agent and as a researcher meet it."""

import json
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from murk.envs import DeepResearchEnv, FaultyWorld, UsageError
from murk.envs.checks import check_research_env
from murk.envs.errors import UnknownName

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
ALL = {"name": "all", "faults": {"timeout": {"weight": 0.5}, "garbled": {"weight": 0.5}, "spam": {}, "injection": {}}}


def call(name: str, **arguments: Any) -> str:
    return f"<toolcall>{json.dumps({'name': name, 'arguments': arguments})}</toolcall>"


SEARCH = call("batch_web_surfer", action="batch_search", queries=["Skerry Light lit first"], topk=5)
OPEN = call("batch_web_surfer", action="batch_open", urls=[URL])
PLAN = [SEARCH, OPEN, OPEN, call("links", url=URL), call("find", url=URL, text="18"), "<answer>1874</answer>"]


def play(env: DeepResearchEnv, seed: int = 0, sample: int = 0, plan: list[str] = PLAN) -> list[Any]:
    return [
        env.reset(seed=seed, options={"task": "light", "sample": sample})[0],
        *(env.step(action) for action in plan),
    ]


def make(vale_dir: Path, faults: dict[str, Any] | None) -> DeepResearchEnv:
    return DeepResearchEnv(str(vale_dir), TASKS, faults=faults)


def test_without_intensity_there_are_no_faults(vale_dir: Path) -> None:
    assert play(make(vale_dir, ALL | {"intensity": 0})) == play(make(vale_dir, None))


def test_events_are_told_to_the_researcher_and_not_to_the_agent(vale_dir: Path) -> None:
    env = make(vale_dir, {"intensity": 1, "faults": {"server_error": {}}})
    steps = play(env)[1:]
    assert [[event.fault for event in step[4]["faults"]] for step in steps] == [["server_error"]] * 5 + [[]]
    assert len(env.events) == 5
    assert all(event.raw != event.delivered for event in env.events)
    shown = "".join(step[0] for step in steps)
    assert not any(part in shown for event in env.events for part in (event.delivered, event.unit))
    assert "error -1: 5" in steps[0][0]
    assert isinstance(env.faulty, FaultyWorld)


def test_a_lie_is_the_same_in_snippet_page_and_every_visit(vale_dir: Path) -> None:
    env = make(vale_dir, {"intensity": 1, "faults": {"misinformation": {"mode": "altered"}}})
    observations = [step[0] for step in play(env)[1:4]]
    assert all("1891" in observation and "1874" not in observation for observation in observations)
    event = env.events[0]
    assert (event.kind, event.truth["value"], event.lie["value"]) == ("content", "1874", "1891")


def test_samples_share_the_faults_or_have_their_own(vale_dir: Path) -> None:
    faults = {"intensity": 0.5, "faults": {"timeout": {}}}
    shared, own = make(vale_dir, faults), make(vale_dir, faults | {"scope": "episode"})
    assert len({str(play(shared, sample=sample)) for sample in range(6)}) == 1
    assert len({str(play(own, sample=sample)) for sample in range(6)}) > 1
    assert len({str(play(shared, seed=seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize(
    ("faults", "error", "words"),
    [
        ({"faults": {"timeot": {}}}, UnknownName, "Did you mean 'timeout'"),
        ({"faults": {"timeout": {"secnds": 3}}}, UnknownName, "timeout"),
        ({"intensity": 2, "faults": {}}, UsageError, "0 to 1"),
        ({"scope": "world", "faults": {}}, UnknownName, "scope"),
        ({"faults": {"spam": {"schedule": "sticky"}}}, UnknownName, "spam"),
        ({"fault": {}}, UnknownName, "faults"),
    ],
)
def test_wrong_faults_are_refused_at_once(
    vale_dir: Path, faults: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(vale_dir, faults)


def test_content_faults_need_a_snapshot(vale_dir: Path) -> None:
    world = make(vale_dir, None).web

    class Other:
        def answer(self, request: Any, call: Any) -> Any:
            return world.answer(request, call)

    assert DeepResearchEnv(Other(), TASKS, faults={"faults": {"timeout": {}}})
    with pytest.raises(UsageError, match="need a snapshot"):
        DeepResearchEnv(Other(), TASKS, faults={"faults": {"spam": {}}})


def test_the_contract_holds_behind_faults(vale_dir: Path) -> None:
    faults = ALL | {"intensity": 0.5}
    made = gymnasium.make("murk.envs:murk/DeepResearch-v0", snapshot=str(vale_dir), tasks=TASKS, faults=faults)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)
    check_research_env(make(vale_dir, faults), PLAN)
    assert make(vale_dir, faults).reset(seed=1)


def test_drift_renames_arguments_and_the_error_says_how(vale_dir: Path) -> None:
    faults = {"intensity": 1, "faults": {"renamed_arguments": {"first": 0, "last": 0}}}
    env = make(vale_dir, faults)
    observation = play(env, plan=[call("find", url=URL, text="18")])[1][0]
    assert "unknown argument" in observation
    known = observation.split("Known: ")[1].split(".")[0].split(", ")
    assert {"url", "text"} - set(known)
    assert env.events[0].fault == "renamed_arguments"
