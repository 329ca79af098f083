"""The rubric reward: weighted criteria, judged by rule, with a budget factor.

The score is `sum(w_i * b_i) / sum(w_i for w_i > 0)`. By the mapping of Step-DeepResearch (arXiv 2512.20491) a positive
criterion counts only where it is fully met, and a flaw counts already where it is partly there, because
partial is where judges agree least.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.budget import linear
from murk.rewards.judges.rule import judge
from murk.rewards.score import Score


@dataclass(frozen=True, slots=True)
class RubricReward:
    """Scores a report by its task's rubric.

    Attributes:
        allowance: Share of the budget that is free; beyond it the factor falls linearly to 0 at the whole budget. The
            factor scales a positive score only, so that answering at once is no way out. 1 switches it off.

    Raises:
        UsageError: the allowance is outside 0 to 1.
    """

    allowance: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.allowance <= 1:
            raise UsageError(f"allowance is {self.allowance}; allowed are 0 to 1.")

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        """Scores a trajectory; one without an answer gets the worst that an answer can get."""
        positive = sum(criterion.weight for criterion in task.rubric if criterion.weight > 0)
        if not positive:
            return Score(0.0, notes=("the task has no positive criterion",))
        if trajectory.answer is None:
            worst = sum(criterion.weight for criterion in task.rubric if criterion.weight < 0) / positive
            return Score(worst, {"rubric": worst}, ("no answer",))
        total, fatal = 0.0, False
        parts: dict[str, float] = {}
        notes: list[str] = []
        for criterion in task.rubric:
            counts = self._counts(criterion, trajectory, pages, notes)
            parts[f"criterion {criterion.id}"] = float(counts)
            total += criterion.weight * counts
            fatal = fatal or (criterion.fatal and counts == (criterion.weight < 0))
        rubric = 0.0 if fatal and total > 0 else total / positive
        factor = linear(trajectory, self.allowance) if rubric > 0 else 1.0
        return Score(rubric * factor, parts | {"rubric": rubric, "budget": factor}, tuple(notes))

    def _counts(self, criterion: Criterion, trajectory: Trajectory, pages: Mapping[str, str], notes: list[str]) -> bool:
        if criterion.check is None:
            notes.append(f"criterion {criterion.id} has no check for the rule judge: it counts against the report")
            return criterion.weight < 0
        verdict = judge(criterion.check, trajectory, pages)
        return verdict == "met" if criterion.weight > 0 else verdict != "unmet"
