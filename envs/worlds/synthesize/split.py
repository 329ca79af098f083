"""Tuning and test halves that share no entity."""

from collections.abc import Iterable, Mapping
from typing import Any

from murk.envs.seeds import uniform


def split_by_entities(tasks: Iterable[Mapping[str, Any]], seed: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The tasks whose entities all lie in one half, marked `tune` or `test`, in their order; and how many were dropped.

    An entity's half follows from its name and the seed alone, so that tasks made later fall into the same halves.
    """
    kept, dropped = [], 0
    for task in tasks:
        halves = {_half(name, seed) for name in task["meta"]["entities"]}
        if len(halves) == 1:
            kept.append({**task, "split": halves.pop()})
        else:
            dropped += 1
    return kept, dropped


def _half(entity: str, seed: int) -> str:
    return "tune" if uniform(seed, "half", entity) < 0.5 else "test"
