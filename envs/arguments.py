"""Arguments of a call: their canonical text, and a first look that lets nearly all pass.

`Fit` knows less than `murk.envs.tools.check_arguments`, which mends and says what is wrong, and never says otherwise:
where it is not sure, it gives None.
"""

import json
from collections.abc import Mapping
from typing import Any

from murk.envs.codec import canonical_json
from murk.envs.utf8 import encodable

_DECODER = json.JSONDecoder()
_KINDS: Mapping[str, type] = {"string": str, "integer": int, "array": list}
_Rule = tuple[Any, Any]
_UNSURE: _Rule = (None, None)


def canonical_text(arguments: Mapping[str, Any]) -> str:
    """The canonical JSON of arguments, in which no string has a lone surrogate."""
    text = canonical_json(arguments)
    if (clean := encodable(text)[0]) != text:
        text = canonical_json(json.loads(clean))  # two keys may have become one
    return text


def values_of(text: str) -> dict[str, Any]:
    """The arguments that a canonical text says; a new dict each time."""
    values: dict[str, Any] = _DECODER.raw_decode(text)[0]
    return values


class Fit:
    """Lets arguments pass that fit one schema as they are.

    Args:
        schema: As `check_arguments` takes it.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        known: Mapping[str, Mapping[str, Any]] = schema["properties"]
        self._rules = {name: _rule(rule) for name, rule in known.items()}
        self._required = tuple(schema.get("required", ()))
        self._defaults = {name: rule["default"] for name, rule in known.items() if "default" in rule}

    def fitted(self, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """What `check_arguments` makes of the arguments once they are canonical; None where that is for it to say.

        Texts beyond ASCII are for it, too: they may hold lone surrogates.
        """
        fitted = self._defaults.copy()
        for name in sorted(arguments):
            value = fitted[name] = arguments[name]
            kind, allowed = self._rules.get(name, _UNSURE)
            if type(value) is not kind or (allowed is not None and value not in allowed):
                return None
            if kind is str:
                if not value.isascii():
                    return None
            elif kind is list:
                for text in value:
                    if type(text) is not str or not text.isascii():
                        return None
        for name in self._required:
            if name not in arguments:
                return None
        return fitted


def _rule(rule: Mapping[str, Any]) -> _Rule:
    """The type of values that fit without doubt, None if there is none, and which of them are allowed, None for all."""
    kind = _KINDS.get(str(rule.get("type")))
    if "minimum" not in rule:
        return kind, rule.get("enum")
    low, high = rule["minimum"], rule.get("maximum")
    if kind is int and type(low) is type(high) is int and "enum" not in rule:
        return int, range(low, high + 1)
    return _UNSURE
