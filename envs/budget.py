"""What an episode may spend, what it has spent, and the simulated clock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from murk.envs.errors import UnknownName, UsageError


def count_tokens(text: str) -> int:
    """Tokens of a text, by the rule used where no tokenizer is given: a quarter of its UTF-8 bytes, rounded up.

    >>> count_tokens("hello"), count_tokens("")
    (2, 0)
    """
    return -(-len(text.encode("utf-8", "replace")) // 4)


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


@dataclass(frozen=True, slots=True)
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
            UsageError: a limit that is no finite number from 0.
        """
        names = [field.name for field in fields(cls)]
        for name, value in (settings or {}).items():
            if name not in names:
                raise UnknownName("budget field", name, names)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value) and value >= 0):
                raise UsageError(f"budget field {name} is {value!r}; allowed are finite numbers from 0, or null.")
        return cls(**(settings or {}))  # type: ignore[arg-type]

    def exceeded(self, spent: Spending) -> str | None:
        """The first limit that is spent beyond, in words; None while all hold."""
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and getattr(spent, field.name) > limit:
                return f"{field.name}: spent {getattr(spent, field.name):.6g} of {limit:.6g}"
        return None

    def left(self, spent: Spending) -> dict[str, float | None]:
        """What is left of each limit, at least 0; None where there is no limit."""
        return {
            field.name: None
            if getattr(self, field.name) is None
            else max(0, round(getattr(self, field.name) - getattr(spent, field.name), 6))
            for field in fields(self)
        }
