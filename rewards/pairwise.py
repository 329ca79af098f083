"""Pairwise judging: which of two reports is better, asked in both orders, with five outcomes (as in ADR-Bench).

Models prefer what stands first, so each pair is asked twice with the reports swapped, and the outcome is the mean of
both: a preference that follows the place rather than the report is a tie. Where a reply holds no verdict it is asked
for once more; where there still is none, each report is compared with a plain one of our own, and the report that
breaks the judge there loses. Where the judge cannot compare two plain reports either, its machine has failed: no
outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from murk.envs.errors import UsageError
from murk.rewards.judges.chat_reply import read_reply
from murk.rewards.judges.chat_verdicts import Answer, Asked
from murk.rewards.judges.prompts import PROBE, Messages
from murk.rewards.judges.prompts_pairwise import LISTED, WORDS, comparison
from murk.rewards.judges.prompts_pairwise import version as prompt_version
from murk.rewards.score import summed

OUTCOMES = {2: "much better", 1: "better", 0: "equal", -1: "worse", -2: "much worse"}
_AGAIN = f'That is not the one JSON object asked for. Answer with it and nothing else, with "verdict" one of {LISTED}.'
_READ = {word: word for word in WORDS}


class Talker(Protocol):
    """A language model that answers requests: the judges `chat` and `transformers`."""

    @property
    def version(self) -> str: ...

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answers, in the order of the requests."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reports on one question."""

    question: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of comparing two reports.

    Attributes:
        value: From 2 (the first is much better) to -2 (much worse); None where the judge's machine failed.
        orders: The value when the first report was shown first, and when it was shown second.
        note: What was out of the ordinary.
        usage: What judging spent, by name.
    """

    value: int | None
    orders: tuple[int, int] | None = None
    note: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)

    @property
    def word(self) -> str | None:
        """The value as a word on the first report."""
        return None if self.value is None else OUTCOMES[self.value]

    @property
    def score(self) -> float | None:
        """1 for a win of the first report, 0.5 for a tie, 0 for a loss."""
        return None if self.value is None else (1.0 if self.value > 0 else 0.5 if self.value == 0 else 0.0)


class PairwiseJudge:
    """Compares pairs of reports.

    Args:
        model: What is asked.
        max_chars: Characters of a report, from 1; a longer one loses, and of two longer ones neither wins.

    Raises:
        UsageError: `max_chars` is below 1.
    """

    def __init__(self, model: Talker, max_chars: int = 60_000) -> None:
        if max_chars < 1:
            raise UsageError(f"max_chars is {max_chars}; allowed are whole numbers from 1.")
        self.model, self.max_chars = model, max_chars

    @property
    def version(self) -> str:
        """Of the model and the prompt."""
        return f"pairwise 1 ({self.model.version}, prompt {prompt_version()}, {self.max_chars})"

    def compare(self, pairs: Sequence[Pair]) -> list[Outcome]:
        """One outcome for each pair, in their order."""
        asked = [i for i, pair in enumerate(pairs) if not self._too_long(pair)]
        fair = [pairs[i] for i in asked]
        forth = self._values([comparison(pair.question, pair.first, pair.second) for pair in fair])
        back = self._values([comparison(pair.question, pair.second, pair.first) for pair in fair])
        found = {i: (one, two) for i, one, two in zip(asked, forth, back, strict=True)}
        return [self._outcome(pair, found.get(i)) for i, pair in enumerate(pairs)]

    def _too_long(self, pair: Pair) -> bool:
        return max(len(pair.first), len(pair.second)) > self.max_chars

    def _outcome(self, pair: Pair, found: "tuple[_Value, _Value] | None") -> Outcome:
        if found is None:
            value = 2 * ((len(pair.second) > self.max_chars) - (len(pair.first) > self.max_chars))
            return Outcome(value, None, f"a report is longer than {self.max_chars} characters")
        usage = summed([found[0].usage, found[1].usage])
        if failed := found[0].failed or found[1].failed:
            return Outcome(None, None, failed, usage)
        if found[0].value is None or found[1].value is None:
            return self._broken(pair, usage)
        orders = (found[0].value, -found[1].value)
        return Outcome(together(*orders), orders, "", usage)

    def _broken(self, pair: Pair, usage: Mapping[str, float]) -> Outcome:
        """Which report is to blame where the judge gave no verdict on a pair."""
        probes = [(pair.first, PROBE), (pair.second, PROBE), (PROBE, PROBE)]
        found = self._values([comparison(pair.question, report, other) for report, other in probes])
        usage = summed([usage, *(value.usage for value in found)])
        failed = next((value.failed for value in found if value.failed), "")
        if failed or found[2].value is None:
            return Outcome(None, None, failed or "the model gives no verdict on plain reports either", usage)
        value = 2 * ((found[1].value is None) - (found[0].value is None))
        return Outcome(value, None, "a report makes the judge fail", usage)

    def _values(self, conversations: Sequence[Messages]) -> "list[_Value]":
        values = [_Value(messages) for messages in conversations]
        for again in (False, True):
            open_ones = [value for value in values if value.value is None and not value.failed]
            if again:
                open_ones = [value for value in open_ones if value.reply is not None]
            requests = [Asked(value.next(again)) for value in open_ones]
            for value, answer in zip(open_ones, self.model.ask(requests) if requests else [], strict=True):
                value.take(answer)
        return values


def together(one: int, two: int) -> int:
    """The outcome of two orders: their mean, halves rounded towards a tie.

    >>> [together(*orders) for orders in ((2, 2), (2, 1), (1, 0), (1, -1), (2, -1), (-2, -1))]
    [2, 1, 0, 0, 0, -1]
    """
    return int((one + two) / 2)


@dataclass(slots=True)
class _Value:
    """One comparison on its way to a value."""

    messages: Messages
    value: int | None = None
    failed: str = ""
    reply: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)

    def next(self, again: bool) -> Messages:
        if not again:
            return self.messages
        said = {"role": "assistant", "content": (self.reply or "")[:1_000] or "|"}
        return [*self.messages, said, {"role": "user", "content": _AGAIN}]

    def take(self, answer: Answer) -> None:
        self.usage = summed([self.usage, answer.usage])
        self.reply = answer.text
        if answer.text is not None:
            said = read_reply(answer.text, _READ)
            self.value = WORDS[said.word] if said else None
        elif not answer.refused:
            self.failed = answer.note or "the judge's machine failed"
