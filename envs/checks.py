"""The contract of a research environment as a check that anyone can run on theirs (after dm_env's `test_utils`)."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env, data_equivalence

from murk.envs.utf8 import encodable

RUBBISH = (
    "",
    "no call and no answer",
    '<toolcall>{"name": "none", "arguments": {}}</toolcall>',
    '<tool_call>{"name": "none", "arguments": {}}</tool_call>',
    '<toolcall>{"name": ',
    "<tool_call>[]</tool_call><answer>",
    '{"tool_calls": 3}',
    '{"role": "assistant", "tool_calls": [{"function": {"name": 3, "arguments": "{"}}]}',
    "Action: none\nAction Input: {",
    "Final Answer:",
    "\x00\ud800\u202e\x1b[2J",
    "[" * 10_000,
    "word " * 30_000,
)


class ContractBroken(AssertionError):
    """An environment does not keep the contract; the message tells what it did."""


def check_research_env(env: gymnasium.Env[str, str], actions: Sequence[str] = ()) -> None:
    """Checks that an environment keeps the contract of a research environment.

    Gymnasium's own checker passes without a warning; whatever text comes in, a text comes out that can be encoded and
    belongs to the observation space, the step counts (in the info's `step`, if there is one), and nothing raises; the
    same seed and actions give the same bytes, infos included; an episode ends, and a step after its end is refused.

    Args:
        env: The environment; episodes are run in it.
        actions: Turns that make sense in it, the last of them the final answer; where given, they must end an episode.

    Raises:
        ContractBroken: what it did against the contract.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            # Without a spec gymnasium cannot make it anew in its other render modes, and warns.
            check_env(env.unwrapped, skip_render_check=env.unwrapped.spec is None)
        except Exception as error:
            told = re.sub("\x1b\\[[0-9;]*m", "", str(error))
            raise ContractBroken(f"gymnasium's own check fails: {told}") from error
    plan = [*RUBBISH, *actions]
    first, second = _turns(env, plan), _turns(env, plan)
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        _require(data_equivalence(one, other), f"the same seed and actions gave two results at turn {number}")
    if actions:
        ended = _turns(env, list(actions))[-1]
        _require(bool(ended[2]), "the final answer did not terminate the episode")
        try:
            env.step(actions[-1])
        except Exception:
            return
        raise ContractBroken("a step after the end of the episode was not refused")


def _turns(env: gymnasium.Env[str, str], plan: Sequence[str]) -> list[Any]:
    """Takes all the turns; where one ends the episode, the next begins another."""
    seen: list[Any] = []
    step, ended = 0, True
    for number, action in enumerate(plan, 1):
        if ended:
            observation, info = env.reset(seed=7)
            _require(isinstance(observation, str) and bool(observation), "reset gave no text")
            seen.append((observation, info))
            step = 0
        try:
            result = env.step(action)
        except Exception as error:
            raise ContractBroken(f"the action {action[:60]!r} raised {type(error).__name__}: {error}") from error
        step += 1
        seen.append(result)
        ended = _ended(env, result, step, f"turn {number} ({action[:60]!r})")
    return seen


def _ended(env: gymnasium.Env[str, str], result: Any, step: int, where: str) -> bool:
    """Whether the episode is over, once what a step gave is found to be in order."""
    observation, reward, terminated, truncated, info = result
    _require(isinstance(observation, str), f"{where}: the observation is a {type(observation).__name__}, not a text")
    _require(env.observation_space.contains(observation), f"{where}: the observation is outside its space")
    _require(encodable(observation)[0] == observation, f"{where}: the observation cannot be encoded as UTF-8")
    _require(bool(observation) or bool(terminated), f"{where}: there is no observation")
    _require(isinstance(reward, float | np.floating), f"{where}: the reward is {reward!r}, not a float")
    for name, value in (("terminated", terminated), ("truncated", truncated)):
        _require(isinstance(value, bool | np.bool_), f"{where}: {name} is {value!r}, not a bool")
    _require(info.get("step", step) == step, f"{where}: the step is not counted: it is {step}, not {info.get('step')}")
    return bool(terminated or truncated)


def _require(right: bool, message: str) -> None:
    if not right:
        raise ContractBroken(message)
