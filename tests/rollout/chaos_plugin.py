"""What another package brings to break a run: a trap among the tools, slow policies, and one that learns."""

import asyncio
import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from murk.envs.actions import ToolCall, Turn, render_turn
from murk.envs.codec import canonical_json
from murk.envs.desk import Desk
from murk.envs.records import Sampled
from murk.envs.seeds import uniform
from murk.rollout.policies import Completion, Start
from murk.rollout.policies.careful import Careful
from murk.rollout.policies.script import ScriptedAgent


def fill() -> None:
    """Leaves this process no room for a longer file, where the test has asked for it."""
    if "MURK_TEST_FULL" in os.environ:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


HARM: Mapping[str, Callable[[], Any]] = {
    "sleep": lambda: time.sleep(3_600),
    "exit": lambda: os._exit(1),
    "fault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "fill": fill,
}


@dataclass(frozen=True, slots=True)
class Trap:
    """Does the harm that it reads of; with `loop` true it claims to be instant, and is called in the event loop."""

    loop: bool = False

    description = "Reads a text."
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}  # noqa: RUF012

    @property
    def instant(self) -> bool:
        return self.loop

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "seek"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        for name in HARM.keys() & set(arguments["text"].split()):
            HARM[name]()
        return "a harmless text"


@dataclass(frozen=True, slots=True)
class Reader:
    """Has the trap read its question, then answers, after `seconds` each time."""

    seconds: float = 0.0

    def begin(self, start: Start) -> "_Reading":
        return _Reading(start, self.seconds)


class _Reading:
    def __init__(self, start: Start, seconds: float) -> None:
        self._start, self._seconds = start, seconds

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        await asyncio.sleep(self._seconds)
        if len(conversation) > 1:
            return Completion("<answer>I have read it.</answer>")
        call = ToolCall("trap", canonical_json({"text": conversation[0]["content"]}))
        return Completion(render_turn(Turn("", (call,)), self._start.dialect))


@dataclass(frozen=True, slots=True)
class Slow:
    """`careful`, with `seconds` of wall-clock time to each of its turns."""

    seconds: float

    def begin(self, start: Start) -> "_Slow":
        return _Slow(Careful().begin(start), self.seconds)


class _Slow:
    def __init__(self, agent: ScriptedAgent, seconds: float) -> None:
        self._agent, self._seconds = agent, seconds

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        await asyncio.sleep(self._seconds)
        return await self._agent.act(conversation)


class Learner:
    """Says by which weights it answers, after up to `seconds`; some questions break it."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.weights, self.version = seconds, "none", 0

    def load_weights(self, weights: str, version: int) -> None:
        if weights == "bad":
            raise ValueError("these weights do not fit")
        self.weights, self.version = weights, version

    def begin(self, start: Start) -> "_Learning":
        return _Learning(self, start)


class _Learning:
    def __init__(self, learner: Learner, start: Start) -> None:
        self._learner, self._seed = learner, start.seed

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        learner = self._learner
        if "exit" in conversation[0]["content"]:
            raise ConnectionError("the model is gone")
        text, version = f"<answer>by weights {learner.weights}</answer>", learner.version
        await asyncio.sleep(learner.seconds * uniform(self._seed, "delay"))
        return Completion(text, Sampled((1, 2), (3,), (-0.5,), version=version))
