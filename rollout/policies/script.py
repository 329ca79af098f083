"""An agent that plays a script: a generator that yields turns, is sent their results, and returns its report.

The script says what to do and nothing of how: dialects, quoting, the names under which tools are offered and the limits
of the first message are settled here. A call that the budget no longer allows is not made and reads as empty, so that
every script comes to its report in time.
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from murk.envs.actions import MAX_CALLS, ToolCall, Turn, render_turn
from murk.envs.budget import count_tokens
from murk.envs.codec import canonical_json
from murk.rollout.policies import Completion, Start
from murk.rollout.policies.frames import read_results

Arguments = Mapping[str, Any]
MAX_TURNS = 40
REPORT_TOKENS = 1_000
SECONDS_PER_CALL = 3.0
_LIMIT = re.compile(r"\b(calls|tokens|seconds) (\d+(?:\.\d+)?)")
_SIGNS = {
    "web": {"queries", "urls"},
    "links": {"url"},
    "find": {"text", "url"},
    "file": {"path", "content"},
    "todo": {"updates"},
    "wait": {"seconds"},
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A turn of a script: why, and the calls, each the role of a tool (a key of `Tools.names`) and its arguments."""

    thought: str
    calls: Sequence[tuple[str, Arguments]]


Script = Generator[Ask, list[str], str]


class Tools:
    """The tools on offer, by what they are for.

    Attributes:
        names: Name of the tool for each of the roles `web`, `links`, `find`, `file`, `todo`, `wait`; a tool is known
            by its arguments, whatever it is called.
        arguments: Names of the tool's arguments for each role, in the order of its schema.
    """

    def __init__(self, schemas: Sequence[Mapping[str, Any]]) -> None:
        self.names: dict[str, str] = {}
        self.arguments: dict[str, list[str]] = {}
        for schema in schemas:
            function = schema.get("function", schema)
            properties = function.get("parameters", {}).get("properties", {})
            known = set(properties)
            for role, sign in _SIGNS.items():
                exact = known <= {"url", "at"} if role == "links" else True
                if sign <= known and exact and role not in self.names and not (role == "file" and "command" in known):
                    self.names[role] = str(function.get("name", ""))
                    self.arguments[role] = list(properties)


@dataclass(slots=True)
class Purse:
    """What is left of the budget that the first message names; None where it names no limit."""

    left: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, question: str) -> "Purse":
        """The purse of a first message, which has been paid for already."""
        line = question.rpartition("Your budget: ")[2] if "Your budget: " in question else ""
        return cls({name: float(limit) for name, limit in _LIMIT.findall(line)})

    def affords(self, arguments: Arguments, made: int) -> bool:
        """Whether a call after `made` others of the same turn leaves enough for the report."""
        tokens = 200 + REPORT_TOKENS + expected_tokens(arguments)
        seconds = SECONDS_PER_CALL + 0.02 * REPORT_TOKENS + float(arguments.get("seconds", 0.0))
        need = {"calls": made + 1, "tokens": tokens, "seconds": seconds}
        return all(self.left.get(name, amount) >= amount for name, amount in need.items())

    def read(self, text: str, seconds_per_token: float = 0.0) -> None:
        """Pays for the tokens of a text; they are counted only where there is a limit, because that takes long."""
        if self.left:
            tokens = count_tokens(text)
            self.pay("tokens", tokens)
            self.pay("seconds", seconds_per_token * tokens)

    def pay(self, name: str, amount: float) -> None:
        """Takes from what is left."""
        if name in self.left:
            self.left[name] -= amount


def expected_tokens(arguments: Arguments) -> int:
    """About how many tokens the result of a call will have."""
    pages, hits = len(arguments.get("urls", ())), int(arguments.get("topk", 0))
    return int(arguments.get("limit", 0)) // 4 + 1_200 * pages + 120 * hits


class ScriptedAgent:
    """Plays a script to its end."""

    def __init__(self, start: Start, begin: Callable[[str], Script]) -> None:
        self._dialect, self._tools, self._begin = start.dialect, Tools(start.tools), begin
        self._script: Script | None = None
        self._waiting: list[int] = []
        self._asked = 0
        self._turns = 0
        self._purse = Purse()
        self._answer = "I could not find an answer."

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        """Takes the next turn; reads the newest message alone."""
        text = str(conversation[-1].get("content") or "") if conversation else ""
        turn = self._next(text)
        written = render_turn(turn, self._dialect)
        self._purse.read(written, seconds_per_token=0.02)
        return Completion(written)

    def _next(self, text: str) -> Turn:
        try:
            if self._script is None:
                self._purse = Purse.of(text)
                self._script = self._begin(text)
                ask = next(self._script)
            else:
                self._purse.read(text)
                results = [""] * self._asked
                for place, result in zip(self._waiting, read_results(text, self._dialect), strict=False):
                    results[place] = result
                ask = self._script.send(results)
            while not (calls := self._affordable(ask)):
                ask = self._script.send([""] * len(ask.calls))
        except StopIteration as end:
            self._answer = str(end.value or self._answer).strip() or self._answer
            return Turn(answer=self._answer)
        return Turn(ask.thought.strip(), tuple(calls))

    def _affordable(self, ask: Ask) -> list[ToolCall]:
        """The calls that can be made; the places of the others stay empty."""
        calls: list[ToolCall] = []
        self._asked, self._waiting = len(ask.calls), []
        self._turns += 1
        for place, (role, arguments) in enumerate(ask.calls):
            name = self._tools.names.get(role, role)
            known = name in self._tools.names.values()
            if not known or len(calls) >= MAX_CALLS or self._turns > MAX_TURNS:
                continue
            if self._purse.affords(arguments, len(calls)):
                calls.append(ToolCall(name, canonical_json(dict(arguments)), f"call_{len(calls) + 1}"))
                self._waiting.append(place)
        self._purse.pay("calls", len(calls))
        self._purse.pay("seconds", SECONDS_PER_CALL * bool(calls))
        return calls
