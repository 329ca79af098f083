"""What a reward gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from murk.envs.records import Trajectory
from murk.envs.tasks import Task


@dataclass(frozen=True, slots=True)
class Score:
    """The result of a reward.

    Attributes:
        value: The reward; None where the machine that scores failed, which is never held against a policy.
        parts: What it is made of, by name.
        notes: What was out of the ordinary, in words.
        usage: What scoring spent, by name: `calls`, `tokens_in`, `tokens_out`, `money`.
    """

    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)


class Reward(Protocol):
    """Scores an episode. It may have a `version`, a text that changes whenever equal settings could score otherwise."""

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        """Scores a trajectory.

        Args:
            pages: Text of the pages delivered in the episode, by canonical URL; `murk.rewards.pages.Pages` where it is
                known how they truly are.
        """
        ...


def scorer(spec: Mapping[str, Any], reward: Reward) -> dict[str, Any]:
    """What made a score, as JSON values that are stored beside it.

    Args:
        spec: The reward's name and settings, as configs have them.
        reward: The reward itself.
    """
    name, settings = next(iter(spec.items()))
    return {"reward": name, "settings": dict(settings or {}), "version": str(getattr(reward, "version", ""))}


def summed(usages: list[Mapping[str, float]]) -> dict[str, float]:
    """What several have spent together, by name in alphabetical order.

    >>> summed([{"calls": 1.0}, {}, {"calls": 2.0, "money": 0.5}])
    {'calls': 3.0, 'money': 0.5}
    """
    names = sorted({name for usage in usages for name in usage})
    return {name: sum(usage.get(name, 0.0) for usage in usages) for name in names}
