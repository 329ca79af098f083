"""The policy `chat` before a server that behaves, one that does not, and one that is not there."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import Plan, Server, completion

from murk.envs.actions import system_prompt
from murk.envs.context import STRUCK
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.web.cache import open_cache
from murk.rollout.digest import digest
from murk.rollout.episode import run_episode
from murk.rollout.policies import Completion, Start
from murk.rollout.policies.chat import Chat, NoTurn
from murk.rollout.segments import segments

URL = "https://vale.example/lighthouse.html"
TASK = {"id": "light", "question": "When was the Skerry Light lit for the first time?"}
OPEN = json.dumps({"action": "batch_open", "urls": [URL]})
CALL = f'<toolcall>{{"name": "batch_web_surfer", "arguments": {OPEN}}}</toolcall>'
TURNS = [f"<think>I open it.</think>{CALL}", CALL, "<answer>It was lit in 1874.</answer>"]
TOOL = {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}}
ASKED = [{"role": "user", "content": "When was it lit?"}]
Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(plan: Plan, delay: float = 0.0) -> Server:
        servers.append(Server(plan, delay))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def chat(server: Server, **settings: Any) -> Chat:
    service = {"timeout": 5.0, "backoff": 0.01, "retries": 3} | settings.pop("service", {})
    return Chat(server.url, "tiny", service=service, **settings)


def act(policy: Chat, talk: Any = ASKED, dialect: str = "step", seed: int = 0) -> Completion:
    return asyncio.run(policy.begin(Start(seed, dialect, (TOOL,))).act(talk))


def usage(completion: Completion) -> Mapping[str, float]:
    assert completion.sampled is not None
    return completion.sampled.usage


def episode(vale_dir: Path, policy: Chat, dialect: str = "step", seed: int = 0) -> Trajectory:
    env = DeepResearchEnv(str(vale_dir), [TASK], dialect=dialect, reward=None)
    return asyncio.run(run_episode(env, policy, task="light", seed=seed))


def scripted(body: Mapping[str, Any], number: int) -> str:
    """The turn after as many as the request holds, whichever request it is."""
    roles = [message["role"] for message in body["messages"]]
    return TURNS[roles.count("assistant")]


def test_what_the_server_gets_and_what_a_turn_costs(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-value")
    server = serve(lambda body, n: TURNS[2])
    prices = {"tokens_in": 2.0, "tokens_out": 50.0}
    extra = {"top_k": 20, "max_tokens": None}
    policy = chat(server, key_env="MY_KEY", prices=prices, stop=["</answer>"], top_p=0.9, extra=extra)
    agents = [policy.begin(Start(seed, "step", (TOOL,))) for seed in (0, 0, 1)]
    talk = [*ASKED, {"role": "assistant", "content": CALL}, {"role": "tool", "content": "<tool_response>"}]

    async def twice() -> list[Completion]:
        return [await agent.act(talk) for agent in agents for _ in range(2)]

    turns = asyncio.run(twice())
    assert turns[0].text == TURNS[2]
    spent = {"calls": 1.0, "tokens_in": 100.0, "tokens_out": 10.0, "money": 0.0007}
    assert usage(turns[0]) == spent | {"retries": 0.0, "cut": 0.0, "malformed": 0.0}
    body = server.bodies[0]
    assert body["messages"][0] == {"role": "system", "content": system_prompt((TOOL,), "step")}
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    settings = {key: body[key] for key in ("path", "model", "temperature", "top_p", "stop", "top_k")}
    assert settings == {
        "path": "/v1/chat/completions", "model": "tiny", "temperature": 1.0, "top_p": 0.9, "stop": ["</answer>"],
        "top_k": 20,
    }  # fmt: skip
    assert not body.keys() & {"max_tokens", "tools", "logprobs"}
    seeds = [body["seed"] for body in server.bodies]
    assert seeds[:2] == seeds[2:4]
    assert len(set(seeds)) == 4
    assert server.headers[0]["authorization"] == "Bearer secret-value"
    assert "secret" not in f"{policy!r}{turns}"
    assert server.connections == 1


@pytest.mark.parametrize(
    "trouble",
    [(429, {"Retry-After": "0"}, ""), (500, {}, "oops"), (503, {}, b"\xff"), "reset", (200, {}, "{"),
     (200, {}, '{"choices": [{"message": 3}]}'), (200, {}, "[" * 90_000), (200, {}, '{"choices": {"a": 1}}')],
)  # fmt: skip
def test_trouble_that_passes_is_waited_out(serve: Serve, trouble: Any) -> None:
    server = serve(lambda body, n: trouble if n < 2 else TURNS[2])
    turn = act(chat(server))
    assert (turn.text, usage(turn)["retries"], usage(turn)["calls"]) == (TURNS[2], 2.0, 1.0)


def test_retry_after_is_respected_up_to_max_wait(serve: Serve) -> None:
    server = serve(lambda body, n: (429, {"Retry-After": "0.4"}, "") if n == 0 else TURNS[2])
    begun = time.monotonic()
    act(chat(server))
    assert time.monotonic() - begun >= 0.4
    with pytest.raises(NoTurn, match="429"):
        act(chat(serve(lambda body, n: (429, {"Retry-After": "999"}, ""))))


@pytest.mark.parametrize(
    ("answer", "words"),
    [((500, {}, "boom"), "500, after 1 retries: boom"), ((401, {}, "bad key s3cret"), r"401: bad key \*\*\*"),
     ((404, {}, "no\nmodel"), "404: no model"), ((400, {}, "temperature is wrong"), "400: temperature is wrong"),
     ((200, {}, b"x" * (9 << 20)), "more than 8388608 bytes"), ("hang", "no answer within 0.2 seconds"),
     ((200, {}, '{"choices": []}'), "no chat completion")],
)  # fmt: skip
def test_a_server_that_gives_no_turn_is_an_error(
    serve: Serve, vale_dir: Path, answer: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret")
    server = serve(lambda body, n: answer)
    policy = chat(server, key_env="MY_KEY", service={"retries": 1, "timeout": 0.2 if answer == "hang" else 5.0})
    with pytest.raises(NoTurn, match=words):
        act(policy)
    found = episode(vale_dir, policy)
    assert (found.status, found.answer, found.steps) == ("errored", None, ())
    assert "NoTurn" in str(found.error)


def test_a_server_that_restarts_in_mid_episode_costs_nothing(serve: Serve, vale_dir: Path) -> None:
    def plan(body: dict[str, Any], number: int) -> Any:
        if number == 1:
            server._loop.call_soon(server._stop.set)
            return "hang"
        return scripted(body, number)

    server = serve(plan)
    policy = chat(server, service={"retries": 8, "backoff": 0.05})

    async def run() -> Trajectory:
        env = DeepResearchEnv(str(vale_dir), [TASK], reward=None)
        task = asyncio.create_task(run_episode(env, policy, task="light"))
        await asyncio.to_thread(server._thread.join)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.start)
        return await task

    found = asyncio.run(run())
    assert found.status == "answered", found.error
    assert sum(turn.usage["retries"] for turn in found.sampled) >= 2
    undisturbed = episode(vale_dir, chat(serve(scripted)))
    assert digest(found, {}) == digest(undisturbed, {})


def long_talk(*sizes: int) -> list[dict[str, str]]:
    talk = list(ASKED)
    for size in sizes:
        talk += [{"role": "assistant", "content": CALL}, {"role": "tool", "content": "word" * size}]
    return talk


def sizes_of(body: Mapping[str, Any]) -> list[int]:
    """Tokens of the results in a request; 0 for those that were left out."""
    texts = [message["content"] for message in body["messages"][2:] if message["role"] == "user"]
    return [0 if text == STRUCK else len(text) // 4 for text in texts]


LIMITS = [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
    "The input (6170 tokens) is longer than the model's context length (4096 tokens).",
    "the request exceeds the available context size", "prompt is too long: 5000 tokens > 4096 maximum",
]  # fmt: skip


@pytest.mark.parametrize("words", LIMITS)
def test_a_prompt_that_is_too_long_loses_its_oldest_results(serve: Serve, words: str) -> None:
    def plan(body: dict[str, Any], number: int) -> Any:
        return (400, {}, words) if sum(sizes_of(body)) > 3_000 else TURNS[2]

    server = serve(plan)
    agent = chat(server).begin(Start(0, "step", (TOOL,)))

    async def both() -> list[Completion]:
        return [await agent.act(long_talk(1_500, 1_500, 1_500)), await agent.act(long_talk(1_500, 1_500, 1_500, 200))]

    turns = asyncio.run(both())
    assert [sizes_of(body) for body in server.bodies] == [
        [1_500, 1_500, 1_500], [0, 0, 1_500], [0, 0, 1_500, 200]
    ]  # fmt: skip
    assert [usage(turn)["cut"] for turn in turns] == [2.0, 2.0]


def test_what_cannot_be_cut_is_an_error_after_a_bounded_number_of_requests(serve: Serve) -> None:
    server = serve(lambda body, n: (400, {}, LIMITS[0]))
    with pytest.raises(NoTurn, match="maximum context length"):
        act(chat(server), long_talk(*[500] * 40))
    assert 2 < len(server.bodies) <= 9
    assert sizes_of(server.bodies[-1])[-1] == 500


def test_the_context_is_kept_to_where_it_is_known(serve: Serve) -> None:
    server = serve(lambda body, n: TURNS[2])
    turn = act(chat(server, context=3_000, max_tokens=1_000), long_talk(*[500] * 6))
    sizes = sizes_of(server.bodies[0])
    assert sizes == [0] * int(usage(turn)["cut"]) + [500] * sizes.count(500)
    assert 500 <= sum(sizes) <= 1_500


def message(**fields: Any) -> dict[str, Any]:
    return {"content": None} | fields


STOP = ["</toolcall>", "</answer>", "\nObservation:"]
THOUGHT = "It is <answer>near."
FOUND = '{"name": "find", "arguments": {"text":"lit"}}'
FIND = {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"text": "lit"}'}}


@pytest.mark.parametrize(
    ("answer", "text", "malformed"),
    [
        (message(), "", 1),
        (message(content=[{"type": "text", "text": "<answer>a"}, {"text": "b</answer>"}]), "<answer>ab</answer>", 0),
        (message(content=7), "", 1),
        (message(content="<answer>1</answer>", reasoning_content=THOUGHT),
         r"<think>It is <\answer>near.</think>" "\n<answer>1</answer>", 0),
        (message(content="<answer>1</answer>", reasoning="Hm."), "<think>Hm.</think>\n<answer>1</answer>", 0),
        ('<toolcall>{"name": "find"}', '<toolcall>{"name": "find"}</toolcall>', 0),
        ("<answer>see <toolcall> and", "<answer>see <toolcall> and</toolcall>", 0),
        (completion("<answer>see <toolcall> and", stop_reason="</answer>"), "<answer>see <toolcall> and</answer>", 0),
        (completion("<answer>it", matched_stop="\nObservation:"), "<answer>it", 0),
        (completion("<answer>it", stop_reason=None), "<answer>it", 0),
        (completion("<answer>it", finish_reason="length"), "<answer>it", 0),
        ("<answer>it</answer>", "<answer>it</answer>", 0),
        (message(tool_calls=[FIND | {"id": ""}]), f'<toolcall>{FOUND}</toolcall>', 0),
        (message(content="<answer>1</answer>", tool_calls="x"), "<answer>1</answer>", 0),
        ("<toolcall>{'name': 'fnd'}", "<toolcall>{'name': 'fnd'}</toolcall>", 1),
    ],
)  # fmt: skip
def test_replies_become_turns(serve: Serve, answer: Any, text: str, malformed: int) -> None:
    turn = act(chat(serve(lambda body, n: answer), stop=STOP))
    assert (turn.text, usage(turn)["malformed"]) == (text, malformed)


@pytest.mark.parametrize(
    ("dialect", "content", "text"),
    [
        ("hermes", "It is 1874.", "<think>Hm.</think>\nIt is 1874."),
        ("react", "Final Answer: 1874", "Thought: Hm.\nFinal Answer: 1874"),
        ("openai", "It is.", '{"role": "assistant", "content": "It is.", "reasoning_content": "Hm."}'),
        ("openai", '{"role": "assistant"}', '{"role": "assistant", "reasoning_content": "Hm."}'),
        ("openai", '{"tool_calls": [', '{"tool_calls": ['),
    ],
)
def test_reasoning_stands_where_the_dialect_has_a_place(serve: Serve, dialect: str, content: str, text: str) -> None:
    server = serve(lambda body, n: message(content=content, reasoning_content="Hm."))
    assert act(chat(server), dialect=dialect).text == text


def native_turn(body: dict[str, Any], number: int) -> Any:
    """Two calls, then broken and unknown ones, then the answer; refuses calls without results, as servers do."""
    waiting: list[str] = []
    for sent in body["messages"]:
        assert (sent["role"] == "tool") == bool(waiting)
        if sent["role"] == "tool":
            assert sent["tool_call_id"] == waiting.pop(0)
        waiting += [call["id"] for call in sent.get("tool_calls", ())]
    turn = sum(sent["role"] == "assistant" for sent in body["messages"])
    opening = {"id": "x1", "type": "function", "function": {"name": "batch_web_surfer", "arguments": OPEN}}
    broken = {"id": "x2", "function": {"name": "find", "arguments": '{"text": '}}
    unknown = {"id": "x3", "function": {"name": "fnd", "arguments": "{}"}}
    return (
        message(reasoning_content="I open it.", tool_calls=[opening, opening | {"id": "x9"}]),
        message(tool_calls=[broken, opening, unknown, None, 5]),
        message(tool_calls=[broken]),
        message(content="It was lit in 1874."),
    )[turn]


def test_native_calls_over_a_whole_episode(serve: Serve, vale_dir: Path) -> None:
    server = serve(native_turn)
    found = episode(vale_dir, chat(server, native=True), "openai")
    assert (found.status, found.answer) == ("answered", "It was lit in 1874."), found.error
    assert [len(step.exchanges) for step in found.steps] == [2, 1, 0, 0]
    assert [turn.usage["malformed"] for turn in found.sampled] == [0.0, 1.0, 1.0, 0.0]
    assert found.pages[0][0] == URL
    tools = [tool["function"]["name"] for tool in server.bodies[0]["tools"]]
    assert "batch_web_surfer" in tools
    last = server.bodies[-1]["messages"]
    roles = ["system", "user", "assistant", "tool", "tool", "assistant", "tool", "user", "assistant", "user"]
    assert [sent["role"] for sent in last] == roles
    assert last[2]["reasoning_content"] == "I open it."
    assert last[2]["tool_calls"][0]["function"]["arguments"] == OPEN
    assert "1874" in last[3]["content"]
    assert "Notice:" in last[7]["content"]


def test_native_results_that_were_struck_or_cut_still_answer_their_calls(serve: Serve) -> None:
    server = serve(lambda body, n: message(content="1874"))
    turn = json.dumps(message(role="assistant", tool_calls=[FIND, FIND | {"id": "b"}]))
    torn = '[{"role": "tool", "tool_call_id": "a", "content": "The Skerry'
    talk = [*ASKED, {"role": "assistant", "content": turn}, {"role": "tool", "content": STRUCK}]
    talk += [{"role": "assistant", "content": turn}, {"role": "tool", "content": torn}]
    act(chat(server, native=True), talk, "openai")
    sent = [(m.get("tool_call_id"), m["content"]) for m in server.bodies[0]["messages"] if m["role"] == "tool"]
    assert sent == [("a", STRUCK), ("b", STRUCK), ("a", torn), ("b", STRUCK)]


def test_native_calls_need_their_dialect(serve: Serve, vale_dir: Path) -> None:
    policy = chat(serve(native_turn), native=True)
    with pytest.raises(UsageError, match="dialect=openai"):
        policy.begin(Start(0, "step"))
    assert "dialect=openai" in str(episode(vale_dir, policy).error)


def test_the_cache_repeats_a_run_without_a_request(serve: Serve, vale_dir: Path, tmp_path: Path) -> None:
    server = serve(scripted)
    first = episode(vale_dir, chat(server, cache=tmp_path / "c", prices={"tokens_in": 1.0}))
    assert len(server.bodies) == 3
    server.stop()
    elsewhere = serve(scripted)
    again = episode(vale_dir, chat(elsewhere, cache=tmp_path / "c", prices={"tokens_in": 1.0}))
    assert not elsewhere.bodies
    assert digest(first, {}) == digest(again, {})
    names = ("calls", "money", "completions_asked", "completions_hit")
    sums = [[sum(turn.usage[name] for turn in found.sampled) for name in names] for found in (first, again)]
    assert sums == [[3.0, pytest.approx(0.0003), 3.0, 0.0], [0.0, 0.0, 3.0, 3.0]]
    for other in ({"temperature": 0.5}, {"model": "other"}, {"context": 9_000}, {"extra": {"top_k": 1}}):
        before = len(elsewhere.bodies)
        policy = replace(chat(elsewhere, cache=tmp_path / "c"), **other)
        assert episode(vale_dir, policy).status == "answered"
        assert len(elsewhere.bodies) == before + 3
    episode(vale_dir, chat(elsewhere, cache=tmp_path / "c"), seed=1)
    assert len(elsewhere.bodies) == before + 6


def test_failures_and_corrupt_entries_are_no_completions(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda body, n: (500, {}, "") if n == 0 else TURNS[2])
    policy = chat(server, cache=tmp_path, service={"retries": 0})
    with pytest.raises(NoTurn):
        act(policy)
    assert act(policy).text == TURNS[2]
    cache = open_cache(tmp_path)
    (key,) = list(cache)
    whole = json.loads(cache[key])
    said = whole["said"]
    for entry in ("", "[" * 9_000, "3", "{}", b"\xff", *map(json.dumps, (
        {"said": {}, "limit": None}, {"said": said | {"content": 3}, "limit": None}, {"said": said}, [whole],
        {"said": said, "limit": "x"},
    ))):  # fmt: skip
        cache[key] = entry
        before = len(server.bodies)
        assert act(policy).text == TURNS[2]
        assert len(server.bodies) == before + 1, entry
        assert json.loads(cache[key]) == whole
    cache.close()


def test_what_was_cut_is_repeated_from_the_cache(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda body, n: (400, {}, LIMITS[0]) if sum(sizes_of(body)) > 3_000 else TURNS[2])
    talks = [long_talk(1_500, 1_500, 1_500), long_talk(1_500, 1_500, 1_500, 100)]

    async def run(count: int) -> list[Completion]:
        agent = chat(server, cache=tmp_path).begin(Start(0, "step", (TOOL,)))
        return [await agent.act(talk) for talk in talks[:count]]

    asyncio.run(run(1))
    asked = len(server.bodies)
    turns = asyncio.run(run(2))
    assert [usage(turn)["cut"] for turn in turns] == [2.0, 2.0]
    assert len(server.bodies) == asked + 1
    assert sizes_of(server.bodies[asked])[0] == 0  # the refusal is remembered though it was met by another process


HOSTILE: list[Any] = [
    message(content="\ud800 <answer>\udfff"),
    message(content="<think>" * 50_000),
    message(content=[{"text": []}, 3, None], reasoning_content={"a": 1}),
    message(content={"text": "x"}, tool_calls={"a": 1}),
    message(tool_calls=[[[[{}]]], {"function": []}, {"function": {"name": 3, "arguments": [1e999]}}]),
    message(tool_calls=[{"id": "\ud800", "function": {"name": "find\ud800", "arguments": '{"text": "\ud800"}'}}] * 99),
    {"choices": [{"message": message(), "finish_reason": ["stop"], "stop_reason": {}}], "usage": [3]},
    {"choices": [{"message": message(), "logprobs": 3, "token_ids": "x"}], "usage": {"prompt_tokens": -1}},
    {"choices": [None]}, {"choices": [{"message": []}]}, {"choices": "x"},
]  # fmt: skip


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("answer", [*HOSTILE, (200, {}, '{"choices": [{"message": {"tool_calls": [' + "[" * 700)])
def test_hostile_replies_are_turns_or_clear_errors(
    serve: Serve, vale_dir: Path, tmp_path: Path, answer: Any, native: bool
) -> None:
    server = serve(lambda body, n: answer if n == 0 else message(content="<answer>1874</answer>"))
    service = {"retries": 0}
    policy = chat(server, native=native, tokens=True, cache=tmp_path, service=service)
    found = episode(vale_dir, policy, "openai" if native else "step")
    if found.status == "errored":
        assert str(found.error).startswith("NoTurn: "), found.error
    else:
        assert found.status == "answered"


def deep(levels: int) -> str:
    nested = "[" * levels + "]" * levels
    return '{"choices": [{"message": {"content": null, "tool_calls": [{"function": {"arguments": ' + nested + "}}]}}]}"


@pytest.mark.parametrize("levels", [60, 400, 900, 1_500, 100_000])
def test_deep_replies_are_turns_or_clear_errors(serve: Serve, tmp_path: Path, levels: int) -> None:
    server = serve(lambda body, n: (200, {}, deep(levels)))
    policy = chat(server, native=True, cache=tmp_path, service={"retries": 0})
    with nullcontext() if levels < 400 else pytest.raises(NoTurn, match="no chat completion"):
        assert usage(act(policy, dialect="openai"))["malformed"] == 1.0


def with_tokens(prompt: list[Any], ids: list[Any], logprobs: list[Any]) -> Mapping[str, Any]:
    content = [{"token": "t", "logprob": logprob} for logprob in logprobs]
    found = completion(CALL, token_ids=ids, logprobs={"content": content})
    return {**found, "prompt_token_ids": prompt}


def test_token_ids_are_kept_in_segments(serve: Serve) -> None:
    replies = [
        with_tokens([1, 2], [3, 4], [-0.5, 0]),
        with_tokens([1, 2, 3, 4, 5], [6], [-1.5]),
        with_tokens([1, 9], [8], [-0.25]),
        with_tokens([1, 9, 8], [7], [-0.25]),
        with_tokens([1, 9, 8, 7], [8, 8], [-0.25]),
        with_tokens([1, 9, 8, 7, 8, 8], [1], [-0.25]),
        with_tokens([1], [2**31], [-1]), with_tokens([1], [True], [-1]), with_tokens([1], [1], [None]),
    ]  # fmt: skip
    server = serve(lambda body, n: replies[n])
    agent = chat(server, tokens=True).begin(Start(0, "step", (TOOL,)))

    async def run() -> list[Completion]:
        return [await agent.act(ASKED) for _ in replies]

    sampled = [turn.sampled for turn in asyncio.run(run()) if turn.sampled]
    assert [(s.prompt_ids, s.token_ids, s.logprobs, bool(s.prefix)) for s in sampled] == [
        ((1, 2), (3, 4), (-0.5, 0.0), False),
        ((5,), (6,), (-1.5,), True),
        ((1, 9), (8,), (-0.25,), False),
        ((), (7,), (-0.25,), True),
        ((), (), (), False),
        ((1, 9, 8, 7, 8, 8), (1,), (-0.25,), False),
        *[((), (), (), False)] * 3,
    ]
    assert server.bodies[0]["logprobs"] is server.bodies[0]["return_token_ids"] is True
    found = segments(Trajectory("t", "answered", sampled=tuple(sampled)))
    assert [segment.token_ids for segment in found] == [(1, 2, 3, 4, 5, 6), (1, 9, 8, 7), (1, 9, 8, 7, 8, 8, 1)]


def test_many_agents_act_at_once_in_one_loop_after_another(serve: Serve) -> None:
    server = serve(lambda body, n: TURNS[2], delay=0.3)
    policy = chat(server, service={"retries": 0, "timeout": 30.0})

    async def all_at_once(count: int) -> float:
        agents = [policy.begin(Start(seed, "step", (TOOL,))) for seed in range(count)]
        begun = time.monotonic()
        for _ in range(2):
            await asyncio.gather(*(agent.act(ASKED) for agent in agents))
        return time.monotonic() - begun

    walls = [asyncio.run(all_at_once(256)) for _ in range(2)]
    assert max(walls) < 6.0  # one after another they would take 154 s; alone on two cores they take 1.3 s
    assert server.connections == 512  # one for each agent and loop, kept between turns
    narrow = chat(server, service={"concurrency": 1, "timeout": 30.0})
    begun = time.monotonic()
    asyncio.run(asyncio.wait_for(_three(narrow), 30))
    assert time.monotonic() - begun >= 0.9


async def _three(policy: Chat) -> None:
    await asyncio.gather(*(policy.begin(Start(seed)).act(ASKED) for seed in range(3)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"model": ""}, "model"), ({"temperature": -1}, "temperature"), ({"temperature": "hot"}, "temperature"),
     ({"top_p": 0}, "top_p"), ({"max_tokens": 0}, "max_tokens"), ({"stop": "x"}, "stop"), ({"stop": [""]}, "stop"),
     ({"context": 4_096}, "context"), ({"context": 0}, "context"), ({"context": "x"}, "context"),
     ({"extra": {"stream": True}}, "extra"), ({"prices": {"in": 1}}, "price"),
     ({"service": {"retry": 1}}, "service setting"), ({"service": {"retries": 99}}, "retries"),
     ({"service": {"retries": 1.5}}, "retries"), ({"service": {"timeout": "x"}}, "timeout"),
     ({"base_url": "localhost:8000"}, "base_url"), ({"key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY")],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Chat(**{"base_url": "http://127.0.0.1:1/v1", "model": "m"} | wrong)
