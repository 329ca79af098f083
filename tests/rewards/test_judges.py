"""A committee of judges, and the cache of verdicts."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judging import Told, report, task

from murk.envs import plugins
from murk.envs.errors import UnknownName, UsageError
from murk.envs.tasks import Criterion
from murk.rewards import RubricReward
from murk.rewards.judges import Case, Judge, Verdict
from murk.rewards.judges.cached import CachedJudge
from murk.rewards.judges.committee import Committee
from murk.rewards.judges.rules import RULES, RuleJudge

GOOD = Criterion("a", "gives the year", 3.0)
FLAW = Criterion("b", "names the wrong keeper", -2.0)
URL = "https://vale.example/lighthouse.html"


def says(word: str | None) -> Any:
    return lambda: Told({"a": word, "b": word})


for name in ("met", "partial", "unmet"):
    plugins.register("judges", f"says_{name}", says(name))
plugins.register("judges", "says_nothing", says(None))


def committee(words: str, **settings: Any) -> Committee:
    judges = {f"judge {i}": {"plugin": f"says_{word}"} for i, word in enumerate(words.split())}
    return Committee(judges, **settings)


def case(answer: str = "In 1874.", pages: dict[str, str] | None = None, question: str = "q") -> Case:
    return Case(replace(task({"weight": 1}), question=question), report(answer, URL), pages or {URL: "1874"})


@pytest.mark.parametrize(
    ("words", "good", "flaw"),
    [
        ("met met unmet", "met", "met"),
        ("met unmet", "unmet", "met"),  # ties go to what is worse for the report
        ("met partial unmet", "unmet", "met"),
        ("partial partial met met", "partial", "met"),
        ("unmet unmet met", "unmet", "unmet"),
    ],
)
def test_a_majority_decides_and_ties_go_against_the_report(words: str, good: str, flaw: str) -> None:
    verdicts = committee(words, vote="majority").judge(case(), [GOOD, FLAW])
    assert [verdict.word for verdict in verdicts] == [good, flaw]
    assert verdicts[0].share == {}
    assert verdicts[0].usage == {"calls": float(len(words.split()))}


def test_a_mean_counts_each_verdict_by_its_share() -> None:
    made = task({"weight": 4})
    judge = committee("met met partial", trials=3)
    assert len(judge.members) == 9
    assert RubricReward(judge=judge, mapping="ternary")(report("x"), made, {}).value == pytest.approx(2.5 / 3)
    assert RubricReward(judge=judge)(report("x"), made, {}).value == pytest.approx(2 / 3)
    flaw = task({"weight": 4, "check": {"kind": "alias", "values": ["x"]}}, {"weight": -4})
    scored = RubricReward(judge=RuleJudge(), fallback=committee("unmet met partial unmet"))(report("x"), flaw, {})
    assert scored.value == 0.5


def test_a_member_that_fails_leaves_no_verdict() -> None:
    (verdict,) = committee("met says met".replace("says", "nothing")).judge(case(), [GOOD])
    assert verdict.word is None
    assert verdict.note == "judge 1: no answer"
    assert verdict.usage == {"calls": 3.0}


def test_wrong_committees_are_refused() -> None:
    for settings, error in (({"judges": {}}, UsageError), ({"judges": {"says_met": {}}, "trials": 0}, UsageError),
                            ({"judges": {"says_met": {}}, "vote": "best"}, UnknownName),
                            ({"judges": {"says_mett": {}}}, UnknownName)):  # fmt: skip
        with pytest.raises(error):
            Committee(**settings)


def test_a_second_judging_makes_no_call(tmp_path: Path) -> None:
    first = Told({"a": "met", "b": "partial"}, share={"a": {"met": 0.75, "unmet": 0.25}})
    given = CachedJudge(first, tmp_path).judge(case(), [GOOD, FLAW])
    second = Told({})
    again = CachedJudge(second, tmp_path).judge(case(), [FLAW, replace(GOOD, id="z", weight=1.0)])
    assert second.asked == [], "ids and weights do not change a verdict"
    assert [verdict.word for verdict in again] == ["partial", "met"]
    assert again[1].share == given[0].share
    assert again[1].usage == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"judge": Told({"a": "unmet"}, "told 2")},
        {"trial": 1},
        {"case": case("In 1875.")},
        {"case": case(pages={URL: "1875"})},
        {"case": case(question="q2")},
        {"criterion": replace(GOOD, text="gives the years")},
        {"criterion": replace(GOOD, check={"kind": "alias", "values": ["1874"]})},
        {"criterion": replace(GOOD, weight=-3.0)},
    ],
)
def test_what_changes_a_verdict_misses(changed: dict[str, Any], tmp_path: Path) -> None:
    CachedJudge(Told({"a": "met"}), tmp_path).judge(case(), [GOOD])
    told: Told = changed.get("judge", Told({"a": "unmet"}))
    told.asked.clear()
    judge = CachedJudge(told, tmp_path, changed.get("trial", 0))
    (verdict,) = judge.judge(changed.get("case", case()), [changed.get("criterion", GOOD)])
    assert (verdict.word, told.asked) == ("unmet", ["a"])
    same = CachedJudge(Told({}), tmp_path, 0).judge(case(pages={URL: "1874", "https://not.cited/": "x"}), [GOOD])
    assert same[0].word == "met", "the first is still known, and pages that are not cited change nothing"


def test_failures_and_damage_are_not_kept(tmp_path: Path) -> None:
    assert CachedJudge(Told({"a": None}), tmp_path).judge(case(), [GOOD])[0].word is None
    judge = CachedJudge(Told({"a": "met"}), tmp_path)
    assert judge.judge(case(), [GOOD])[0].word == "met"
    (entry,) = judge._cache
    (criterion,) = judge._kept(entry)
    wrong = json.dumps({criterion: {"word": "full marks", "note": "", "share": {}}})
    for damaged in ("{", wrong, "[1]", f'{{"{criterion}": 1}}', b"\xff"):
        judge._cache.set(entry, damaged)
        assert CachedJudge(Told({"a": "unmet"}), tmp_path).judge(case(), [GOOD])[0].word == "unmet"


def test_judges_that_share_a_folder_add_to_the_same_case(tmp_path: Path) -> None:
    one = CachedJudge(Told({"a": "met"}), tmp_path)

    class Slow(Told):
        def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
            one.judge(case, [GOOD])  # another process keeps its verdict while this one judges
            return super().judge(case, criteria)

    CachedJudge(Slow({"b": "unmet"}), tmp_path).judge(case(), [FLAW])
    again = CachedJudge(Told({}), tmp_path).judge(case(), [GOOD, FLAW])
    assert [verdict.word for verdict in again] == ["met", "unmet"]


def test_odd_reports_are_cached_too(tmp_path: Path) -> None:
    odd = "\ud800 \x00 \U0001f600"
    told = Told({"a": "met"})
    for _ in range(2):
        assert CachedJudge(told, tmp_path).judge(case(odd), [GOOD])[0].word == "met"
    assert told.asked == ["a"]


def test_the_version_of_the_rule_judge_is_the_same_in_every_process() -> None:
    judge: Judge = RuleJudge()
    code = "from murk.rewards.judges.rules import RuleJudge; print(RuleJudge().version)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == judge.version
    used = {getattr(one, "__module__", None) or "" for module in RULES for one in vars(module).values()}
    own = {name for name in used if name.startswith("murk.rewards.judges.")}
    assert own <= {module.__name__ for module in RULES}, "a change of any of them is a new version"
    assert judge.judge(case(), [GOOD]) == [
        Verdict("unmet", "it has no check for the rule judge and counts against the report")
    ]
