"""Rubrics written by a model in two steps, with replies that are told in advance."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from murk.envs.errors import UsageError
from murk.envs.tasks import Task
from murk.rewards.judges.chat_verdicts import Answer, Asked
from murk.rewards.synthesis import Synthesis, synthesize_rubric

SUMMARY = "The Skerry Light was lit in 1874; an old guide says 1861. Ada Merrow kept it."
YEAR, LOG = "States that the light was lit in 1874.", "Names the keeper's log as a source."
FALSE, VAGUE, GONE = "Claims that it was lit in 1861.", "Is well written.", "Explains the tides."
QUESTION = "When was the Skerry Light lit for the first time?"


def criterion(text: str, role: str, weight: Any = 5) -> dict[str, Any]:
    return {"text": text, "role": role, "weight": weight, "axis": "facts"}


WRITTEN = [
    criterion(YEAR, "explicit", 8),
    criterion(LOG, "implicit", 2),
    criterion(FALSE, "negative"),
    criterion(VAGUE, "explicit"),
    criterion(GONE, "explicit"),
    criterion("Costs nothing.", "explicit", 0),
    criterion("Is free.", "explicit", "much"),
    criterion("Is odd.", "decisive"),
    criterion(YEAR.upper(), "explicit"),
    criterion("Is both.", "implicit", -3),
    {"weight": 1},
]
ROLES = [
    {"number": 0, "role": "explicit"},
    {"number": 1, "role": "implicit"},
    {"number": 2, "role": "negative"},
    {"number": 3, "role": "none"},
    "odd",
]


class Scripted:
    """Answers each request by the first reply whose key is in it; each reply but the last is given once."""

    def __init__(self, **replies: str | list[str]) -> None:
        self.replies = {key: [said] if isinstance(said, str) else list(said) for key, said in replies.items()}
        self.asked: list[str] = []

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        return [Answer(self._reply(one.messages[-1]["content"]), usage={"calls": 1.0}) for one in asked]

    def _reply(self, prompt: str) -> str:
        self.asked.append(prompt)
        said = next(said for key, said in self.replies.items() if f'"{key}"' in prompt)
        return said.pop(0) if len(said) > 1 else said[0]


class Strict(Scripted):
    """A judge to whom everything is objective but one."""

    def __init__(self) -> None:
        super().__init__(objective="")

    def _reply(self, prompt: str) -> str:
        self.asked.append(prompt)
        return json.dumps({"reason": "a matter of taste", "objective": VAGUE not in prompt})


def model(**more: str | list[str]) -> Scripted:
    replies: dict[str, str | list[str]] = {
        "roles": json.dumps({"roles": ROLES}),
        "question": f"<think>{{}}</think>Sure:\n```json\n{{'question': '{QUESTION}',}}\n```",
        "criteria": json.dumps({"criteria": WRITTEN}),
    }
    return Scripted(**(replies | more))


def test_a_task_of_two_steps_and_what_was_left_out() -> None:
    writer, judge = model(), Strict()
    made = synthesize_rubric(SUMMARY, writer, judge)
    assert made.task is not None
    task = Task.of(made.task)
    assert task.question == QUESTION
    assert [(one.text, one.weight, one.role) for one in task.rubric] == [
        (YEAR, 8.0, "explicit"), (LOG, 2.0, "implicit"), (FALSE, -5.0, "negative"),
    ]  # fmt: skip
    assert {one.text: one.reason for one in made.discarded} == {
        VAGUE: "not objective: a matter of taste",
        GONE: "its role was explicit and is none",
        "Costs nothing.": "its weight is 0; allowed are numbers above 0 to 10",
        "Is free.": "its weight is 'much'; allowed are numbers above 0 to 10",
        "Is odd.": "its role is 'decisive'; allowed are explicit, implicit, negative",
        YEAR.upper(): "it is there twice",
        "Is both.": "its weight is -3, but its role is implicit",
        "{'weight': 1}": "it has no text",
    }
    assert len(made.discarded) + len(task.rubric) == len(WRITTEN), "nothing is left out in silence"
    assert made.usage == {"calls": 3.0 + 5}
    assert made == synthesize_rubric(SUMMARY, model(), Strict())


def test_who_sees_what() -> None:
    writer, judge = model(), Strict()
    made = synthesize_rubric(SUMMARY, writer, judge)
    assert made.task is not None
    assert made.task["meta"]["summary"] == SUMMARY
    first, second, third = writer.asked
    assert SUMMARY in first
    assert SUMMARY not in second + third + "".join(judge.asked)
    assert f"(explicit) {YEAR}" in second
    assert VAGUE not in second
    assert QUESTION in third
    assert f"0. {YEAR}" in third, "roles are said anew, without the old ones"
    assert all(sum(one["text"] in prompt for one in WRITTEN[:5]) == 1 for prompt in judge.asked)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"criteria": "I cannot."}, "the model gave no list of criteria in two replies"),
        ({"criteria": '{"criteria": []}'}, "the model gave no list of criteria in two replies"),
        ({"question": '{"question": ""}'}, "the model gave no question in two replies"),
        ({"criteria": json.dumps({"criteria": WRITTEN[1:3]})}, "no explicit criterion is left"),
        ({"roles": '{"roles": [{"number": 1, "role": "implicit"}]}'}, "no explicit criterion is left"),
    ],
)
def test_no_task_where_a_step_has_nothing_to_go_on_with(more: dict[str, str], problem: str) -> None:
    made = synthesize_rubric(SUMMARY, model(**more), Strict())
    assert (made.task, made.problem) == (None, problem)


def test_a_reply_that_cannot_be_read_is_asked_for_once_more() -> None:
    writer = model(criteria=["{", json.dumps({"criteria": WRITTEN[:1]})])
    judge = Scripted(objective=["no", '{"objective": "true"}'])
    made = synthesize_rubric(SUMMARY, writer, judge)
    assert len(writer.asked) == len(judge.asked) == 2
    assert "could not be read" in writer.asked[1]
    assert [(one.text, one.reason) for one in made.discarded] == [(YEAR, "the judge gave no verdict on it")]


def test_wrong_use_is_refused() -> None:
    one = model()
    with pytest.raises(UsageError, match="allowed is a judge of its own"):
        synthesize_rubric(SUMMARY, one, one)
    with pytest.raises(UsageError, match="summary is empty"):
        synthesize_rubric(" ", one, Strict())
    assert Synthesis(None).usage == {}
