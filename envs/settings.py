"""Settings against the annotations of what takes them, so that a wrong one is told before anything runs.

YAML and JSON know fewer types than Python: a whole number may stand for a float, and a list for a tuple.
"""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from murk.envs.errors import UnknownName, UsageError

_WORDS: Mapping[Any, str] = types.MappingProxyType(
    {bool: "true, false", int: "whole numbers", float: "finite numbers", str: "texts", type(None): "null"}
)


def check_settings(what: str, taker: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Checks settings by the parameters of a function or class, as far as their annotations are plain.

    Args:
        what: Whose settings they are, for the message.
        taker: What takes them by keyword.
        given: Settings by name.

    Raises:
        UnknownName: there is no such setting; the message names the nearest one.
        UsageError: a value is of another type, or a setting without a default is missing.
    """
    parameters, open_ended = _parameters(taker)
    for name, value in given.items():
        if name not in parameters:
            if open_ended:
                continue
            raise UnknownName(f"setting of {what}:", str(name), parameters)
        hint, _ = parameters[name]
        if not _fits(value, hint):
            raise UsageError(f"{what}: {name} is {str(value)[:80]!r}; allowed are {_words(hint)}.")
    for name, (_, needed) in parameters.items():
        if needed and name not in given:
            raise UsageError(f"{what}: the setting {name} is missing.")


def check_range(what: str, value: float, least: float, most: float = math.inf) -> None:
    """Checks a number.

    Raises:
        UsageError: it is out of its range.
    """
    if not least <= value <= most:
        allowed = f"{least:g} and more" if most == math.inf else f"{least:g} to {most:g}"
        raise UsageError(f"{what} is {value!r}; allowed are {allowed}.")


@cache
def _parameters(taker: Callable[..., Any]) -> tuple[dict[str, tuple[Any, bool]], bool]:
    """Annotation of each parameter and whether it must be given; and whether any other name is taken, too."""
    try:
        found = signature(taker).parameters
    except (ValueError, TypeError):  # written in C
        return {}, True
    own = isinstance(taker, type) and "__init__" in vars(taker)
    try:
        hints = get_type_hints(getattr(taker, "__init__") if own else taker)  # noqa: B009
    except (NameError, TypeError, AttributeError):  # of somebody else, and only a type checker can read it
        hints = {}
    named = {
        name: (hints.get(name, Any), parameter.default is Parameter.empty)
        for name, parameter in found.items()
        if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    }
    return named, any(parameter.kind is Parameter.VAR_KEYWORD for parameter in found.values())


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; where the type says nothing that can be looked at, it is."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if origin in (tuple, list, Sequence):
        kinds = [kind for kind in get_args(hint) if kind is not Ellipsis]
        alike = len(kinds) == 1 or len(set(kinds)) == 1
        return isinstance(value, list | tuple) and (not alike or all(_fits(item, kinds[0]) for item in value))
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, Real) and _finite(value)
    if hint is int:
        return isinstance(value, Integral)
    return isinstance(value, hint) if hint in _WORDS else True


def _finite(value: Real) -> bool:
    try:
        return abs(float(value)) < math.inf
    except OverflowError:
        return False


def _words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return ", ".join(dict.fromkeys(map(_words, get_args(hint))))
    if origin is Literal:
        return ", ".join(map(str, get_args(hint)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mappings"
    if origin in (tuple, list, Sequence):
        return "lists"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))
