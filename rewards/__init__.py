"""Rewards: from a trajectory, its task and the pages it saw, to a score. Each a plugin of the group `rewards`."""

from murk.rewards.rubric import RubricReward
from murk.rewards.score import Reward, Score

__all__ = ["Reward", "RubricReward", "Score"]
