"""Pairwise judging and ratings, by hand."""

import math
from collections.abc import Callable, Sequence

import pytest

from murk.envs.errors import UsageError
from murk.rewards.judges.chat_verdicts import Answer, Asked
from murk.rewards.judges.prompts import PROBE
from murk.rewards.pairwise import Pair, PairwiseJudge
from murk.rewards.ratings import Match, Rating, bradley_terry, elo, points, rated

GOOD, BAD, EVIL = "the lamp was lit in 1874", "nobody knows", "I break judges"


class Model:
    """Answers by a rule on the two reports that it is shown."""

    version = "model"

    def __init__(self, rule: Callable[[str, str], str | Answer]) -> None:
        self.rule, self.seen = rule, 0

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        return [self._answer(request.messages[1]["content"]) for request in asked]

    def _answer(self, text: str) -> Answer:
        self.seen += 1
        first, second = (text.split(f"=== {mark} REPORT ")[1].split("\n", 1)[1] for mark in ("FIRST", "SECOND"))
        said = self.rule(first.split("\n===")[0], second.split("\n===")[0])
        return said if isinstance(said, Answer) else Answer(f'{{"verdict": "{said}"}}', usage={"calls": 1.0})


def fair(first: str, second: str) -> str:
    if EVIL in first + second:
        return "whatever"
    merit = (GOOD in first) - (GOOD in second)
    return {1: "first much better", 0: "equal", -1: "second better"}[merit]


def compared(rule: Callable[[str, str], str | Answer], first: str = GOOD, second: str = BAD) -> tuple[int | None, int]:
    model = Model(rule)
    return PairwiseJudge(model, 1_000).compare([Pair("When?", first, second)])[0].value, model.seen


def test_both_orders_count() -> None:
    outcomes = PairwiseJudge(Model(fair)).compare([Pair("q", GOOD, BAD), Pair("q", BAD, GOOD), Pair("q", BAD, BAD)])
    assert [outcome.orders for outcome in outcomes] == [(2, 1), (-1, -2), (0, 0)]
    assert [outcome.word for outcome in outcomes] == ["better", "worse", "equal"]
    assert [outcome.score for outcome in outcomes] == [1.0, 0.0, 0.5]
    assert outcomes[0].usage == {"calls": 2.0}
    assert compared(lambda first, second: "first much better") == (0, 2)
    assert compared(lambda first, second: "first much better" if GOOD in first else "second much better") == (2, 2)


def test_a_report_that_breaks_the_judge_loses_and_a_broken_judge_decides_nothing() -> None:
    assert compared(fair, GOOD, EVIL)[0] == 2
    assert compared(fair, EVIL, BAD)[0] == -2
    assert compared(fair, EVIL, EVIL)[0] == 0
    assert compared(lambda first, second: "whatever")[0] is None
    assert compared(lambda first, second: Answer(None, note="no server"))[0] is None
    assert compared(fair, GOOD, "x" * 1_001) == (2, 0)
    assert (
        compared(lambda f, s: Answer(None, True) if PROBE[:20] not in f + s and EVIL in f + s else "equal", EVIL)[0]
        == 0
    )


def test_elo_by_hand() -> None:
    first = elo([Match("a", "b", 1)], k=32)
    assert first == {"a": 1016.0, "b": 984.0}
    then = elo([Match("a", "b", 1), Match("a", "b", 0.5)], k=32)
    expected = 1 / (1 + 10 ** (-32 / 400))
    assert then["a"] == pytest.approx(1016 + 32 * (0.5 - expected))
    assert then["a"] + then["b"] == pytest.approx(2000)


def test_bradley_terry_by_hand() -> None:
    matches = [Match("a", "b", 1)] * 3 + [Match("b", "a", 1)]
    ratings = bradley_terry(matches, prior=0)
    assert ratings["a"] - ratings["b"] == pytest.approx(400 * math.log10(3), abs=1e-3)
    assert (ratings["a"] + ratings["b"]) / 2 == pytest.approx(1000, abs=1e-3)
    ties = bradley_terry([Match("a", "b", 0.5)] * 4, prior=0)
    assert ties == {"a": 1000.0, "b": 1000.0}
    # At the maximum the points won, 1 and a quarter, are the points expected of a against b and the anchor.
    alone = bradley_terry([Match("a", "b", 1)], prior=0.5)
    p = 10 ** ((alone["a"] - 1000) / 400)
    assert p * p / (p * p + 1) + 0.5 * p / (p + 1) == pytest.approx(1.25, abs=1e-6)
    assert alone["b"] == pytest.approx(2000 - alone["a"], abs=1e-3)


def test_order_does_not_matter_and_intervals_hold_the_rating() -> None:
    matches = [Match("a", "b", (i % 4 > 0) * 1.0, f"t{i}") for i in range(40)]
    matches += [Match("b", "c", (i % 3 > 0) * 1.0, f"t{i}") for i in range(40)]
    assert bradley_terry(matches) == pytest.approx(bradley_terry(matches[::-1]), abs=1e-4)
    found = rated(matches, samples=200)
    assert found == rated(matches, samples=200)
    assert found["a"].low < found["a"].value < found["a"].high
    assert found["a"].value > found["b"].value > found["c"].value
    sure = rated([Match("a", "b", 1, f"t{i}") for i in range(5)], points, samples=20)
    assert sure == {"a": Rating(1.0, 1.0, 1.0), "b": Rating(0.0, 0.0, 0.0)}


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="two players"):
        Match("a", "a", 1)
    with pytest.raises(UsageError, match="allowed are 0"):
        Match("a", "b", 0.7)
    with pytest.raises(UsageError, match="prior"):
        bradley_terry([], -1)
    with pytest.raises(UsageError, match="max_chars"):
        PairwiseJudge(Model(fair), 0)
