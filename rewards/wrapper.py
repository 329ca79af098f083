"""Pays the reward on the last step of an episode; the registration of the environment names this wrapper."""

from typing import Any

import gymnasium

from murk.envs import plugins
from murk.rewards.score import Reward


class PayReward(gymnasium.Wrapper[str, str, str, str], gymnasium.utils.RecordConstructorArgs):
    """Builds the reward that `env.unwrapped.reward` names, a name or a mapping of one name to its settings, and pays it
    when the episode ends. The info of the last step then has the score and its parts. None leaves scoring for later.
    """

    def __init__(self, env: gymnasium.Env[str, str]) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        spec: Any = getattr(env.unwrapped, "reward", None)
        self.reward: Reward | None = None
        if spec is not None:
            name, settings = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
            self.reward = plugins.load("rewards", name)(**(settings or {}))

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        if self.reward is not None and (terminated or truncated):
            desk: Any = self.env.unwrapped
            score = self.reward(desk.trajectory, desk.task, {url: page.text for url, page in desk.desk.pages.items()})
            info = info | {"score": score.value, "score_parts": dict(score.parts)}
            return observation, score.value, terminated, truncated, info
        return observation, float(reward), terminated, truncated, info
