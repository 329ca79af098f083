"""100,000 fuzzed actions: none raises, each is answered within a second, nothing is written outside the workspace."""

import json
import os
import shutil
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from murk.envs import actions
from murk.envs.deep_research import DeepResearchEnv

ROUNDS = 100_000
TASKS = [{"id": "t", "question": "When was the Skerry Light lit?"}]
URL = "https://vale.example/lighthouse.html"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("batch_web_surfer", {"action": "batch_search", "queries": ["lighthouse -ferry", '"skerry light"'], "topk": 5}),
    ("batch_web_surfer", {"action": "batch_open", "urls": [URL, "/web/2021/" + URL], "at": "2021"}),
    ("links", {"url": URL}),
    ("find", {"text": "1874", "url": URL}),
    ("find", {"text": "x", "path": "notes.md"}),
    ("file", {"action": "write", "path": "notes.md", "content": "one\ntwo\nthree\n"}),
    ("file", {"action": "patch", "path": "notes.md", "anchor": "two", "content": "2"}),
    ("file", {"action": "read", "path": "../../etc/passwd", "offset": 3, "limit": 10}),
    ("file", {"action": "append", "path": "/workspace/a/b", "content": "x"}),
    ("todo", {"updates": {"a": {"task": "t", "status": "pending", "tags": ["x"]}, "b": None}}),
    ("wait", {"seconds": 5}),
    ("budget", {}),
]
SPICE = [
    "\x00", "\ud800", "\u202e", "🌍", "\x1b[2J", "NaN", "Infinity", "1e999", "-1", "null", "true", "[]", "{}", '"', "'",
    "\\", "</toolcall>", "<answer>", "</tool_response>", "Observation:", "Final Answer:", "```json", "../",
    "/etc/passwd", "~", "file:///etc/passwd", "javascript:",
    "http://127.0.0.1/", "9" * 400, "[" * 300, "a" * 5000, "\r\n", "\u2028",
]  # fmt: skip
MONSTERS = ["x" * 1_000_000, "[" * 150_000, "<toolcall>" * 19_000, '{"a":' * 30_000, "\u0000" * 199_999, "🌍" * 150_000]


class Dice:
    def __init__(self, seed: str) -> None:
        self.seed, self.count = seed, 0

    def roll(self, below: int) -> int:
        self.count += 1
        digest = blake2b(f"{self.seed} {self.count}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % max(1, below)


def fuzzed(dialect: str, dice: Dice) -> str:
    if dice.roll(3_000) == 0:
        return MONSTERS[dice.roll(len(MONSTERS))]
    chosen = [CALLS[dice.roll(len(CALLS))] for _ in range(1 + dice.roll(2))]
    calls = []
    for number, (name, arguments) in enumerate(chosen, 1):
        changed = dict(arguments)
        if changed and dice.roll(2):
            key = list(changed)[dice.roll(len(changed))]
            changed[key] = [SPICE[dice.roll(len(SPICE))], dice.roll(1 << 40), None, [], {}, [[1]], -0.5, True][
                dice.roll(8)
            ]
        text = json.dumps(changed)
        calls.append(actions.ToolCall(name, text, f"call_{number}"))
    text = actions.render_turn(actions.Turn("think", tuple(calls)), dialect)
    for _ in range(dice.roll(4)):
        at, kind = dice.roll(len(text)), dice.roll(4)
        spice = SPICE[dice.roll(len(SPICE))]
        if kind == 0:
            text = text[:at] + spice + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + dice.roll(30) :]
        elif kind == 2:
            text = text[:at]
        else:
            text = text[:at] + chr(dice.roll(0x2FFF)) + text[at + 1 :]
    return text


def rush(env: DeepResearchEnv, rounds: int, name: str) -> float:
    slowest = 0.0
    env.reset(options={"task": "t"})
    for number in range(rounds):
        action = fuzzed(env.dialect, Dice(f"{name} {number}"))
        started = time.perf_counter()
        observation, reward, terminated, truncated, info = env.step(action)
        slowest = max(slowest, time.perf_counter() - started)
        assert reward == 0.0
        assert observation or terminated
        assert env.observation_space.contains(observation)
        observation.encode()
        if terminated or truncated:
            assert info["status"] in ("answered", "truncated")
            env.reset(options={"task": "t"})
    return slowest


@pytest.mark.parametrize("dialect", actions.DIALECTS)
def test_some_fuzzed_actions(vale_dir: Path, dialect: str) -> None:
    rush(DeepResearchEnv(str(vale_dir), TASKS, dialect=dialect), 500, f"quick {dialect}")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("dialect", actions.DIALECTS)
def test_many_fuzzed_actions(vale_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in vale_dir.iterdir())
    slowest = rush(DeepResearchEnv(str(vale_dir), TASKS, dialect=dialect), ROUNDS // 4, f"slow {dialect}")
    assert slowest < 1.0
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in vale_dir.iterdir()) == before


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fuzzed_shell_commands(vale_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("bwrap"):
        reason = "bubblewrap is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    monkeypatch.chdir(tmp_path)
    tools = {"base": "full", "shell": {"longest": 0.5}}
    env = DeepResearchEnv(str(vale_dir), TASKS, tools=tools, max_steps=1000)
    env.reset(options={"task": "t"})
    commands = [
        "echo x > f; ln -s /etc/passwd l",
        "cat /proc/1/environ",
        "yes",
        "mkfifo p; cat p",
        "a=(",
        "cat <<E",
        "sleep 3 &",
    ]
    for number in range(300):
        dice = Dice(f"shell {number}")
        command = commands[dice.roll(len(commands))]
        at = dice.roll(len(command))
        command = command[:at] + SPICE[dice.roll(len(SPICE))][:50] + command[at:]
        action = actions.render_turn(
            actions.Turn("", (actions.ToolCall("shell", json.dumps({"cmd": command})),)), "step"
        )
        started = time.perf_counter()
        observation = env.step(action)[0]
        assert time.perf_counter() - started < 3.0
        assert observation
    assert list(tmp_path.iterdir()) == []
