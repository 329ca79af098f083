"""The penalty on stacked fragments.

It prevents what the authors of Step-DeepResearch saw: a model that scored well on checklists while people disliked its
reports, which stacked fragments that each tick a criterion in place of saying how things hang together. A fragment is a
sentence or line of few words, or one that was there before. It is meant as a factor; what a report says is not judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.judges.report import plain
from murk.rewards.prose import answered, sentences, size
from murk.rewards.score import Score

_FEW = 10  # fragments that any report may have: a title, headings, a table of the main figures


@dataclass(frozen=True, slots=True)
class StackingReward:
    """1 while at most the share `free` of a report's words stands in fragments, falling linearly to 0 at all of them.

    Attributes:
        words: A sentence or line with fewer words is a fragment; from 1.
        free: Share that costs nothing, in [0, 1). Reports of ten fragments or fewer are never penalised.
    """

    words: int = 6
    free: float = 0.5
    version = "stacking 1"

    def __post_init__(self) -> None:
        if self.words < 1 or not 0 <= self.free < 1:
            raise UsageError(f"words is {self.words} and free is {self.free}; allowed are from 1, and 0 to below 1.")

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        if not answered(trajectory):
            return Score(0.0, notes=("no answer",))
        seen: set[str] = set()
        fragments = stacked = whole = 0
        for sentence in sentences(trajectory.answer or ""):
            length, text = size(sentence), plain(sentence)
            whole += length
            if length < self.words or text in seen:
                fragments, stacked = fragments + 1, stacked + length
            seen.add(text)
        share = stacked / whole if whole else 0.0
        factor = 1.0 if fragments <= _FEW else min(1.0, (1 - share) / (1 - self.free))
        return Score(factor, {"fragments": float(fragments), "share": share})
