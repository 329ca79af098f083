"""Figures over scored trajectories."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from murk.envs.seeds import derive

RESAMPLES = 2_000


def interval(by_task: Mapping[str, Sequence[float]], level: float = 0.95) -> dict[str, float] | None:
    """Mean with its bootstrap interval over tasks; None where there is nothing.

    Tasks, not episodes, are drawn again, because the samples of one task are not independent.

    Args:
        by_task: Rewards by task.
        level: Of the interval, in (0, 1).
    """
    rows = [by_task[name] for name in sorted(by_task) if by_task[name]]
    if not rows:
        return None
    sums, counts = np.array([sum(row) for row in rows]), np.array([len(row) for row in rows])
    drawn = np.random.Generator(np.random.PCG64(derive(0, "bootstrap", len(rows))))
    picks = drawn.integers(len(rows), size=(RESAMPLES, len(rows)))
    means = sums[picks].sum(1) / counts[picks].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return {name: round(float(value), 6) for name, value in
            (("mean", sums.sum() / counts.sum()), ("low", low), ("high", high))}  # fmt: skip


def figures(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts and reward of a group of episodes.

    Args:
        rows: Each with `task`, `status` and `reward`, which is None where there is no score.
    """
    counts = dict.fromkeys(("answered", "truncated", "errored"), 0)
    rewards: dict[str, list[float]] = {}
    tasks = set()
    for row in rows:
        counts[row["status"]] += 1
        tasks.add(row["task"])
        if row["reward"] is not None:
            rewards.setdefault(row["task"], []).append(row["reward"])
    return {"episodes": sum(counts.values()), "tasks": len(tasks), **counts, "reward": interval(rewards)}


def grouped(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of each group of rows that agree in the named columns, in the order of those columns."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [dict(zip(names, key, strict=True)) | figures(groups[key]) for key in sorted(groups)]
