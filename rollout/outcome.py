"""What the driver of a run hears of its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from murk.rollout.build import Episode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended.

    Attributes:
        episode: Which one.
        status: `answered`, `truncated` or `errored`.
        reward: None where it has no score.
        error: What broke in murk or the machine; None if nothing did.
        steps: Turns.
        spending: What was spent, by field of `Spending`, and what the policy and the caches say, by name.
        worker: Name of the worker.
        attempts: How often it was begun, from 1.
        entry: The line of the journal that keeps it, where the driver is to have it; None where a worker has kept it.
    """

    episode: Episode
    status: str
    reward: float | None = None
    error: str | None = None
    steps: int = 0
    spending: Mapping[str, float] = field(default_factory=dict)
    worker: str = ""
    attempts: int = 1
    entry: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a run is.

    Attributes:
        queued: Episodes that wait.
        running: Episodes in flight.
        workers: Workers alive.
        retried: Episodes that were begun again so far, because their worker died or something broke.
    """

    queued: int
    running: int
    workers: int
    retried: int
