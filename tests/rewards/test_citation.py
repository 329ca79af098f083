"""The citation reward, by hand-computed reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.citations import cite_key
from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.citation import CitationReward, Claim, claims
from murk.rewards.judges import Case, Verdict
from murk.rewards.pages import Pages

LIGHT, LOG = "https://vale.example/lighthouse.html", "https://vale.example/log.html"
PAGES = {
    LIGHT: "The lighthouse on the Skerry was lit for the first time in 1874. Its keeper was Ada Merrow.",
    LOG: "The harbour of Vale was dug by hand. Forty boats lie in the harbour in summer.",
}
A, B = (f"\\cite{{{cite_key(url)}}}" for url in (LIGHT, LOG))
LIT, DUG = "The lighthouse was lit for the first time in 1874", "The harbour of Vale was dug by hand"
FALSE = "The lighthouse was lit for the first time in 1899"
TASK = Task("t", "When?")


def parts(report: str, pages: Mapping[str, str] = PAGES, **settings: Any) -> dict[str, float]:
    score = CitationReward(**settings)(Trajectory("t", "answered", report), TASK, pages)
    assert score.value is not None
    return {**score.parts, "value": score.value}


@pytest.mark.parametrize(
    ("report", "precision", "recall", "invented", "dead", "value"),
    [
        (f"{LIT} {A}. {DUG} {B}.", 1, 1, 0, 0, 1),
        (f"{LIT}. {A}\n- {DUG}. {B} Nothing more is known of it.", 1, 2 / 3, 0, 0, 5 / 6),
        (f"{LIT} {B}. {DUG} {B}.", 0.5, 1, 0.5, 0, 0.75),
        (f"{LIT} {A}{B}. {DUG} {A}{B}.", 0.5, 1, 0.5, 0, 0.75),
        (f"{FALSE} {A}.", 0, 1, 1, 0, 0.5),
        (f"{LIT} \\cite{{web_00000000}}.", 0, 0, 1, 1, 0),
        (f"[{LIT}]({LIGHT}). [{DUG}](https://gone.example/).", 0.5, 0.5, 0.5, 0.5, 0.5),
        (f"[The lighthouse [of Skerry] was lit for the first time in 1899]({LIGHT}).", 0, 1, 1, 0, 0.5),
        (f'[{LIT} {A}]({LIGHT} "The log").', 1, 1, 0, 0, 1),
        (f"{LIT}. {DUG}.", 0, 0, 0, 0, 0),
        (f"# {LIT} {A}\nWhen was the lighthouse lit {A}?", None, None, None, None, 0),
        ("", None, None, None, None, 0),
    ],
)
def test_by_hand(report: str, precision: Any, recall: Any, invented: Any, dead: Any, value: float) -> None:
    found = parts(report)
    assert found["value"] == pytest.approx(value)
    if precision is not None:
        measured = [found[name] for name in ("precision", "recall", "invented", "dead")]
        assert measured == pytest.approx([precision, recall, invented, dead])
    else:
        assert found["claims"] == 0


def test_a_claim_faithful_to_a_poisoned_page_is_told_apart_from_an_invented_one() -> None:
    poisoned = {LIGHT: PAGES[LIGHT].replace("1874", "1899"), LOG: PAGES[LOG]}
    pages = Pages(poisoned, lambda: PAGES)
    keeper, ships = "The keeper of the lighthouse was Ada Merrow", "Seventy ships sank there in 1901"
    report = f"{FALSE} {A}. {keeper} {A}. {DUG} {B}. {ships} {B}."
    found = parts(report, pages)
    assert found["poisoned"] == 0.5
    assert found["deceived"] == 0.25
    assert found["invented"] == 0.25
    assert found["value"] == pytest.approx((found["precision"] + 1) / 2 * 0.75)
    assert parts(report, pages, poison=0.0)["value"] == pytest.approx((found["precision"] + 1) / 2)
    clean = parts(f"{LIT} {A}.", Pages(PAGES, lambda: PAGES))
    assert (clean["poisoned"], clean["deceived"], clean["value"]) == (0, 0, 1)
    assert "deceived" not in parts(f"{LIT} {A}.")


def test_weights_and_wrong_ones() -> None:
    report = f"{LIT} {A}. {DUG}."
    assert parts(report, precision=3.0)["value"] == pytest.approx((3 * 1 + 0.5) / 4)
    assert parts(report, precision=0.0)["value"] == 0.5
    refused: list[dict[str, Any]] = [{"precision": -1.0}, {"precision": 0.0, "recall": 0.0}, {"poison": 2.0}]
    for wrong in refused:
        with pytest.raises(UsageError, match="allowed"):
            CitationReward(**wrong)


def test_any_judge_decides_and_one_that_fails_costs_nothing() -> None:
    class Model:
        version: str = "model"
        word: str | None = "met"

        def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
            assert case.trajectory.answer == PAGES[LIGHT]
            return [Verdict(self.word, "down", {}, {"calls": 1.0}) for _ in criteria]

    model = Model()
    report = Trajectory("t", "answered", f"{FALSE} {A}. {LIT} {A}.")
    score = CitationReward(judge=model)(report, TASK, PAGES)
    assert (score.value, score.usage) == (1.0, {"calls": 2.0})
    model.word = None
    assert CitationReward(judge=model)(report, TASK, PAGES).value is None
    assert CitationReward()(Trajectory("t", "errored", None), TASK, PAGES).value is None
    assert CitationReward()(Trajectory("t", "truncated", None), TASK, PAGES).value == 0.0


def test_a_citation_behind_the_stop_belongs_to_the_sentence_before() -> None:
    found = claims(Trajectory("t", "answered", f"{LIT}. {A} {B} {DUG}. {B}\n{LIT} {A}, it is said {A}."), PAGES)
    assert found == [Claim(f"{LIT}.", (LIGHT, LOG)), Claim(f"{DUG}.", (LOG,)), Claim(f"{LIT} , it is said .", (LIGHT,))]


@given(
    st.lists(
        st.sampled_from([LIT, DUG, A, B, ". ", "\n", "# ", "?", "\x00", "[x](", ")", LIGHT, "\\cite{"]), max_size=30
    )
)
def test_any_report_scores_between_0_and_1(pieces: list[str]) -> None:
    found = parts("".join(pieces), Pages(PAGES, lambda: {LIGHT: PAGES[LOG]}))
    assert all(0 <= found[name] <= 1 for name in found if name not in ("claims", "citations"))
