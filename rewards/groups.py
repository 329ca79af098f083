"""What learning by reinforcement asks of the rewards of a group, the samples of one task.

A group where all samples got the same teaches nothing, and a criterion on which all agree only thins out those on which
they differ. Faulted episodes score lower than clean ones whatever the policy does; in one group with them they would be
taught that the weather was their fault.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.rubric import RubricReward
from murk.rewards.score import Score

_CRITERION = "criterion "


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of one part of the scores.

    Attributes:
        count: Scores that have it.
        mean: Its mean.
        deviation: Its standard deviation over all scores that have it.
    """

    count: int
    mean: float
    deviation: float


def statistics(parts: Iterable[Mapping[str, float]]) -> dict[str, Statistics]:
    """Figures of each part, over the parts of many scores; names in the order of their first appearance."""
    found: dict[str, list[float]] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, []).append(value)
    return {name: Statistics(len(values), *_moments(values)) for name, values in found.items()}


def constant(scores: Sequence[Score]) -> list[str]:
    """Ids of the criteria on which all scored samples of a group agree; none where fewer than two are scored."""
    scored = [score for score in scores if score.value is not None]
    if len(scored) < 2:
        return []
    figures = statistics(score.parts for score in scored)
    return [
        name.removeprefix(_CRITERION)
        for name, figure in figures.items()
        if name.startswith(_CRITERION) and figure.count == len(scored) and figure.deviation == 0
    ]


def without(task: Task, criteria: Iterable[str]) -> Task:
    """The task without some criteria. All of them may go: such a group teaches nothing."""
    dropped = frozenset(criteria)
    return replace(task, rubric=tuple(criterion for criterion in task.rubric if criterion.id not in dropped))


def rescored(reward: RubricReward, task: Task, scores: Sequence[Score]) -> list[float | None]:
    """The values of a group's scores by the criteria that tell its samples apart; no judge is asked again.

    Args:
        reward: What made the scores.
        task: Of the group.
        scores: Of its samples. Scores without an answer, or without a verdict on each criterion, keep their values.

    Returns:
        A value for each; the old ones where no positive criterion would be left.
    """
    rest = without(task, constant([score for score in scores if _whole(score, task)]))
    if not any(criterion.weight > 0 for criterion in rest.rubric):
        return [score.value for score in scores]
    values: list[float | None] = []
    for score in scores:
        if not _whole(score, task):
            values.append(score.value)
            continue
        rubric = reward.formula(rest.rubric, [score.parts[f"{_CRITERION}{c.id}"] for c in rest.rubric])
        values.append(rubric * score.parts["budget"] if rubric > 0 else rubric)
    return values


def group_of(trajectory: Trajectory) -> tuple[str, bool]:
    """The group that an episode is normalised in: its task, and whether it ran among faults."""
    return trajectory.task, trajectory.intensity > 0


def advantages(rewards: Sequence[float | None], groups: Sequence[Hashable], scale: bool = True) -> list[float | None]:
    """How far each reward lies above the mean of its own group.

    Args:
        rewards: None where there is none: such an episode has no advantage and moves no mean.
        groups: Of each, such as `group_of` gives.
        scale: Whether it is divided by the group's standard deviation.

    Returns:
        One for each; 0 where all of a group are equal.

    Raises:
        UsageError: there are not as many groups as rewards.
    """
    if len(rewards) != len(groups):
        raise UsageError(f"{len(rewards)} rewards have {len(groups)} groups; allowed is one for each.")
    members: dict[Hashable, list[float]] = {}
    for reward, group in zip(rewards, groups, strict=True):
        if reward is not None:
            members.setdefault(group, []).append(reward)
    moments = {group: _moments(values) for group, values in members.items()}
    found: list[float | None] = []
    for reward, group in zip(rewards, groups, strict=True):
        mean, deviation = moments.get(group, (0.0, 0.0))
        if reward is None:
            found.append(None)
        else:
            found.append((reward - mean) / (deviation or 1.0) if scale else reward - mean)
    return found


def _whole(score: Score, task: Task) -> bool:
    return score.value is not None and all(f"{_CRITERION}{criterion.id}" in score.parts for criterion in task.rubric)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; exactly 0 where all are equal."""
    if min(values) == max(values):
        return values[0], 0.0
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
