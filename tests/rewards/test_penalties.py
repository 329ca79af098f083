"""Penalties, and rewards made of others."""

from typing import Any

import pytest
from judging import ANY, report, spent

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import Step, Trajectory
from murk.rewards.budget import Hard, Linear, Otc
from murk.rewards.combine import Combine, Product
from murk.rewards.format import FormatReward
from murk.rewards.length import LengthReward
from murk.rewards.score import Reward
from murk.rewards.stacking import StackingReward

SENTENCE = "The lighthouse on the Skerry was lit for the first time in the year {}.\n"


def paid(reward: Reward, trajectory: Trajectory) -> float | None:
    return reward(trajectory, ANY, {}).value


@pytest.mark.parametrize(
    ("reward", "calls", "tokens", "factor"),
    [
        (Linear(), 8, 0, 1.0), (Linear(), 9, 0, 0.5), (Linear(), 0, 950, 0.25), (Linear(), 9, 950, 0.25),
        (Linear(by=["calls"]), 9, 950, 0.5), (Linear(by=["money"]), 9, 950, 1.0), (Linear(1.0), 10, 1000, 1.0),
        (Linear(), 12, 0, 0.0),
        (Otc(), 0, 0, 1.0), (Otc(), 10, 0, 0.5), (Otc({"calls": 5}), 5, 0, 0.5), (Otc({"money": None}), 9, 0, 1.0),
        (Otc({"calls": 1, "tokens": 500}), 1, 500, 0.5), (Otc({"calls": 20}), 40, 0, 0.309016994),  # cos(0.4 pi)
        (Hard(), 10, 1000, 1.0), (Hard(), 10, 1001, 0.0), (Hard(by=["calls"]), 10, 1001, 1.0),
    ],
)  # fmt: skip
def test_budget_factors_by_hand(reward: Reward, calls: float, tokens: float, factor: float) -> None:
    assert paid(reward, spent(calls=calls, tokens=tokens)) == pytest.approx(factor)


def test_otc_falls_with_every_call() -> None:
    factors = [paid(Otc(), spent(calls=calls)) or 0 for calls in range(60)]
    assert factors == sorted(set(factors), reverse=True)
    assert factors[-1] > 0


def test_no_penalty_pays_for_not_answering() -> None:
    for reward in (Linear(), Otc(), Hard(), FormatReward(), LengthReward(), StackingReward()):
        assert paid(reward, report(None)) == 0.0
    for on_form in (FormatReward(), LengthReward(), StackingReward()):
        assert paid(on_form, report(" \n")) == 0.0


@pytest.mark.parametrize(
    "wrong", [lambda: Linear(2.0), lambda: Linear(by=["call"]), lambda: Hard(by="calls"), lambda: Otc({"calls": 0.0}),
              lambda: LengthReward(5, 2), lambda: LengthReward(0, 0), lambda: StackingReward(free=1.0),
              Combine, lambda: Combine(fixed={"weight": "1"}), lambda: Combine(fixd={}),
              lambda: Product(fixed={"values": 3}), lambda: Product(fixed=[3])]  # type: ignore[arg-type]
)  # fmt: skip
def test_wrong_settings_are_refused(wrong: Any) -> None:
    with pytest.raises((UsageError, UnknownName)):
        wrong()


def test_format() -> None:
    def turns(*problems: int) -> tuple[Step, ...]:
        return tuple(Step("a", "o", problems=count) for count in problems)

    assert paid(FormatReward(), report("x", steps=turns(0, 2, 0, 1))) == 0.5
    assert paid(FormatReward(), report("x", steps=turns(0))) == 1.0
    assert paid(FormatReward(), report("so <toolcall>{}</toolcall>", steps=turns(0))) == 0.0


def test_length() -> None:
    reward = LengthReward(10, 100)
    assert [paid(reward, report("word " * count)) for count in (5, 10, 100, 150, 200, 300)] == [0.5, 1, 1, 0.5, 0, 0]
    assert paid(reward, report("字" * 100)) == 1.0
    assert paid(reward, report("字" * 300)) == 0.5
    assert paid(reward, report("word " * 100 + "https://example.org/a/b/c " * 99)) == 1.0, "addresses are no words"


def test_stacked_fragments() -> None:
    prose = "".join(SENTENCE.format(year) for year in range(1800, 1830))
    fragments = "".join(f"- Lit: {year}\n" for year in range(1800, 1900))
    reward = StackingReward()
    assert paid(reward, report(prose)) == 1.0
    assert paid(reward, report("# Skerry\n- Lit: 1874\n- Keeper: Ada Merrow")) == 1.0, "short answers may be short"
    assert paid(reward, report(fragments)) == 0.0
    assert paid(reward, report(SENTENCE.format(1874) * 40)) == pytest.approx(0.05), "what is said again is a fragment"
    mixed = paid(reward, report(prose + fragments * 4))
    assert mixed is not None
    assert 0 < mixed < 1
    assert mixed < (paid(reward, report(prose + fragments * 3)) or 0)


def test_sums_and_products_by_hand() -> None:
    both = {"a": {"plugin": "fixed", "value": 0.8}, "b": {"plugin": "fixed", "value": -0.5}}
    total = Combine(
        **{name: {**settings, "weight": w} for (name, settings), w in zip(both.items(), (0.7, 0.2), strict=True)}
    )
    score = total(spent(), ANY, {})
    assert score.value == pytest.approx(0.46)
    assert score.parts == {"a": 0.8, "a: half": 0.4, "b": -0.5, "b: half": -0.25}
    assert score.notes == ("a: a note", "b: a note")
    assert score.usage == {"calls": 2.0}
    assert total.version == "fixed 1, fixed 1"
    assert paid(Product(**both), spent()) == -0.5
    positive = {"a": both["a"], "b": {"plugin": "fixed", "value": 0.5}}
    assert paid(Product(**positive), spent()) == 0.4
    for several in (Combine, Product):
        assert paid(several(**positive, c={"plugin": "fixed", "value": None}), spent()) is None
