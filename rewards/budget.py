"""Budget factors: what an answer is worth by what finding it has cost.

Without them a policy learns to search without end, because one more call never hurts. Each is a reward in [0, 1], meant
as a factor of another one (`murk.rewards.combine.Product`): a penalty that is subtracted, or a factor on its own in a
weighted sum, would pay for answering at once. Without an answer it is 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from murk.envs.budget import LIMITED
from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.score import Score


def linear(trajectory: Trajectory, allowance: float, by: Sequence[str] = LIMITED) -> float:
    """1 while no limit is spent beyond the free share, then falling linearly to 0 at the limit; the scarcest counts.

    >>> from murk.envs.records import Trajectory
    >>> linear(Trajectory("t", "answered", "x", (), {"calls": 9}, {"calls": 10}), 0.8)
    0.5
    """
    factor = 1.0
    for name in sorted(set(trajectory.budget) & set(by)):
        limit = trajectory.budget[name]
        share = trajectory.spending.get(name, 0.0) / limit if limit else float(trajectory.spending.get(name, 0.0) > 0)
        if share > allowance:
            factor = min(factor, max(0.0, (1 - share) / (1 - allowance)) if allowance < 1 else 1.0)
    return round(factor, 9)


def otc(spent: float, half: float) -> float:
    """The cosine factor of OTC-PO, `cos(m pi / (2 m + c))`: 1 for nothing spent, 0.5 at `half`, falling towards 0.

    >>> otc(0, 10), otc(10, 10), otc(1000, 10)
    (1.0, 0.5, 0.007814828)
    """
    return round(math.cos(math.pi * spent / (2 * spent + half)), 9) if spent else 1.0


@dataclass(frozen=True, slots=True)
class Linear:
    """`linear` as a reward.

    Attributes:
        allowance: Share of each limit that is free, in [0, 1]; 1 switches it off.
        by: What counts, of `calls`, `tokens`, `seconds` and `money`; what has no limit never does.
    """

    allowance: float = 0.8
    by: Sequence[str] = LIMITED
    version = "linear 1"

    def __post_init__(self) -> None:
        if not 0 <= self.allowance <= 1:
            raise UsageError(f"allowance is {self.allowance}; allowed are 0 to 1.")
        _check(self.by)

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        return _factor(trajectory, linear(trajectory, self.allowance, self.by))


@dataclass(frozen=True, slots=True)
class Otc:
    """`otc` as a reward: unlike the others it never stops asking for fewer calls, also far from the limit.

    Attributes:
        half: What counts, of `calls`, `tokens`, `seconds` and `money`, and the amount at which the factor is a half;
            None for the budget's limit, and no penalty where there is none. The least factor counts.
    """

    half: Mapping[str, float | None] = field(default_factory=lambda: {"calls": None})
    version = "otc 1"

    def __post_init__(self) -> None:
        _check(self.half)
        for name, amount in self.half.items():
            if amount is not None and not 0 < amount < math.inf:
                raise UsageError(f"half of {name} is {amount}; allowed are finite numbers above 0, or null.")

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        factor = 1.0
        for name in sorted(self.half):
            amount = self.half[name] or trajectory.budget.get(name)
            if amount is not None:
                factor = min(factor, otc(trajectory.spending.get(name, 0.0), amount))
        return _factor(trajectory, factor)


@dataclass(frozen=True, slots=True)
class Hard:
    """1 within every limit and 0 beyond any, as where an overrun stops the episode.

    Attributes:
        by: What counts, of `calls`, `tokens`, `seconds` and `money`.
    """

    by: Sequence[str] = LIMITED
    version = "hard 1"

    def __post_init__(self) -> None:
        _check(self.by)

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        limits = [(name, limit) for name, limit in trajectory.budget.items() if name in self.by]
        return _factor(trajectory, float(all(trajectory.spending.get(name, 0.0) <= limit for name, limit in limits)))


def _check(names: Sequence[str] | Mapping[str, float | None]) -> None:
    if isinstance(names, str):
        raise UsageError(f"by is {names!r}; allowed is a list of {', '.join(LIMITED)}.")
    for name in names:
        if name not in LIMITED:
            raise UnknownName("budget field", name, LIMITED)


def _factor(trajectory: Trajectory, factor: float) -> Score:
    return Score(factor) if trajectory.answer is not None else Score(0.0, notes=("no answer",))
