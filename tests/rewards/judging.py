"""Judges, rewards and reports for the tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from murk.envs import plugins
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.judges import Case, Verdict
from murk.rewards.score import Score


class Told:
    """Gives the verdicts that it was told, by id of the criterion; counts what it was asked."""

    def __init__(self, words: Mapping[str, str | None], version: str = "told 1", share: Any = None) -> None:
        self.words, self.version, self.share = words, version, share or {}
        self.asked: list[str] = []

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        self.asked += [criterion.id for criterion in criteria]
        return [self._one(criterion.id) for criterion in criteria]

    def _one(self, name: str) -> Verdict:
        word = self.words[name]
        return Verdict(word, "" if word else "no answer", self.share.get(name, {}), {"calls": 1.0})


def report(answer: str | None, *cited: str | None, **more: Any) -> Trajectory:
    return Trajectory("t", "answered" if answer is not None else "truncated", answer, cited, **more)


def task(*criteria: Mapping[str, Any]) -> Task:
    """A task with criteria `a`, `b`, ... in their order; each has a weight and what else is given."""
    rubric = [{"id": chr(97 + i), "text": f"text {chr(97 + i)}", **one} for i, one in enumerate(criteria)]
    return Task.of({"id": "t", "question": "q", "rubric": rubric})


ANY = task({"weight": 1})


def spent(**spending: float) -> Trajectory:
    return report("x", spending=spending, budget={"calls": 10.0, "tokens": 1000.0})


class Fixed:
    """A reward that is always the same; the plugin `fixed`."""

    version = "fixed 1"

    def __init__(self, value: float | None) -> None:
        self.value = value

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        return Score(self.value, {"half": (self.value or 0) / 2}, ("a note",), {"calls": 1.0})


plugins.register("rewards", "fixed", Fixed)
