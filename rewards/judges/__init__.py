"""Judges: whether a report meets a criterion. One file each; each a plugin of the group `judges`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task

VERDICTS = ("met", "partial", "unmet")


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: the report of an episode, which is never trusted.

    Attributes:
        task: With the question.
        trajectory: With the report (`answer`) and what its citations mean.
        pages: Text of the pages delivered in the episode, by canonical URL.
    """

    task: Task
    trajectory: Trajectory
    pages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's word on one criterion.

    Attributes:
        word: `met`, `partial` or `unmet`; None where the judge's machine failed, which is never held against a report.
        note: Why, in words; the quotes that it rests on.
        share: Of several trials or judges, the share by word; empty for a single one.
        usage: What judging spent, by name: `calls`, `tokens_in`, `tokens_out`, `money`.
    """

    word: str | None
    note: str = ""
    share: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)


class Judge(Protocol):
    """Decides criteria.

    A judge with an attribute `instant` that is true takes milliseconds and waits for nothing outside of the process;
    others are called in threads where many episodes run side by side.

    Attributes:
        version: Names the judge, its model, settings and prompts: verdicts of equal versions may be reused.
    """

    @property
    def version(self) -> str: ...

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion, in their order. Never raises for what a report holds.

        It may be called in a thread that runs an event loop, and from several threads.
        """
        ...
