"""Records as JSON values and back: the only form in which anything is stored or sent."""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Any, Union, get_args, get_origin, get_type_hints

# `json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))` makes this anew for each value that it
# encodes, which takes as long as the encoding of a small one.
_encoder = c_make_encoder(None, json.JSONEncoder().default, encode_basestring, None, ":", ",", True, False, True)


# The canonical JSON of a text.
quoted: Callable[[str], str] = encode_basestring


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys and no spaces: one byte sequence for one value."""
    return "".join(_encoder(value, 0))


def encode(record: Any) -> dict[str, Any]:
    """Turns a record into JSON values, its type name under `type`."""
    return {"type": type(record).__name__} | {f.name: _plain(getattr(record, f.name)) for f in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def build(kind: type, data: Any) -> Any:
    """Turns JSON values back into a record of a kind.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"a {kind.__name__} is a mapping, not {type(data).__name__}")
    hints = _hints(kind)
    if unknown := sorted(set(data) - set(hints)):
        raise ValueError(f"{kind.__name__} has no field {unknown[0]!r}")
    try:
        return kind(**{name: _convert(hints[name], value) for name, value in data.items()})
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _convert(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _convert(get_args(hint)[0], value)
    if hint is Any:
        return value
    if origin is tuple:
        return _tuple(get_args(hint), value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a mapping, not {type(value).__name__}")
        return {str(name): _convert(get_args(hint)[1], item) for name, item in value.items()}
    if hasattr(hint, "__dataclass_fields__"):
        return build(hint, value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"expected {hint.__name__}, not {type(value).__name__}")
    return value


def _tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list, not {type(value).__name__}")
    if hints[1:] == (...,):
        return tuple(_convert(hints[0], item) for item in value)
    if len(hints) != len(value):
        raise ValueError(f"expected {len(hints)} items, not {len(value)}")
    return tuple(_convert(hint, item) for hint, item in zip(hints, value, strict=True))
