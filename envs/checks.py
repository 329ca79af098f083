"""The contract of a research environment as a check that anyone can run on theirs (after dm_env's `test_utils`)."""

from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium.utils.env_checker import check_env, data_equivalence

RUBBISH = (
    "",
    "no call and no answer",
    '<toolcall>{"name": "none", "arguments": {}}</toolcall>',
    '<toolcall>{"name": ',
    '{"tool_calls": 3}',
    "Action: none\nAction Input: {",
    "\x00\ud800\u202e",
    "[" * 10_000,
)


class ContractBroken(AssertionError):
    """An environment does not keep the contract; the message tells what it did."""


def check_research_env(env: gymnasium.Env[str, str], actions: Sequence[str] = ()) -> None:
    """Checks that an environment keeps the contract of a research environment.

    Gymnasium's own checker passes; whatever text comes in, a text comes out that belongs to the observation space, the
    step counts, and nothing raises; the same seed and actions give the same bytes, infos included; an episode ends, and
    a step after its end is refused.

    Args:
        env: The environment; episodes are run in it.
        actions: Turns that make sense in it, the last of them the final answer; where given, they must end an episode.

    Raises:
        ContractBroken: what it did against the contract.
    """
    check_env(env.unwrapped, skip_render_check=True)
    plan = [*RUBBISH, *actions]
    first, second = _episode(env, plan), _episode(env, plan)
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        _require(data_equivalence(one, other), f"the same seed and actions gave two results at turn {number}")
    if actions:
        ended = _episode(env, list(actions))[-1]
        _require(bool(ended[2]), "the final answer did not terminate the episode")
        try:
            env.step(actions[-1])
        except Exception:
            return
        raise ContractBroken("a step after the end of the episode was not refused")


def _episode(env: gymnasium.Env[str, str], plan: Sequence[str]) -> list[Any]:
    observation, info = env.reset(seed=7)
    _require(isinstance(observation, str) and bool(observation), "reset gave no text")
    seen: list[Any] = [(observation, info)]
    for number, action in enumerate(plan, 1):
        try:
            result = env.step(action)
        except Exception as error:
            raise ContractBroken(f"the action {action[:60]!r} raised {type(error).__name__}: {error}") from error
        observation, _, terminated, truncated, info = result
        _require(env.observation_space.contains(observation), f"turn {number}: observation outside its space")
        _require(bool(observation) or terminated, f"turn {number}: no observation for {action[:60]!r}")
        seen.append(result)
        if terminated or truncated:
            break
    return seen


def _require(right: bool, message: str) -> None:
    if not right:
        raise ContractBroken(message)
