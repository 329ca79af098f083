"""Settings against annotations, also of plugins that are written in other ways than murk's."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.settings import check_settings


@dataclass
class Plain:
    whole: int
    share: float = 0.5
    name: str | None = None
    on: bool = True
    kind: Literal["a", "b"] = "a"
    words: tuple[str, ...] = ()
    turns: Sequence[str] = ()
    more: Mapping[str, Any] | None = None


class Named(NamedTuple):
    whole: int
    words: list[str] = []  # noqa: RUF012


@pytest.mark.parametrize(
    "given",
    [
        {"whole": 3},
        {"whole": np.int64(3), "share": 1, "name": None, "words": ["a"], "turns": ["a"], "kind": "b"},
        {"whole": 3, "share": np.float32(0.5), "more": {"a": 1}, "words": ("a", "b"), "on": False},
    ],
)
def test_what_fits_passes(given: dict[str, Any]) -> None:
    check_settings("x", Plain, given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the setting whole is missing"),
        ({"whole": True}, "whole is 'True'; allowed are whole numbers"),
        ({"whole": 1.5}, "whole numbers"),
        ({"whole": 1, "share": float("nan")}, "finite numbers"),
        ({"whole": 1, "share": 10**400}, "finite numbers"),
        ({"whole": 1, "name": 3}, "allowed are texts, null"),
        ({"whole": 1, "on": "no"}, "true, false"),
        ({"whole": 1, "kind": "c"}, "allowed are a, b"),
        ({"whole": 1, "words": "abc"}, "lists"),
        ({"whole": 1, "words": ["a", 1]}, "lists"),
        ({"whole": 1, "turns": 5}, "lists"),
        ({"whole": 1, "turns": "abc"}, "lists"),
        ({"whole": 1, "more": 3}, "mappings, null"),
        ({"whole": 1, "shares": 3}, "Did you mean 'share'"),
    ],
)
def test_what_does_not_fit_is_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_settings("x", Plain, given)


def test_plugins_of_any_kind_can_be_made() -> None:
    for name, plugin in {"partial": functools.partial(Plain, share=0.1), "builtin": dict, "tuple": Named}.items():
        plugins._registered["rewards", f"settings-{name}"] = plugin
    assert plugins.make("rewards", "settings-partial", {"whole": 3}) == Plain(3, 0.1)
    assert plugins.make("rewards", "settings-builtin", {"whole": 3}) == {"whole": 3}
    assert plugins.make("rewards", "settings-tuple", {"whole": 3}) == Named(3)
    with pytest.raises(UsageError, match="whole is 'x'"):
        plugins.make("rewards", "settings-tuple", {"whole": "x"})
    with pytest.raises(UnknownName, match="Did you mean 'whole'"):
        plugins.make("rewards", "settings-tuple", {"whol": 3})
    for name in ("partial", "builtin", "tuple"):
        del plugins._registered["rewards", f"settings-{name}"]
