"""How verdicts are got from a language model, served or in process, and who is to blame where there is none.

All criteria, parts of the report and trials are asked in one round; replies that are no verdict are asked once more in
a second. Where there is still none, a third round decides whose fault it is:

1. The *machine's*, where a request failed for a reason that is not in it: no connection, time-out, an overloaded,
   broken or wrongly addressed server, after all retries. The verdict is None.
2. *Open*, where the model answered and gave no verdict twice, or the server refused the request as such (HTTP 400, 413,
   422). Then the same question and criterion are put with a plain report of our own, the probe. Where the model decides
   the probe, the report is to blame and gets the worst verdict: `unmet` on what it should have, `met` on a flaw. Where
   it does not, the machine cannot judge this criterion at all: None.
3. The *report's*, where it is empty or longer than `max_chars`: the worst verdict, and nothing is asked.

So breaking the judge never pays, and a broken judge never costs. One part of a report that breaks the judge breaks the
whole criterion.

**Parts.** A long report is judged in parts that overlap. What is met in one part is met: the word of the report is the
best of its parts for a positive criterion, and the gravest of its parts for a flaw, which is the same order.
**Trials.** `share` has the share of each word; the word itself is the most frequent, of equals the worse one. One trial
without a machine leaves none, because a mean of fewer trials is another measurement.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from murk.envs.errors import UsageError
from murk.envs.tasks import Criterion
from murk.rewards.judges import VERDICTS, Case, Verdict
from murk.rewards.judges.chat_reply import Said, read_reply, supported
from murk.rewards.judges.prompts import PROBE, Messages, again, chunks, messages, visible, words_for
from murk.rewards.score import summed


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request.

    Attributes:
        text: The model's reply; None where there is none.
        refused: Whether the server refused the request as such, which may be the report's fault.
        note: What went wrong.
        usage: What it spent.
    """

    text: str | None
    refused: bool = False
    note: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its conversation and the number of its trial."""

    messages: Messages
    trial: int = 0


Ask = Callable[[Sequence[Asked]], list[Answer]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How reports are cut.

    Attributes:
        chunk_chars: Characters of a part, from 1,000.
        overlap_chars: Characters that two parts share, less than half a part.
        max_chars: Characters of a report; a longer one gets the worst verdicts.
        trials: How often each criterion is asked, from 1.

    Raises:
        UsageError: a value is outside of these.
    """

    chunk_chars: int = 24_000
    overlap_chars: int = 1_000
    max_chars: int = 200_000
    trials: int = 1

    def __post_init__(self) -> None:
        bounds = {"chunk_chars": (1_000, 1 << 24), "overlap_chars": (0, self.chunk_chars // 2 - 1)}
        bounds |= {"max_chars": (1, 1 << 24), "trials": (1, 100)}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise UsageError(f"{name} of a judge is {value!r}; allowed are whole numbers from {low} to {high}.")


@dataclass(slots=True)
class _Item:
    """One part of the report under one criterion in one trial."""

    criterion: Criterion
    text: str
    asked: Asked
    said: Said | None = None
    failed: str = ""
    reply: str | None = None
    usage: list[Mapping[str, float]] = field(default_factory=list)

    @property
    def positive(self) -> bool:
        return self.criterion.weight > 0

    @property
    def open(self) -> bool:
        return self.said is None and not self.failed

    def take(self, answer: Answer) -> None:
        self.usage.append(answer.usage)
        self.reply = answer.text
        if answer.text is not None:
            self.said = read_reply(answer.text, words_for(self.positive))
        elif not answer.refused:
            self.failed = answer.note or "the judge's machine failed"


def decide(case: Case, criteria: Sequence[Criterion], ask: Ask, limits: Limits) -> list[Verdict]:
    """One verdict for each criterion.

    Args:
        ask: Puts requests to the model, and gives their answers in the same order.
    """
    report = case.trajectory.answer or ""
    if not report.strip() or len(report) > limits.max_chars:
        why = "there is no report" if not report.strip() else f"the report is longer than {limits.max_chars} characters"
        return [Verdict(_worst(criterion), why) for criterion in criteria]
    parts = list(chunks(report, limits.chunk_chars, limits.overlap_chars))
    trials = [
        [_items(case.task.question, criterion, parts, trial) for trial in range(limits.trials)]
        for criterion in criteria
    ]
    items = [item for criterion_trials in trials for trial in criterion_trials for item in trial]
    _round(items, ask)
    for item in items:
        if item.open and item.reply is not None:
            item.asked = Asked(again(item.asked.messages, item.reply, item.positive), item.asked.trial)
    _round([item for item in items if item.open and item.reply is not None], ask)
    blamed = _blamed(case.task.question, [item for item in items if item.open], ask)
    return [_verdict(criterion, made, blamed) for criterion, made in zip(criteria, trials, strict=True)]


def _items(question: str, criterion: Criterion, parts: list[str], trial: int) -> list[_Item]:
    return [
        _Item(
            criterion, part, Asked(messages(question, criterion.text, criterion.weight > 0, part, i, len(parts)), trial)
        )
        for i, part in enumerate(parts, 1)
    ]


def _round(items: Sequence[_Item], ask: Ask) -> None:
    if items:
        for item, answer in zip(items, ask([item.asked for item in items]), strict=True):
            item.take(answer)


def _blamed(question: str, items: Sequence[_Item], ask: Ask) -> dict[tuple[str, bool], bool]:
    """For each criterion, by text and sign, that could not be decided: whether the report is to blame."""
    wanted = {(item.criterion.text, item.positive): item for item in items}
    probes = [
        _Item(item.criterion, PROBE, Asked(messages(question, text, positive, PROBE)))
        for (text, positive), item in wanted.items()
    ]
    _round(probes, ask)
    for item, probe in zip(wanted.values(), probes, strict=True):
        item.usage += probe.usage
    return {name: probe.said is not None for name, probe in zip(wanted, probes, strict=True)}


def _verdict(
    criterion: Criterion, trials: Sequence[Sequence[_Item]], blamed: Mapping[tuple[str, bool], bool]
) -> Verdict:
    usage = summed([spent for trial in trials for item in trial for spent in item.usage])
    items = [item for trial in trials for item in trial]
    key = (criterion.text, criterion.weight > 0)
    failed = next((item.failed for item in items if item.failed), "")
    if not failed and any(item.open for item in items) and not blamed[key]:
        failed = "the model gives no verdict on this criterion, not even on a plain report"
    if failed:
        return Verdict(None, failed, {}, usage)
    votes = [_of_trial(criterion, trial) for trial in trials]
    share = {word: sum(vote.word == word for vote in votes) / len(votes) for word in VERDICTS}
    worst_first = VERDICTS if criterion.weight < 0 else VERDICTS[::-1]
    word = max(worst_first, key=share.__getitem__)
    vote = next(vote for vote in votes if vote.word == word)
    return Verdict(word, _note(vote), share if len(votes) > 1 else {}, usage)


def _of_trial(criterion: Criterion, items: Sequence[_Item]) -> Said:
    if any(item.open for item in items):
        return Said(_worst(criterion), (), "the report makes the judge fail")
    said = [supported(item.said, visible(item.text)) if item.positive else item.said for item in items if item.said]
    return min(said, key=lambda part: VERDICTS.index(part.word))


def _worst(criterion: Criterion) -> str:
    return "unmet" if criterion.weight > 0 else "met"


def _note(said: Said) -> str:
    quotes = ", ".join(f'"{quote[:200]}"' for quote in said.quotes)
    return " ".join(part for part in (said.reason[:500], f"[{quotes}]" if quotes else "") if part)
