"""The rubric reward: weighted criteria, decided by a judge, with a budget factor.

The score is `sum(w_i * b_i) / sum(w_i for w_i > 0)`, where a mapping turns the verdict on criterion i into `b_i`:

| mapping | positive: met, partial, unmet | flaw: met, partial, unmet |
|---|---|---|
| `step` (Step-DeepResearch, arXiv 2512.20491) | 1, 0, 0 | 1, 1, 0 |
| `ternary` (ResearchRubrics, arXiv 2511.07685) | 1, 0.5, 0 | 1, 0.5, 0 |
| `binary` (its binary mode; HealthBench) | 1, 0, 0 | 1, 0, 0 |

`step` lets partial count against the report on either side, because partial is where judges agree least. Where several
judges or trials decided, `b_i` is the mean over them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.budget import linear
from murk.rewards.judges import VERDICTS, Case, Judge, Verdict
from murk.rewards.judges.rules import RuleJudge
from murk.rewards.score import Score, summed
from murk.rewards.specs import Spec, build

_FULL, _ANY, _HALF = (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 0.5, 0.0)
MAPPINGS = {"step": (_FULL, _ANY), "ternary": (_HALF, _HALF), "binary": (_FULL, _FULL)}


@dataclass(frozen=True, slots=True)
class RubricReward:
    """Scores a report by its task's rubric.

    Attributes:
        allowance: Share of the budget that is free; beyond it the factor falls linearly to 0 at the whole budget. The
            factor scales a positive score only, so that answering at once is no way out. 1 switches it off.
        mapping: `step`, `ternary` or `binary`.
        clamp: Whether scores outside 0 to 1 are set to 0 or 1, as HealthBench does.
        axes: Weight of each axis, from 0. The criteria of an axis then share its weight by their own weights, as in
            DeepResearch Bench. None leaves the criteria's weights as they are.
        judge: The judge, its name, or a mapping of its name to its settings; None for `rule`.
        fallback: The same for criteria without a check; None leaves these to `judge`, too.

    Raises:
        UnknownName: no such mapping or judge.
        UsageError: the allowance is outside 0 to 1, a weight of an axis is below 0, or wrong settings of a judge.
    """

    allowance: float = 0.8
    mapping: str = "step"
    clamp: bool = False
    axes: Mapping[str, float] | None = None
    judge: Judge | Spec | None = None
    fallback: Judge | Spec | None = None
    _judges: tuple[Judge, Judge] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.allowance <= 1:
            raise UsageError(f"allowance is {self.allowance}; allowed are 0 to 1.")
        if self.mapping not in MAPPINGS:
            raise UnknownName("mapping", self.mapping, MAPPINGS)
        for axis, weight in (self.axes or {}).items():
            if not 0 <= weight < float("inf"):
                raise UsageError(f"weight of axis {axis!r} is {weight}; allowed are finite numbers from 0.")
        judge = _built(self.judge) if self.judge is not None else RuleJudge()
        object.__setattr__(self, "_judges", (judge, _built(self.fallback) if self.fallback is not None else judge))

    @property
    def version(self) -> str:
        """Of the formula and of the judges."""
        return ", ".join(dict.fromkeys(("rubric 2", *(judge.version for judge in self._judges))))

    @property
    def instant(self) -> bool:
        """Whether scoring waits for nothing outside of this process, so that an event loop may do it."""
        return all(getattr(judge, "instant", False) for judge in self._judges)

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        """Scores a trajectory; one without an answer gets the worst that an answer can get."""
        if trajectory.status == "errored":
            return Score(None, notes=("murk or the machine failed in this episode",))
        if not any(weight > 0 for weight in self._weights(task.rubric)):
            return Score(0.0, notes=("the task has no positive criterion",))
        if trajectory.answer is None:
            worst = self.formula(task.rubric, [float(criterion.weight < 0) for criterion in task.rubric])
            return Score(worst, {"rubric": worst}, ("no answer",))
        verdicts = self._verdicts(Case(task, trajectory, pages), task.rubric)
        judged = list(zip(task.rubric, verdicts, strict=True))
        notes = tuple(f"criterion {criterion.id}: {verdict.note}" for criterion, verdict in judged if verdict.note)
        usage = summed([verdict.usage for verdict in verdicts])
        counts = [self._counts(*pair) for pair in judged]
        parts = {f"criterion {c.id}": b for c, b in zip(task.rubric, counts, strict=True) if b is not None}
        failed = [criterion.id for criterion, b in zip(task.rubric, counts, strict=True) if b is None]
        if failed:
            return Score(None, parts, (*notes, f"no verdict on criterion {', '.join(failed)}"), usage)
        known = cast(list[float], counts)
        rubric = self.formula(task.rubric, known)
        factor = linear(trajectory, self.allowance) if rubric > 0 else 1.0
        parts |= by_axis(task.rubric, known) | {"rubric": rubric, "budget": factor}
        return Score(rubric * factor, parts, notes, usage)

    def formula(self, rubric: Sequence[Criterion], counts: Sequence[float]) -> float:
        """The score without the budget.

        Args:
            rubric: The criteria, one of them positive.
            counts: How far each counts, in [0, 1]. A fatal criterion zeroes a positive score where a half or more of
                it is against the report.
        """
        weights = self._weights(rubric)
        positive = sum(weight for weight in weights if weight > 0)
        score = sum(weight * b for weight, b in zip(weights, counts, strict=True)) / positive
        if any(c.fatal and (b <= 0.5 if c.weight > 0 else b >= 0.5) for c, b in zip(rubric, counts, strict=True)):
            score = min(score, 0.0)
        return min(max(score, 0.0), 1.0) if self.clamp else score

    def _weights(self, rubric: Sequence[Criterion]) -> list[float]:
        if self.axes is None:
            return [criterion.weight for criterion in rubric]
        if unnamed := [criterion for criterion in rubric if criterion.axis not in self.axes]:
            known = ", ".join(sorted(self.axes))
            raise UsageError(f"criterion {unnamed[0].id} is on the axis {unnamed[0].axis!r}; `axes` has {known}.")
        sizes = _sizes(rubric)
        return [criterion.weight * self.axes[criterion.axis] / sizes[criterion.axis] for criterion in rubric]

    def _counts(self, criterion: Criterion, verdict: Verdict) -> float | None:
        """How far a criterion counts; None where its judge's machine failed."""
        if verdict.word is None:
            return None
        values = dict(zip(VERDICTS, MAPPINGS[self.mapping][criterion.weight < 0], strict=True))
        if verdict.share:
            return round(sum(values[word] * verdict.share.get(word, 0.0) for word in VERDICTS), 9)
        return values[verdict.word]

    def _verdicts(self, case: Case, rubric: Sequence[Criterion]) -> list[Verdict]:
        """Each judge is asked once for all that it is to decide."""
        first, second = self._judges
        if first is second:
            return first.judge(case, rubric)
        parts = [[criterion for criterion in rubric if (criterion.check is None) is bare] for bare in (False, True)]
        checked, rest = (
            iter(judge.judge(case, part) if part else ()) for judge, part in zip(self._judges, parts, strict=True)
        )
        return [next(rest if criterion.check is None else checked) for criterion in rubric]


def by_axis(rubric: Sequence[Criterion], counts: Sequence[float]) -> dict[str, float]:
    """The score of each axis on its own; one of flaws only is measured by the sum of its flaws."""
    sizes = _sizes(rubric)
    totals = dict.fromkeys(sizes, 0.0)
    for criterion, b in zip(rubric, counts, strict=True):
        totals[criterion.axis] += criterion.weight * b
    return {f"axis {axis}": totals[axis] / sizes[axis] for axis in sizes if axis}


def _sizes(rubric: Sequence[Criterion]) -> dict[str, float]:
    axes = dict.fromkeys(criterion.axis for criterion in rubric)
    own = {axis: [criterion.weight for criterion in rubric if criterion.axis == axis] for axis in axes}
    return {axis: sum(w for w in weights if w > 0) or -sum(weights) for axis, weights in own.items()}


def _built(judge: Judge | Spec) -> Judge:
    built: Judge = build("judges", judge) if isinstance(judge, str | Mapping) else judge
    return built
