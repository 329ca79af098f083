"""Several rewards as one.

In a config each reward stands under its plugin's name with its settings, or under any name with the plugin's in
`plugin`:

    combine: {rubric: {weight: 0.7, mapping: ternary}, citation: {weight: 0.3}}
    product: {rubric: {allowance: 1}, otc: {}, stacking: {}}
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.score import Reward, Score, summed
from murk.rewards.specs import build_named


class _Several:
    """Rewards by name."""

    def __init__(self, rewards: Mapping[str, Any]) -> None:
        if not rewards:
            raise UsageError("there is nothing to combine; allowed are names of rewards with their settings.")
        self.rewards: dict[str, Reward] = {
            name: build_named("rewards", name, settings) for name, settings in rewards.items()
        }

    @property
    def version(self) -> str:
        """Of all of them."""
        return ", ".join(str(getattr(reward, "version", "")) for reward in self.rewards.values())

    def scores(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> dict[str, Score]:
        """What each gives."""
        return {name: reward(trajectory, task, pages) for name, reward in self.rewards.items()}


class Combine(_Several):
    """The sum of rewards, each times its `weight` (default 1). Sums of sums are sums: it is associative.

    Raises:
        UnknownName: no such reward.
        UsageError: wrong settings of one, or a weight that is no finite number.
    """

    def __init__(self, **rewards: Mapping[str, Any] | None) -> None:
        given = {name: dict(settings or {}) for name, settings in rewards.items()}
        self.weights = {name: settings.pop("weight", 1.0) for name, settings in given.items()}
        for name, weight in self.weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
                raise UsageError(f"weight of {name} is {weight!r}; allowed are finite numbers.")
        super().__init__(given)

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        scores = self.scores(trajectory, task, pages)
        values = _values(scores)
        if values is None:
            return _joined(None, scores)
        return _joined(sum(self.weights[name] * value for name, value in values.items()), scores)


class Product(_Several):
    """The product of rewards as long as all are positive; else the least of them.

    So a penalty in [0, 1] scales what is good and never softens what is bad, and two bad rewards never make a good one.
    It is associative up to rounding.

    Raises:
        UnknownName: no such reward.
        UsageError: wrong settings of one.
    """

    def __init__(self, **rewards: Mapping[str, Any] | None) -> None:
        super().__init__(rewards)

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        scores = self.scores(trajectory, task, pages)
        values = _values(scores)
        return _joined(None if values is None else product(values.values()), scores)


def product(values: Iterable[float]) -> float:
    """The product of numbers as long as all are positive, else the least.

    >>> product([0.5, 0.5]), product([-0.4, 0.5]), product([-0.4, -0.5]), product([0.8, 0])
    (0.25, -0.4, -0.5, 0)
    """
    known = list(values)
    return math.prod(known) if min(known) > 0 else min(known)


def _values(scores: Mapping[str, Score]) -> dict[str, float] | None:
    values = {name: score.value for name, score in scores.items() if score.value is not None}
    return values if len(values) == len(scores) else None


def _joined(value: float | None, scores: Mapping[str, Score]) -> Score:
    parts: dict[str, float] = {}
    for name, score in scores.items():
        parts |= {name: score.value} if score.value is not None else {}
        parts |= {f"{name}: {part}": number for part, number in score.parts.items()}
    notes = tuple(f"{name}: {note}" for name, score in scores.items() for note in score.notes)
    return Score(value, parts, notes, summed([score.usage for score in scores.values()]))
