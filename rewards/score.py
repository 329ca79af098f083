"""What a reward gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from murk.envs.records import Trajectory
from murk.envs.tasks import Task


@dataclass(frozen=True, slots=True)
class Score:
    """The result of a reward.

    Attributes:
        value: The reward.
        parts: What it is made of, by name.
        notes: What was out of the ordinary, in words.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Reward(Protocol):
    """Scores an episode."""

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        """Scores a trajectory.

        Args:
            pages: Text of the pages delivered in the episode, by canonical URL.
        """
        ...
