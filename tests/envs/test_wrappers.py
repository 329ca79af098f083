"""Vector environments report what breaks in one of their episodes, and go on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from murk.envs import ReportErrors, Snapshot, UsageError, plugins
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.desk import Desk
from murk.envs.records import Call, Request, Response
from murk.envs.tools.links import LinksTool

NAME = "murk.envs:murk/DeepResearch-v0"
TASKS = [{"id": "t", "question": "When was the Skerry Light lit?"}]
OPEN = '<toolcall>{"name": "links", "arguments": {"url": "https://vale.example/lighthouse.html"}}</toolcall>'
MODES: list[dict[str, Any]] = [
    {"vectorization_mode": "sync"},
    {"vectorization_mode": "async"},
    {"vectorization_mode": "async", "vector_kwargs": {"shared_memory": False}},
]


class Breaking:
    """A world that breaks at its third request, once."""

    def __init__(self, folder: str) -> None:
        self.snapshot, self.asked = Snapshot.open(folder), 0

    def answer(self, request: Request, call: Call) -> Response:
        self.asked += 1
        if self.asked == 3:
            raise OSError("the disk is gone")
        return self.snapshot.answer(request, call)


def make(folder: str, breaks: bool) -> gymnasium.Env[str, str]:
    world = Breaking(folder) if breaks else folder
    return ReportErrors(gymnasium.make(NAME, snapshot=world, tasks=TASKS, cache=False))


@pytest.mark.parametrize("mode", MODES, ids=["sync", "async", "async without shared memory"])
def test_one_broken_episode_does_not_end_the_others(vale_dir: Path, mode: dict[str, Any]) -> None:
    kind = {"sync": gymnasium.vector.SyncVectorEnv, "async": gymnasium.vector.AsyncVectorEnv}
    folder = str(vale_dir)
    envs: Any = kind[mode["vectorization_mode"]](
        [lambda: make(folder, False), lambda: make(folder, True)], **mode.get("vector_kwargs", {})
    )
    try:
        questions, _ = envs.reset(seed=1)
        for _ in range(2):
            *_, infos = envs.step((OPEN, OPEN))
            assert "error" not in infos
        observations, rewards, terminated, truncated, infos = envs.step((OPEN, OPEN))
        assert (rewards[0], math.isnan(rewards[1])) == (0.0, True)
        assert (list(terminated), list(truncated)) == ([False, False], [False, True])
        assert ("links of" in observations[0], observations[1]) == (True, "")
        assert infos["error"][1] == "OSError: the disk is gone"
        assert (infos["status"][0], infos["status"][1]) == ("running", "errored")
        observations, rewards, _, truncated, infos = envs.step((OPEN, OPEN))
        assert observations[1] == questions[1]
        assert (infos["step"][0], infos["step"][1]) == (4, 0)
        observations, rewards, _, truncated, infos = envs.step((OPEN, OPEN))
        assert "links of" in observations[1]
        assert (list(rewards), list(truncated), infos["step"][1]) == ([0.0, 0.0], [False, False], 1)
    finally:
        envs.close()


class Faulty(LinksTool):
    """A tool with a bug."""

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        raise TypeError("a length is compared with a text")


plugins.register("tools", "faulty", Faulty)  # workers of `make_vec` are forked, and so have it, too


@pytest.mark.parametrize("mode", MODES, ids=["sync", "async", "async without shared memory"])
def test_make_vec_takes_it_as_a_wrapper(vale_dir: Path, mode: dict[str, Any]) -> None:
    tools = {"faulty": {"name": "links"}}
    envs = gymnasium.make_vec(
        NAME, 2, snapshot=str(vale_dir), tasks=TASKS, tools=tools, wrappers=[ReportErrors], **mode
    )
    try:
        envs.reset(seed=1)
        _, rewards, _, truncated, infos = envs.step((OPEN, "no call"))
        assert np.isnan(rewards).tolist() == list(truncated) == [True, False]
        assert infos["error"][0].startswith("TypeError: ")
        assert infos["_error"].tolist() == [True, False]
    finally:
        envs.close()


def test_alone_it_raises_and_the_episode_is_over(vale_dir: Path) -> None:
    env = DeepResearchEnv(Breaking(str(vale_dir)), TASKS, cache=False)
    env.reset()
    env.step(OPEN * 2)
    with pytest.raises(OSError, match="disk is gone"):
        env.step(OPEN)
    with pytest.raises(UsageError, match="over"):
        env.step(OPEN)
    env.reset()
    assert "links of" in env.step(OPEN)[0]


def test_what_the_caller_does_wrong_is_raised(vale_dir: Path) -> None:
    env = ReportErrors(gymnasium.make(NAME, snapshot=str(vale_dir), tasks=TASKS))
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(OPEN)
    env.reset()
    env.step("<answer>1874</answer>")
    with pytest.raises(UsageError, match="over"):
        env.step(OPEN)
    assert "ReportErrors" in repr(env)


def test_damage_met_on_the_way_is_reported(vale_dir: Path) -> None:
    class Damaged:
        def answer(self, request: Request, call: Call) -> Response:
            return Snapshot.open("nowhere").answer(request, call)

    env = ReportErrors(DeepResearchEnv(Damaged(), TASKS))
    env.reset()
    *_, truncated, info = env.step(OPEN)
    assert truncated
    assert info["error"].startswith("SnapshotError: ")
