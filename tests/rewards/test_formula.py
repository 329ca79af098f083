"""The rubric's formula by hand, in the ways of four benchmarks, and what happens where a judge fails."""

import math
from typing import Any

import gymnasium
import pytest
from judging import Told, report, task

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.rewards import RubricReward

MET, PARTIAL, UNMET = "met", "partial", "unmet"


def value(words: str, made: Any, **settings: Any) -> float | None:
    """The value where criteria a, b, ... get the verdicts of a text such as `m p u`."""
    full = {"m": MET, "p": PARTIAL, "u": UNMET, "-": None}
    told = Told({chr(97 + i): full[letter] for i, letter in enumerate(words.split())})
    return RubricReward(judge=told, **settings)(report("x"), made, {}).value


@pytest.mark.parametrize(
    ("mapping", "words", "expected"),
    [
        # Weights 5, 3, -2; positive sum 8.
        ("step", "m p u", 5 / 8),
        ("step", "m m p", 6 / 8),
        ("step", "u u m", -2 / 8),
        ("ternary", "m p u", 6.5 / 8),  # ResearchRubrics: 5 + 3/2
        ("ternary", "m m p", 7 / 8),  # 8 - 2/2
        ("ternary", "p p p", 3 / 8),  # (5 + 3 - 2) / 2
        ("binary", "m p p", 5 / 8),  # partial counts 0 for all
        ("binary", "m m m", 6 / 8),
    ],
)  # fmt: skip
def test_the_mappings(mapping: str, words: str, expected: float) -> None:
    made = task({"weight": 5}, {"weight": 3}, {"weight": -2})
    assert value(words, made, mapping=mapping) == pytest.approx(expected)


def test_adr_a_fatal_error_zeroes_the_score() -> None:
    made = task({"weight": 6}, {"weight": 4, "fatal": True}, {"weight": -3, "fatal": True}, {"weight": -20})
    assert value("m m u u", made) == 1.0
    assert value("m u u u", made) == 0.0
    assert value("m p u u", made, mapping="ternary") == 0.0, "half of a fatal criterion is not met"
    assert value("m m p u", made) == 0.0
    assert value("m m p u", made, mapping="binary") == 1.0, "where partial is no flaw it is not a fatal one"
    assert value("m m m m", made) == -1.3, "a fatal error never lifts a score"


def test_deepresearch_bench_dimensions_times_criteria() -> None:
    """Dimensions 0.6 and 0.4 with criteria 0.7, 0.3 and 0.5, 0.5: by `axes`, and with weights multiplied beforehand."""
    axes = {"insight": 0.6, "readability": 0.4}
    own = task({"weight": 0.7, "axis": "insight"}, {"weight": 0.3, "axis": "insight"},
               {"weight": 0.5, "axis": "readability"}, {"weight": 0.5, "axis": "readability"})  # fmt: skip
    expected = 0.6 * 0.7 + 0.4 * (0.5 + 0.5 * 0.5)
    assert value("m u m p", own, mapping="ternary", axes=axes) == pytest.approx(expected)
    multiplied = task(*({"weight": round(w, 9)} for w in (0.42, 0.18, 0.2, 0.2)))
    assert value("m u m p", multiplied, mapping="ternary") == pytest.approx(expected)
    parts = RubricReward(judge=Told(dict.fromkeys("abcd", MET) | {"b": UNMET}))(report("x"), own, {}).parts
    assert (parts["axis insight"], parts["axis readability"]) == (0.7, 1.0)
    with pytest.raises(UsageError, match=r"criterion c is on the axis 'readability'; `axes` has insight\."):
        value("m m m m", own, axes={"insight": 1})


def test_healthbench_points() -> None:
    """Points met out of the positive ones, clipped to 0 to 1."""
    made = task({"weight": 7}, {"weight": 3}, {"weight": -8})
    assert value("m u u", made, mapping="binary", clamp=True) == pytest.approx(0.7)
    assert value("m p m", made, mapping="binary", clamp=True) == 0.0
    assert value("u u m", made, mapping="binary") == -0.8


def test_a_judge_that_fails_gives_no_score_and_never_zero() -> None:
    made = task({"weight": 5}, {"weight": -2})
    score = RubricReward(judge=Told({"a": MET, "b": None}))(report("x"), made, {})
    assert score.value is None
    assert score.parts == {"criterion a": 1.0}
    assert score.notes == ("criterion b: no answer", "no verdict on criterion b")
    assert score.usage == {"calls": 2.0}
    errored = RubricReward()(report(None).__class__("t", "errored"), made, {})
    assert errored.value is None


def test_criteria_without_a_check_go_to_the_fallback() -> None:
    check = {"kind": "alias", "values": ["x"]}
    made = task({"weight": 1}, {"weight": 2, "check": check}, {"weight": 5, "check": {**check, "values": ["y"]}})
    told = Told({"a": MET})
    score = RubricReward(fallback=told)(report("x"), made, {})
    assert told.asked == ["a"]
    assert score.value == 3 / 8
    assert [score.parts[f"criterion {name}"] for name in "abc"] == [1, 1, 0]
    assert "told 1" in RubricReward(fallback=told).version


def test_no_answer_is_the_worst_answer_and_asks_no_judge() -> None:
    told = Told({})
    reward = RubricReward(judge=told, clamp=True)
    assert reward(report(None), task({"weight": 4}, {"weight": -3}), {}).value == 0.0
    assert RubricReward(judge=told)(report(None), task({"weight": 4}, {"weight": -3}), {}).value == -0.75
    assert told.asked == []


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [({"mapping": "stepp"}, UnknownName, "Did you mean 'step'"), ({"judge": "rulle"}, UnknownName, "judges plugin"),
     ({"axes": {"x": -1}}, UsageError, "from 0"), ({"judge": {"a": {}, "b": {}}}, UsageError, "one name")],
)  # fmt: skip
def test_wrong_settings(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        RubricReward(**settings)


def test_an_environment_pays_nan_where_the_judge_failed(vale_dir: Any) -> None:
    plugins.register("judges", "fails_always", FailsAlways)
    tasks = [{"id": "t", "question": "When?", "rubric": [{"text": "the year", "weight": 2}]}]
    spec = {"rubric": {"judge": "fails_always"}}
    env = gymnasium.make("murk.envs:murk/DeepResearch-v0", snapshot=str(vale_dir), tasks=tasks, reward=spec)
    env.reset(seed=0)
    _, paid, terminated, _, info = env.step("<answer>In 1874.</answer>")
    assert terminated
    assert math.isnan(float(paid))
    assert info["error"] == "criterion 0: no answer; no verdict on criterion 0"


class FailsAlways(Told):
    def __init__(self) -> None:
        super().__init__({"0": None})
