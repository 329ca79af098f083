"""`random`: valid actions drawn at random, to see what an environment does with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from murk.envs.actions import ToolCall, Turn, render_turn
from murk.envs.codec import canonical_json
from murk.envs.seeds import Draws
from murk.rollout.policies import Completion, Start

_WORD = re.compile(r"\w{3,40}")
_URL = re.compile(r"https?://[^\s\"'<>()\[\]\\]{1,300}")


@dataclass(frozen=True, slots=True)
class RandomActions:
    """Draws tools and arguments from their schemas, words and addresses from what it reads.

    Attributes:
        turns: Most turns before it answers; each episode draws its own number.
    """

    turns: int = 6

    def begin(self, start: Start) -> "_Dice":
        """Begins an episode that the seed of `start` decides."""
        return _Dice(start, self.turns)


class _Dice:
    def __init__(self, start: Start, turns: int) -> None:
        self._draws = Draws(start.seed, "random")
        self._dialect = start.dialect
        self._tools = [tool.get("function", tool) for tool in start.tools]
        self._left = 1 + self._draws.below(turns)

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        """Takes one to three calls, or answers with words that it has read."""
        text = "\n".join(str(message.get("content") or "")[:20_000] for message in conversation[-4:])
        seen = _WORD.findall(text) or ["nothing"]
        pages = _URL.findall(text) or ["https://example.org/"]
        self._left -= 1
        if self._left <= 0 or not self._tools:
            return Completion(render_turn(Turn(answer=" ".join(self._draws.sample(seen, 8))), self._dialect))
        calls = [self._call(number, seen, pages) for number in range(1, 2 + self._draws.below(3))]
        return Completion(render_turn(Turn(calls=tuple(calls)), self._dialect))

    def _call(self, number: int, seen: Sequence[str], pages: Sequence[str]) -> ToolCall:
        tool = self._draws.pick(self._tools)
        rules: Mapping[str, Any] = tool.get("parameters", {})
        needed = rules.get("required", ())
        arguments = {
            name: self._value(name, rule, seen, pages)
            for name, rule in rules.get("properties", {}).items()
            if name in needed or self._draws.below(2)
        }
        return ToolCall(str(tool.get("name")), canonical_json(arguments), f"call_{number}")

    def _value(self, name: str, rule: Mapping[str, Any], seen: Sequence[str], pages: Sequence[str]) -> Any:
        draws, kind = self._draws, rule.get("type")
        if "enum" in rule:
            return draws.pick(rule["enum"])
        if kind in ("integer", "number"):
            low, high = int(rule.get("minimum", 0)), int(rule.get("maximum", 100))
            return low + draws.below(min(high, low + 100) - low + 1)
        if kind == "boolean":
            return bool(draws.below(2))
        if kind == "array":
            return [self._text(name, seen, pages) for _ in range(1 + draws.below(3))]
        return {} if kind == "object" else self._text(name, seen, pages)

    def _text(self, name: str, seen: Sequence[str], pages: Sequence[str]) -> str:
        if name.startswith("url"):
            return self._draws.pick(pages)
        if name == "at":
            return f"20{self._draws.below(27):02}-01-01"
        return " ".join(self._draws.sample(seen, 1 + self._draws.below(3)))
