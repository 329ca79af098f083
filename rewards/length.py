"""The length reward.

It prevents flooding, by which a report meets criteria that it never set out to meet and by which models that judge are
swayed, and reports of a word where prose is asked for. It is meant as a factor.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.judges.report import content
from murk.rewards.prose import answered, size
from murk.rewards.score import Score


@dataclass(frozen=True, slots=True)
class LengthReward:
    """1 from `least` to `most` words, rising from 0 in proportion before, and falling to 0 at twice `most`.

    Attributes:
        least: Words, from 0.
        most: Words, from 1 and not below `least`. Two Chinese or Japanese characters are one; addresses are none.
    """

    least: int = 0
    most: int = 5_000
    version = "length 1"

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most or self.most < 1:
            raise UsageError(f"least is {self.least}, most is {self.most}; allowed is 0 <= least <= most, 1 <= most.")

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        if not answered(trajectory):
            return Score(0.0, notes=("no answer",))
        words = size(content(trajectory.answer or ""))
        short = words / self.least if words < self.least else 1.0
        long = max(0.0, 2 - words / self.most) if words > self.most else 1.0
        return Score(min(short, long), {"words": float(words)})
