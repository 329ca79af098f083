"""The environment as gymnasium and as an agent meet it."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import ReplayDiverged, UnknownName, UsageError
from murk.envs.records import Call, Failure, Request, Response
from murk.envs.spaces import UnicodeText
from murk.envs.tools import CAPABILITIES
from murk.envs.web.replay import Replay
from murk.envs.web.snapshot import Snapshot

TASKS: list[dict[str, Any]] = [
    {"id": "light", "question": "When was the Skerry Light lit for the first time?", "gold": ["secret"]},
    {"id": "ferry", "question": "Who built the ferry Kittiwake?", "as_of": "2021-03-01", "budget": {"calls": 3}},
]
SEARCH = {"action": "batch_search", "queries": ["lighthouse lit", "ferry Kittiwake"], "topk": 4}
URL = "https://vale.example/lighthouse.html"
NAME = "murk.envs:murk/DeepResearch-v0"


def call(name: str, **arguments: Any) -> str:
    return f"<toolcall>{json.dumps({'name': name, 'arguments': arguments})}</toolcall>"


PLAN = [
    call("todo", updates={"a": {"task": "find the light"}}),
    "<think>search</think>" + call("batch_web_surfer", **SEARCH),
    call("batch_web_surfer", action="batch_open", urls=[URL, "https://vale.example/none"]) + call("links", url=URL),
    call("find", url=URL, text="1874") + call("file", action="write", path="notes.md", content="lit in 1874"),
    "nonsense",
    f"<answer>It was lit in 1874 [source]({URL}), \\cite{{web_00000000}}.</answer>",
]


class Closed:
    def answer(self, request: Request, call: Call) -> Response:
        return Failure("refused", 403, "closed")

    def __repr__(self) -> str:
        return "a closed world"


@pytest.fixture
def env(vale_dir: Path) -> DeepResearchEnv:
    return DeepResearchEnv(str(vale_dir), TASKS)


def play(env: gymnasium.Env[str, str], plan: list[str] = PLAN) -> list[Any]:
    seen: list[Any] = [env.reset(seed=1, options={"task": "light"})]
    for action in plan:
        seen.append(env.step(action))
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def observe(env: DeepResearchEnv, action: str) -> str:
    env.reset(options={"task": "light"})
    return env.step(action)[0]


def test_gymnasium_accepts_it(vale_dir: Path) -> None:
    made = gymnasium.make(NAME, snapshot=str(vale_dir), tasks=TASKS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)
    assert gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(made.spec.to_json())) is not None  # type: ignore[union-attr]
    assert "DeepResearch" in repr(made)


def test_an_episode_from_question_to_report(env: DeepResearchEnv) -> None:
    seen = play(env)
    observations = [step[0] for step in seen]
    assert observations[0] == TASKS[0]["question"]
    assert "find the light" in observations[1]
    blocks = json.loads(observations[2].removeprefix("<tool_response>").removesuffix("</tool_response>").strip())
    assert [block["query"] for block in blocks] == SEARCH["queries"]
    assert blocks[0]["results"][0]["url"] == URL
    assert sum(len(block["results"]) for block in blocks) <= 4
    assert "first time in 1874" in observations[3]
    assert "error -1: 404 no capture" in observations[3]
    assert observations[3].count("<tool_response>") == 2
    assert "places of '1874'" in observations[4]
    assert "wrote 11 bytes to notes.md" in observations[4]
    assert "answer" in observations[5]
    *_, (_, reward, terminated, truncated, info) = seen
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert (info["status"], info["citations"], info["dead_citations"]) == ("answered", 1, 1)
    labels = [step[-1]["capabilities"] for step in seen[1:]]
    assert labels == ["plan", "seek", "seek,seek", "verify,report", "", "report"]
    assert {name: info[name] for name in CAPABILITIES} == {"plan": 1, "seek": 3, "verify": 1, "report": 2}
    assert [seen[0][1]["seek"], seen[2][4]["seek"], seen[3][4]["seek"], seen[4][4]["seek"]] == [0, 1, 3, 3]
    assert info["cache_hits"] == 1
    with pytest.raises(UsageError, match="over"):
        env.step("more")


def test_budget_and_steps_end_an_episode(vale_dir: Path) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, max_steps=2)
    question, _ = env.reset(options={"task": "ferry"})
    assert question.endswith("Answer as of 2021-03-01.\n\nYour budget: calls 3.")
    *_, truncated, info = env.step(call("wait", seconds=1) * 4)
    assert truncated
    assert (info["status"], info["calls"]) == ("truncated", 4)
    env.reset(options={"task": "light"})
    assert not env.step("x")[3]
    assert env.step("x")[3]
    assert json.loads(observe(env, call("budget")).split("\n", 1)[1].rsplit("\n", 1)[0])["left"]["calls"] is None


def test_the_same_actions_give_the_same_bytes_anywhere(vale_dir: Path) -> None:
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[2]); import test_deep_research as t\n"
        "e = t.DeepResearchEnv(sys.argv[1], t.TASKS)\n"
        "if sys.argv[3] == 'after': e.reset(seed=5); e.step('x'); t.play(e, t.PLAN[:3])\n"
        "print(t.play(e))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(vale_dir), str(Path(__file__).parent), order],
            env={"PYTHONHASHSEED": seed}, check=True, capture_output=True,
        ).stdout
        for seed, order in (("1", "alone"), ("2", "alone"), ("3", "after"))
    }  # fmt: skip
    assert len(outputs) == 1


@pytest.mark.parametrize("mode", ["sync", "async", "async without shared memory"])
def test_vector_environments_give_the_same(vale_dir: Path, mode: str) -> None:
    alone = DeepResearchEnv(str(vale_dir), TASKS)
    kind = mode.split(maxsplit=1)[0]
    more: dict[str, Any] = {"vector_kwargs": {"shared_memory": mode == "async"}} if kind == "async" else {}
    envs = gymnasium.make_vec(NAME, 2, kind, snapshot=str(vale_dir), tasks=TASKS, **more)
    try:
        first = envs.reset(seed=1, options={"task": "light"})[0]
        assert tuple(first) == (TASKS[0]["question"],) * 2
        for action, expected in zip(PLAN[:5], play(alone)[1:], strict=False):
            found = envs.step([action, action])
            assert tuple(found[0]) == (expected[0],) * 2
            assert np.all(found[4]["calls"] == expected[4]["calls"])
    finally:
        envs.close()


def test_policies_see_no_gold(env: DeepResearchEnv) -> None:
    assert "secret" not in repr(play(env))


FLAGS = ("authority", "cache", "patching", "summaries")


@pytest.mark.parametrize(
    ("settings_", "error", "words"),
    [
        ({"dialect": "steps"}, UnknownName, "Did you mean 'step'"),
        ({"tools": "reserch"}, UnknownName, "Did you mean 'research'"),
        ({"tools": {"base": "research", "find": {"arond": 3}}}, UsageError, "arond"),
        ({"tools": {"find": {"name": "x"}, "links": {"name": "x"}}}, UsageError, "two tools"),
        ({"budget": {"call": 3}}, UnknownName, "Did you mean 'calls'"),
        ({"budget": {"calls": -1}}, UsageError, "from 0"),
        ({"prices": {"per_cal": 3}}, UnknownName, "Did you mean 'per_call'"),
        ({"prices": {"per_call": "3"}}, UsageError, "price per_call is '3'"),
        ({"context": {"uper": 3}}, UnknownName, "Did you mean 'upper'"),
        ({"context": {"upper": 3}}, UsageError, "below upper"),
        ({"max_steps": 0}, UsageError, "1 and more"),
        ({"render_mode": "video"}, UnknownName, "render mode"),
        ({"tasks": []}, UsageError, "no tasks"),
        ({"tasks": [{"id": "a"}]}, UsageError, "'question'"),
        ({"tasks": [TASKS[0], TASKS[0]]}, UsageError, "two tasks"),
        ({"snapshot": "/nowhere"}, UsageError, "not a folder"),
        ({"replay": "again"}, UsageError, "'again'; allowed are false, true and 'rerun'"),
        ({"rerank": {"top": 5}}, UsageError, "names an embedder"),
        ({"rerank": {"embedder": "static", "tops": 5}}, UnknownName, "Did you mean 'top'"),
        ({"rerank": {"embedder": "static", "top": "5"}}, UsageError, "whole numbers"),
        ({"rerank": {"embedder": "static"}}, UsageError, "static"),
        ({"snapshot": Closed(), "authority": False}, UsageError, "folder of a snapshot; a closed world"),
        ({"snapshot": Closed(), "rerank": {"embedder": "static"}}, UsageError, "open already"),
        ({"snapshot": None}, UsageError, "snapshot is None"),
        ({"tasks": None}, UsageError, "tasks are None"),
        ({"tasks": {"id": "a", "question": "b"}}, UsageError, "allowed are a file, mappings, or Task by id"),
        ({"tasks": [TASKS[0] | {"budget": {"callz": 3}}]}, UsageError, "task light: .*Did you mean 'calls'"),
        ({"tasks": [TASKS[0] | {"budget": {"calls": "3"}}]}, UsageError, "task light: .*from 0"),
        *[({name: "no"}, UsageError, f"{name} is 'no'; allowed are true, false") for name in FLAGS],
        *[({"max_steps": value}, UsageError, "whole numbers") for value in (2.5, True, "5", float("nan"))],
        ({"dialect": None}, UsageError, "dialect is 'None'; allowed are texts"),
        ({"tools": 3}, UsageError, "tools is '3'; allowed are texts, mappings"),
        ({"tools": {"base": "research", "toDo": False}}, UnknownName, "Did you mean 'todo'"),
        ({"tools": {"base": None}}, UnknownName, "tool profile 'None'"),
        ({"tools": {"links": {"inline": "four"}}}, UsageError, "inline is 'four'; allowed are whole numbers"),
        ({"tools": {"batch_web_surfer": {"topk": 500}}}, UsageError, "topk is 500; allowed are 1 to 200"),
        ({"tools": {"file": {"patch": "no"}}}, UsageError, "patch is 'no'; allowed are true, false"),
        ({"tools": {"find": {"name": "a<b"}}}, UsageError, "name of tool find is 'a<b'"),
        ({"tools": {"find": {"description": 3}}}, UsageError, "description of tool find is 3"),
        ({"budget": 3}, UsageError, "budget is '3'; allowed are mappings, null"),
        ({"budget": {"calls": 1.5}}, UsageError, "calls is 1.5; allowed are whole numbers"),
        ({"budget": {"calls": 10**400}}, UsageError, "numbers from 0 to 1e"),
        ({"prices": 3}, UsageError, "prices is '3'"),
        ({"context": False}, UsageError, "context is 'False'; allowed are mappings, null"),
        ({"faults": "flaky"}, UsageError, "faults is 'flaky'; allowed are mappings, null"),
        ({"reward": 3}, UsageError, "reward is '3'; allowed are texts, mappings, null"),
        ({"retrievals": 3}, UsageError, "retrievals is '3'"),
    ],
)
def test_wrong_settings_are_refused_at_once(
    vale_dir: Path, settings_: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        DeepResearchEnv(**({"snapshot": str(vale_dir), "tasks": TASKS} | settings_))


def test_profiles_rename_describe_and_drop(vale_dir: Path) -> None:
    tools = {"base": "research", "wait": False, "find": {"name": "grep", "description": "Look  for a text."}}
    env = DeepResearchEnv(str(vale_dir), TASKS, tools=tools)
    assert "wait" not in env.offers
    assert env.offers["grep"].schema["function"]["description"] == "Look for a text."
    assert "1 places" in observe(env, call("grep", url=URL, text="1874"))
    assert "Did you mean" in observe(env, call("grepp", url=URL, text="1874"))


def test_what_the_policy_sees_is_the_same_however_often_it_looks(vale_dir: Path) -> None:
    for context in ({"upper": 300, "lower": 200}, {"upper": 3_000, "lower": 200}, None):
        often, once = (DeepResearchEnv(str(vale_dir), TASKS, context=context) for _ in range(2))
        for env in (often, once):
            env.reset(options={"task": "light"})
        assert len(often.conversation) == 1
        for n in range(6):
            for env in (often, once):
                env.step(call("batch_web_surfer", action="batch_open", urls=[URL]))
            assert often.view.messages[-1] == often.history[2 * n + 2]
        assert often.view == once.view


def test_the_policy_sees_a_conversation_that_is_cut_and_the_record_is_not(vale_dir: Path) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, context={"upper": 300, "lower": 200}, render_mode="ansi")
    whole = DeepResearchEnv(str(vale_dir), TASKS, context=None)
    for either in (env, whole):
        either.reset(options={"task": "light"})
        for _ in range(5):
            info = either.step(call("batch_web_surfer", action="batch_open", urls=[URL]))[4]
    assert info["dropped"] == 0
    assert env.view.dropped
    assert len(env.conversation) < len(whole.conversation) == 11
    assert env.history == whole.history
    assert str(env.render()).count("--- assistant") == 5


def need_bubblewrap() -> None:
    if not shutil.which("bwrap"):
        reason = "bubblewrap is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def test_the_profile_full_has_a_shell_over_the_same_files(vale_dir: Path) -> None:
    need_bubblewrap()
    env = DeepResearchEnv(str(vale_dir), TASKS, tools="full")
    env.reset(options={"task": "light"})
    env.step(call("file", action="write", path="notes/a.txt", content="b\na\n"))
    observation, *_, info = env.step(call("shell", cmd="sort a.txt | tee sorted.txt; rm a.txt; exit 3", cwd="notes"))
    assert "exit code 3" in observation
    assert "a\nb" in observation
    assert info["capabilities"] == "verify"
    assert "notes/sorted.txt  4 bytes" in env.step(call("file", action="list"))[0]
    assert "not there" in env.step(call("file", action="read", path="notes/a.txt"))[0]
    for arguments, why in (
        ({"cmd": " "}, "allowed are 1 to"), ({"cmd": "ls", "cwd": "../.."}, "not in the workspace"),
        ({"cmd": "ls", "timeout": 999}, "allowed are 0.1 to 60"), ({"cmd": "ls", "env": {"A": 3}}, "must be texts"),
        ({"cmd": "ls", "env": {"A=B": "x"}}, "cannot be a variable"),
        ({"cmd": "sleep 9", "timeout": 0.5}, "time limit"),
    ):  # fmt: skip
        assert why in env.step(call("shell", **arguments))[0]


def test_commands_are_replayed_without_a_sandbox(vale_dir: Path) -> None:
    need_bubblewrap()
    plan = [
        call("file", action="write", path="a.txt", content="1\\n2\\n"),
        call("shell", cmd="date +%N > time.txt; cat time.txt; echo $RANDOM; wc -l a.txt"),
        call("file", action="read", path="time.txt") + call("shell", cmd="rm a.txt; exit 3"),
        call("file", action="list"),
    ]
    live = DeepResearchEnv(str(vale_dir), TASKS, tools="full")
    live.reset(options={"task": "light"})
    seen = [live.step(action) for action in plan]
    again = DeepResearchEnv(str(vale_dir), TASKS, tools="full", replay=True)
    assert again.sandbox is None
    commands = json.loads(json.dumps(live.commands))
    again.reset(options={"task": "light", "commands": commands})
    assert [again.step(action) for action in plan] == seen
    again.reset(options={"task": "light", "commands": commands})
    with pytest.raises(ReplayDiverged, match="was recorded"):
        again.step(call("shell", cmd="date"))
    again.reset(options={"task": "light"})
    with pytest.raises(ReplayDiverged, match="command 1 was not recorded"):
        again.step(call("shell", cmd="true"))


def test_commands_run_again_beside_their_record(vale_dir: Path) -> None:
    need_bubblewrap()
    plan = [
        call("shell", cmd="echo 1 > a.txt; wc -l a.txt"),
        call("shell", cmd="cat a.txt >> b.txt; cat b.txt"),
        call("shell", cmd="ls", env={"A=B": "x"}) + call("shell", cmd="echo x", cwd="../.."),
        call("file", action="read", path="a.txt"),
    ]
    live = DeepResearchEnv(str(vale_dir), TASKS, tools="full")
    live.reset(options={"task": "light"})
    seen = [live.step(action) for action in plan]
    assert [data["type"] for _, data in live.commands] == ["Completed", "Completed", "Failure", "Failure"]
    again = DeepResearchEnv(str(vale_dir), TASKS, tools="full", replay="rerun")
    commands = json.loads(json.dumps(live.commands))
    again.reset(options={"task": "light", "commands": commands})
    assert [again.step(action) for action in plan] == seen
    assert again.differences == []
    forged = {"exit_code": 3, "stdout": "forged\n", "stderr": "no", "changes": [["a.txt", "Mg=="]]}
    commands[0][1] |= forged
    commands[2][1] = commands[1][1]
    again.reset(options={"task": "light", "commands": commands})
    told = [again.step(action)[0] for action in plan]
    assert "exit code 3\nstdout:\nforged" in told[0]
    assert told[3].split("\n")[1] == "2"
    first = [difference for difference in again.differences if difference.key == commands[0][0]]
    assert [d.field for d in again.differences] == [*forged, "stdout", "changes", "failure"]
    assert (first[0].found, first[1].found, first[2].found) == (0, "1 a.txt\n", "")
    failure = again.differences[-1]
    assert failure.recorded is None
    assert "cannot be a variable" in failure.found


def test_a_recording_gives_what_the_snapshot_gave(vale: Snapshot) -> None:
    live = DeepResearchEnv(vale, TASKS)
    replay = DeepResearchEnv(Replay(vale, miss="search"), TASKS)
    check_environments_match(live, replay, num_steps=20, seed=3)
    assert play(live) == play(replay)


def test_the_profile_full_is_refused_where_there_is_no_bubblewrap(
    vale_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from murk.envs.sandbox import box

    monkeypatch.setenv("PATH", "/nowhere")
    box._require.cache_clear()
    with pytest.raises(UsageError, match="bubblewrap"):
        DeepResearchEnv(str(vale_dir), TASKS, tools="full")
    box._require.cache_clear()


def test_a_person_can_watch(vale_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, render_mode="human")
    play(env)
    shown = capsys.readouterr().out
    assert "When was the Skerry Light" in shown
    assert "first time in 1874" in shown
    assert "world=Snapshot(" in repr(env)


def test_authority_and_reranking_are_settings(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from murk.envs.web.build import Options, build
    from murk.envs.web.embedders import StaticTable

    pages = [("https://blog.example/a", "light light kiln"), ("https://www.nasa.gov/b", "light light lamp")]
    lines = [json.dumps({"url": url, "title": "t", "text": text}) for url, text in pages]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines))
    words = Tokenizer(models.WordLevel({"light": 0, "kiln": 1, "lamp": 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    table = StaticTable(np.eye(4, dtype=np.int16), words.to_str())
    build([tmp_path / "pages.jsonl"], tmp_path / "out", Options(workers=1, embedder=table))

    def first(query: str, **more: Any) -> str:
        made = gymnasium.make(NAME, snapshot=str(tmp_path / "out"), tasks=TASKS, **more)
        assert gymnasium.envs.registration.EnvSpec.from_json(made.spec.to_json()).kwargs == made.spec.kwargs  # type: ignore[union-attr]
        made.reset(seed=0)
        found = made.step(call("batch_web_surfer", action="batch_search", queries=[query]))[0]
        return str(json.loads(found[found.index("[") : found.rindex("]") + 1])[0]["results"][0]["url"])

    assert first("light") == pages[1][0]
    assert first("light", authority=False) == pages[0][0]
    settings_ = {"embedder": "static", "top": 7, "weight": 9}
    assert first("light", authority=False, rerank=settings_) == pages[0][0]
    plain, dense = (DeepResearchEnv(str(tmp_path / "out"), TASKS, rerank=rerank).web for rerank in (None, settings_))
    assert (dense.rerank.top, dense.rerank.weight) == (7, 9)  # type: ignore[attr-defined]
    scores = [world.search("light kiln").hits[0].score for world in (plain, dense)]  # type: ignore[attr-defined]
    assert scores[0] < scores[1] < scores[0] * 1.2


def test_components_can_be_switched_off_alone(vale_dir: Path) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, cache=False, patching=False, summaries=False)
    twice = call("links", url=URL) * 2
    env.reset(options={"task": "light"})
    assert env.step(twice)[4]["cache_hits"] == 0
    assert "allowed are read, write, append, list, stat." in observe(env, call("file", action="patch", path="a"))
    assert "patch" not in json.dumps([offer.schema for offer in env.offers.values()])


def test_wrong_options_of_a_reset_are_refused(env: DeepResearchEnv) -> None:
    wrong: list[dict[str, Any]] = [{"taks": "light"}, {"sample": -1}, {"task": 3}]
    for options, words in zip(wrong, ("Did you mean 'task'", "0 and more", "allowed are texts"), strict=True):
        with pytest.raises(UsageError, match=words):
            env.reset(options=options)


def test_what_is_no_text_is_refused_and_the_episode_goes_on(env: DeepResearchEnv) -> None:
    with pytest.raises(UsageError, match="nothing to render; call reset"):
        env.render()
    env.reset()
    with pytest.raises(UsageError, match="the action is a int; allowed is text"):
        env.step(3)  # type: ignore[arg-type]
    assert env.step("")[4]["step"] == 1


def test_a_terminal_is_shown_and_not_steered(vale_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, render_mode="human")
    env.reset()
    env.step("\ud800 \x1b]0;title\x07 \x9b2J")
    shown = capsys.readouterr().out
    assert "\ufffd ␛]0;title␇ \ufffd2J" in shown
    assert not set("\x1b\x07\x9b") & set(shown)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_observations_of_mode_different_are_batched(vale_dir: Path, kind: str) -> None:
    settings_: dict[str, Any] = {"snapshot": str(vale_dir), "tasks": TASKS}
    mode: dict[str, Any] = {"vectorization_mode": kind, "vector_kwargs": {"observation_mode": "different"}}
    envs = gymnasium.make_vec("murk.envs:murk/DeepResearch-v0", 2, **mode, **settings_)
    envs.reset(seed=1)
    seen = envs.step(("no call", call("links", url=URL)))[0]
    envs.close()
    assert "links of" in seen[1]


def test_a_call_beyond_the_budget_is_not_run_and_what_is_left_is_told(vale_dir: Path) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, budget={"calls": 3, "money": 1})
    env.reset(options={"task": "light"})
    observation, _, _, truncated, info = env.step(call("links", url=URL) * 2)
    assert (observation.count("links of"), truncated, info["calls_left"], info["money_left"]) == (2, False, 1, 1)
    observation, _, _, truncated, info = env.step(call("links", url=URL) * 3)
    assert (observation.count("links of"), truncated, info["calls_left"]) == (1, True, 0)
    assert observation.count("the budget is spent (calls: spent ") == 2


def test_a_turn_that_spends_the_tokens_runs_no_call(vale_dir: Path) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, budget={"tokens": 200})
    env.reset(options={"task": "light"})
    observation, _, _, truncated, _ = env.step("<think>" + "word " * 400 + "</think>" + call("links", url=URL))
    assert truncated
    assert "the budget is spent (tokens: spent " in observation


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400), st.sampled_from(["step", "hermes", "openai", "react"]))
def test_any_text_is_an_action(vale_dir: Path, text: str, dialect: str) -> None:
    env = DeepResearchEnv(str(vale_dir), TASKS, dialect=dialect)
    env.reset(options={"task": "light"})
    observation, _, terminated, _, info = env.step(text)
    assert info["step"] == 1
    assert observation or terminated
    assert env.observation_space.contains(observation)


@given(st.text(max_size=50))
def test_unicode_survives_shared_memory(text: str) -> None:
    import multiprocessing

    from gymnasium.vector.utils.shared_memory import (
        create_shared_memory,
        read_from_shared_memory,
        write_to_shared_memory,
    )

    space = UnicodeText(50)
    memory = create_shared_memory(space, 2, multiprocessing)
    write_to_shared_memory(space, 1, "x" * 50, memory)  # type: ignore[arg-type]
    write_to_shared_memory(space, 1, text, memory)  # type: ignore[arg-type]
    assert tuple(read_from_shared_memory(space, memory, 2)) == ("", text)
    space.seed(3)
    assert space.contains(space.sample())
