"""Pays the reward on the last step of an episode; the registration of the environment names this wrapper."""

import math
from typing import Any

import gymnasium

from murk.rewards.score import Reward
from murk.rewards.specs import build


class PayReward(gymnasium.Wrapper[str, str, str, str], gymnasium.utils.RecordConstructorArgs):
    """Builds the reward that `env.unwrapped.reward` names, a name or a mapping of one name to its settings, and pays it
    when the episode ends. The info of the last step then has the score and its parts. None leaves scoring for later.

    Where the machine that scores has failed, the reward is NaN (never 0, which would be a score), and `error` in the
    info says why.
    """

    def __init__(self, env: gymnasium.Env[str, str]) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        spec: Any = getattr(env.unwrapped, "reward", None)
        self.reward: Reward | None = build("rewards", spec) if spec is not None else None

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        if self.reward is None or not (terminated or truncated):
            return observation, float(reward), terminated, truncated, info
        desk: Any = self.env.unwrapped
        score = self.reward(desk.trajectory, desk.task, {url: page.text for url, page in desk.desk.pages.items()})
        info = info | {"score": score.value, "score_parts": dict(score.parts)}
        if score.value is None:
            return observation, math.nan, terminated, truncated, info | {"error": "; ".join(score.notes)}
        return observation, score.value, terminated, truncated, info
