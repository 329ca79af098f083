"""The rubric reward, its rule judge, and the wrapper that pays it."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards import RubricReward
from murk.rewards.judges.rule import judge

URL = "https://vale.example/lighthouse.html"
YES, NO_B = {"kind": "boolean", "value": True}, {"kind": "absent", "values": ["b"]}
PAGES = {URL: "The lighthouse was lit for the first time in 1874. Its keeper was Ada Merrow."}


def report(answer: str | None, *cited: str, **more: Any) -> Trajectory:
    return Trajectory("t", "answered" if answer is not None else "truncated", answer, cited, **more)


@pytest.mark.parametrize(
    ("check", "answer", "verdict"),
    [
        ({"kind": "alias", "values": ["Ada Merrow"]}, "It was ADA  MERROW's log.", "met"),
        ({"kind": "alias", "values": ["São Tomé"]}, "in Sao Tome", "met"),
        ({"kind": "alias", "values": ["Ada"]}, "Adam", "unmet"),
        ({"kind": "alias", "values": [""]}, "x", "unmet"),
        ({"kind": "value", "number": 652230}, "652,230 sq km", "met"),
        ({"kind": "value", "number": 83.2e6}, "about 83.1 million people", "met"),
        ({"kind": "value", "number": 83.2e6}, "about 85 million people", "unmet"),
        ({"kind": "value", "number": 1874, "tolerance": 0}, "in 1874.", "met"),
        ({"kind": "value", "number": 1874, "tolerance": 0}, f"[x]({URL}?n=1874)", "unmet"),
        ({"kind": "boolean", "value": True}, "Yes, it is not false.", "met"),
        ({"kind": "boolean", "value": False}, "Yes, it is.", "unmet"),
        ({"kind": "boolean", "value": False}, "Nobody knows.", "unmet"),
        ({"kind": "cites", "urls": [URL]}, "x", "met"),
        ({"kind": "cites", "urls": ["https://other.example/"]}, "x", "unmet"),
        ({"kind": "supports", "values": ["1874"]}, "in 1874", "met"),
        ({"kind": "supports", "values": ["1875"]}, "in 1875", "unmet"),
        ({"kind": "absent", "values": ["1875"]}, "in 1874", "met"),
        ({"kind": "all", "checks": [YES, NO_B]}, "yes b", "partial"),
        ({"kind": "any", "checks": [YES, NO_B]}, "yes b", "met"),
    ],
)  # fmt: skip
def test_the_rule_judge(check: dict[str, Any], answer: str, verdict: str) -> None:
    assert judge(check, report(answer, URL), PAGES) == verdict


def test_an_unknown_check_is_a_mistake_of_the_task() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'alias'"):
        judge({"kind": "aliass"}, report("x"), {})


@given(st.text(max_size=300))
def test_any_report_is_judged(text: str) -> None:
    for kind in (
        {"kind": "value", "number": 5},
        {"kind": "boolean", "value": True},
        {"kind": "alias", "values": [text]},
    ):
        assert judge(kind, report(text), {}) in ("met", "partial", "unmet")


def task(*criteria: tuple[float, str, bool]) -> Task:
    rubric = [
        {"id": str(i), "text": word, "weight": weight, "fatal": fatal, "check": {"kind": "alias", "values": [word]}}
        for i, (weight, word, fatal) in enumerate(criteria)
    ]
    return Task.of({"id": "t", "question": "q", "rubric": rubric})


@pytest.mark.parametrize(
    ("answer", "value"),
    [("a b", 1.0), ("a", 0.6), ("a b bad", 0.6), ("bad", -0.4), ("", 0.0), (None, -0.4)],
)
def test_the_formula_by_hand(answer: str | None, value: float) -> None:
    made = task((3, "a", False), (2, "b", False), (-2, "bad", False))
    assert RubricReward()(report(answer), made, {}).value == pytest.approx(value)


def test_a_fatal_criterion_zeroes_the_score() -> None:
    made = task((3, "a", False), (2, "b", True), (-1, "bad", True))
    assert RubricReward()(report("a b"), made, {}).value == 1.0
    assert RubricReward()(report("a"), made, {}).value == 0.0
    assert RubricReward()(report("a b bad"), made, {}).value == 0.0


def test_the_budget_scales_a_good_report_and_never_helps_a_bad_one() -> None:
    made = task((1, "a", False), (-1, "bad", False))
    spent = {"spending": {"calls": 9.0, "tokens": 5.0}, "budget": {"calls": 10.0}}
    assert RubricReward(0.8)(report("a", **spent), made, {}).value == pytest.approx(0.5)
    assert RubricReward(1.0)(report("a", **spent), made, {}).value == 1.0
    assert RubricReward(0.8)(report("bad", **spent), made, {}).value == -1.0
    with pytest.raises(UsageError, match="0 to 1"):
        RubricReward(2.0)


def test_a_criterion_without_a_check_counts_against_the_report() -> None:
    rubric = [{"text": "good", "weight": 1}, {"text": "flaw", "weight": -1}]
    score = RubricReward()(report("x"), Task.of({"id": "t", "question": "q", "rubric": rubric}), {})
    assert score.value == -1.0
    assert len(score.notes) == 2


@pytest.mark.parametrize(
    "rubric", [[3], [{"weight": 1}], [{"text": "x", "weight": 0}], [{"text": "x", "weight": "1"}], "x",
               [{"text": "x", "weight": 1, "check": "alias"}], [{"text": "x", "weight": float("inf")}]]
)  # fmt: skip
def test_a_wrong_rubric_is_refused(rubric: Any) -> None:
    with pytest.raises(UsageError):
        Task.of({"id": "t", "question": "q", "rubric": rubric})


def test_the_last_step_is_paid(vale_dir: Path) -> None:
    check = {"kind": "supports", "values": ["1874"]}
    tasks = [{"id": "t", "question": "When?", "rubric": [{"text": "the year", "weight": 2, "check": check}]}]
    open_it = json.dumps({"name": "batch_web_surfer", "arguments": {"action": "batch_open", "urls": [URL]}})
    answer = f"<answer>In 1874, says [the light]({URL}).</answer>"

    def rewards(reward: Any, *plan: str) -> list[float]:
        env = gymnasium.make("murk.envs:murk/DeepResearch-v0", snapshot=str(vale_dir), tasks=tasks, reward=reward)
        assert "PayReward" in repr(env) or reward is None
        env.reset(seed=0)
        return [float(env.step(action)[1]) for action in plan]

    opened = f"<toolcall>{open_it}</toolcall>"
    assert rewards("rubric", opened, answer) == [0.0, 1.0]
    assert rewards({"rubric": {"allowance": 0.5}}, opened, answer) == [0.0, 1.0]
    assert rewards("rubric", answer) == [0.0]
    assert rewards(None, opened, answer) == [0.0, 0.0]
    with pytest.raises(UnknownName, match="Did you mean 'rubric'"):
        rewards("rubrik", answer)
