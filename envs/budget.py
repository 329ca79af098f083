"""What an episode may spend, what it has spent, and the simulated clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from murk.envs.errors import UnknownName, UsageError

LIMITED = ("calls", "tokens", "seconds", "money")
_MOST = 1e15
SPENT = ("calls", "tokens_in", "tokens_out", "seconds", "money")


class Counter(Protocol):
    """What counts the tokens of a text, whose size in bytes of UTF-8 may be known."""

    def __call__(self, text: str, size: int | None = None) -> int: ...


def count_tokens(text: str, size: int | None = None) -> int:
    """Tokens of a text, by the rule used where no tokenizer is given: a quarter of its UTF-8 bytes, rounded up.

    Args:
        size: The number of bytes, where it is known.

    >>> count_tokens("hello"), count_tokens("")
    (2, 0)
    """
    if size is None:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -(-size // 4)


def check_numbers(what: str, settings: Mapping[str, Any], names: Sequence[str], null: bool = False) -> None:
    """Checks settings that are numbers, or where allowed null.

    Raises:
        UnknownName: an unknown name.
        UsageError: a value that is no finite number from 0 to 1e15.
    """
    for name, value in settings.items():
        if name not in names:
            raise UnknownName(what, name, names)
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST
        if not number and not (null and value is None):
            allowed = f"finite numbers from 0 to {_MOST:g}{', or null' * null}"
            raise UsageError(f"{what} {name} is {repr(value)[:40]}; allowed are {allowed}.")


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost.

    Attributes:
        per_call: Money for each tool call.
        per_million_in: Money for a million tokens that the agent reads.
        per_million_out: Money for a million tokens that the agent writes.
        seconds_per_token: Simulated seconds for each token that the agent writes.
    """

    per_call: float = 0.0
    per_million_in: float = 0.0
    per_million_out: float = 0.0
    seconds_per_token: float = 0.02

    @classmethod
    def of(cls, settings: Mapping[str, float] | None) -> "Prices":
        """Prices from a mapping; raises as `check_numbers` does."""
        check_numbers("price", settings or {}, [field.name for field in fields(cls)])
        return cls(**(settings or {}))


@dataclass(slots=True)
class Spending:
    """What has been spent: tool calls, tokens read and written, simulated seconds, money."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; None for no limit.

    Attributes:
        calls: Tool calls.
        tokens: Tokens read and written.
        seconds: Simulated seconds.
        money: In the unit of the prices.
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    money: float | None = None

    @classmethod
    def of(cls, settings: Mapping[str, float | None] | None) -> "Budget":
        """A budget from a mapping, as configs and task files have it.

        Raises:
            UnknownName: an unknown field.
            UsageError: a limit that is no number from 0 to 1e15, or for calls and tokens no whole one.
        """
        given: dict[str, Any] = dict(settings or {})
        check_numbers("budget field", given, LIMITED, null=True)
        for name in ("calls", "tokens"):
            value = given.get(name)
            if value is not None and value % 1:
                raise UsageError(f"budget field {name} is {value!r}; allowed are whole numbers from 0, or null.")
            given[name] = None if value is None else int(value)
        return cls(**given)

    def exceeded(self, spent: Spending) -> str | None:
        """The first limit that is spent beyond, in words; None while all hold."""
        for name in LIMITED:
            limit = getattr(self, name)
            if limit is not None and getattr(spent, name) > limit:
                return f"{name}: spent {getattr(spent, name):.6g} of {limit:.6g}"
        return None

    def left(self, spent: Spending) -> dict[str, float | None]:
        """What is left of each limit, at least 0; None where there is no limit."""
        left: dict[str, float | None] = dict.fromkeys(LIMITED)
        for name in LIMITED:
            limit = getattr(self, name)
            if limit is not None:
                left[name] = max(0, round(limit - getattr(spent, name), 6))
        return left
