"""Runs the examples in the docstrings of all modules."""

import doctest
import importlib
import pkgutil

import pytest

import murk.envs
import murk.rewards
import murk.rollout

MODULES = sorted(
    found.name
    for tree in (murk.envs, murk.rewards, murk.rollout)
    for found in pkgutil.walk_packages(tree.__path__, tree.__name__ + ".")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 15
