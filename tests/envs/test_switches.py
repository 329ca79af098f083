"""Each component can be switched off alone, and a spec keeps every setting."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from murk.envs.deep_research import DeepResearchEnv

NAME = "murk.envs:murk/DeepResearch-v0"
URL = "https://vale.example/lighthouse.html"
TASKS = [{"id": "light", "question": "When was the Skerry Light lit?"}]
PLAN: list[tuple[str, dict[str, Any]]] = [
    ("batch_web_surfer", {"action": "batch_search", "queries": ["lighthouse", "ferry", "LIGHTHOUSE"], "topk": 9}),
    ("batch_web_surfer", {"action": "batch_open", "urls": [URL]}),
    ("links", {"url": URL}),
    ("batch_web_surfer", {"action": "batch_open", "urls": [URL]}),
    ("find", {"text": "1874", "url": URL}),
    ("todo", {"updates": {"a": {"task": "read"}}}),
    ("file", {"action": "write", "path": "a.md", "content": "one two"}),
    ("file", {"action": "patch", "path": "a.md", "anchor": "two", "content": "2"}),
    ("file", {"action": "read", "path": "a.md"}),
]
SETTINGS: dict[str, Any] = {
    "tools": {"base": "research", "todo": False, "find": {"name": "grep", "around": 20}, "links": {"inline": 100}},
    "dialect": "hermes",
    "budget": {"calls": 40, "money": 2.5},
    "prices": {"per_call": 0.01},
    "max_steps": 12,
    "faults": {"intensity": 0.3, "faults": {"timeout": {}}},
    "authority": False,
    "cache": False,
    "patching": False,
    "summaries": False,
    "context": {"upper": 900, "lower": 500},
    "reward": None,
    "replay": True,
    "render_mode": "ansi",
}


def call(tag: str, name: str, arguments: dict[str, Any]) -> str:
    return f"<{tag}>{json.dumps({'name': name, 'arguments': arguments})}</{tag}>"


def play(env: Any, tag: str = "toolcall") -> list[tuple[str, dict[str, Any]]]:
    env.reset(seed=3, options={"task": "light"})
    seen = []
    for name, arguments in PLAN:
        observation, _, _, _, info = env.step(call(tag, name, arguments))
        seen.append((observation, info))
    return seen


def test_a_spec_keeps_every_setting_through_json(vale_dir: Path) -> None:
    made = gymnasium.make(NAME, snapshot=str(vale_dir), tasks=TASKS, **SETTINGS)
    assert made.spec is not None
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(made.spec.to_json()))
    assert again.spec == made.spec
    assert play(again, "tool_call") == play(made, "tool_call")
    assert again.render() == made.render()
    plain = gymnasium.make(NAME, snapshot=str(vale_dir), tasks=TASKS, dialect="hermes")
    assert play(plain, "tool_call") != play(made, "tool_call")


def test_without_the_cache_only_time_and_its_count_differ(vale_dir: Path) -> None:
    with_cache = play(DeepResearchEnv(str(vale_dir), TASKS))
    without = play(DeepResearchEnv(str(vale_dir), TASKS, cache=False))
    assert [observation for observation, _ in with_cache] == [observation for observation, _ in without]
    for (_, one), (_, other) in zip(with_cache, without, strict=True):
        assert {name for name in one if one[name] != other[name]} <= {"seconds", "cache_hits"}
    assert (with_cache[-1][1]["cache_hits"], without[-1][1]["cache_hits"]) == (3, 0)
    assert with_cache[-1][1]["seconds"] == pytest.approx(without[-1][1]["seconds"] - 3.0)


def test_without_summaries_results_are_whole(vale_dir: Path) -> None:
    tools = {"base": "research", "batch_web_surfer": {"inline": 50}}
    short = DeepResearchEnv(str(vale_dir), TASKS, tools=tools)
    whole = DeepResearchEnv(str(vale_dir), TASKS, tools=tools, summaries=False)
    cut, full = play(short)[1][0], play(whole)[1][0]
    assert "[cut at 50 of " in cut
    assert "[cut at " not in full
    assert short.desk.workspace.files
    assert [*whole.desk.workspace.files] == ["a.md"]


@pytest.mark.parametrize("tool", ["todo", "links", "find", "wait", "budget", "file"])
def test_a_tool_that_is_left_out_is_nowhere_offered(vale_dir: Path, tool: str) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, tools={"base": "research", tool: False})
    assert tool not in env.offers
    env.reset()
    observation, _, _, _, info = env.step(call("toolcall", tool, {}))
    assert f"Unknown tool {tool!r}." in observation
    assert (info["calls"], info["problems"], info["step"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("budget", "prices", "field"),
    [
        ({"tokens": 1_000}, None, "tokens"),
        ({"seconds": 4}, None, "seconds"),
        ({"money": 0.05}, {"per_call": 0.02}, "money"),
        ({"calls": 4}, None, "calls"),
    ],
)
def test_each_limit_ends_an_episode(vale_dir: Path, budget: dict[str, Any], prices: Any, field: str) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, budget=budget, prices=prices)
    question, info = env.reset()
    assert f"Your budget: {field} " in question
    before, truncated = info[f"{field}_left"], False
    for name, arguments in PLAN * 3:
        _, _, _, truncated, info = env.step(call("toolcall", name, arguments))
        assert info[f"{field}_left"] <= before
        before = info[f"{field}_left"]
        if truncated:
            break
    assert truncated
    assert info["status"] == "truncated"
    assert info[field] > budget[field]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_episode_that_ends_begins_anew_in_the_same_step(vale_dir: Path, kind: str) -> None:
    mode: Any = {
        "vectorization_mode": kind,
        "vector_kwargs": {"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
    }
    settings: dict[str, Any] = {"snapshot": str(vale_dir), "tasks": TASKS, "reward": None}
    envs = gymnasium.make_vec(NAME, 2, **mode, **settings)
    questions, _ = envs.reset(seed=1)
    seen, _, terminated, _, infos = envs.step(("<answer>1874</answer>", "no call"))
    envs.close()
    assert list(terminated) == [True, False]
    assert seen[0] == questions[0]
    assert (infos["final_obs"][0], infos["final_info"]["status"][0]) == ("", "answered")
