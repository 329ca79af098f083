"""What the formula promises, for any rubric, and the same in every process."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import ANY, Told, report

from murk.envs.seeds import Draws
from murk.envs.tasks import Criterion, Task
from murk.rewards import RubricReward
from murk.rewards.combine import Combine, product
from murk.rewards.judges import VERDICTS
from murk.rewards.rubric import MAPPINGS

AXES = {"a": 0.5, "b": 2.0, "": 1.0}
weights = st.integers(-10, 10).filter(bool).map(float)
criteria = st.tuples(weights, st.sampled_from(sorted(AXES)), st.booleans(), st.sampled_from(VERDICTS))
Judged = list[tuple[Criterion, str]]


def made(rows: list[tuple[float, str, bool, str]]) -> Judged:
    return [
        (Criterion(str(i), f"text {i}", w, axis, fatal=fatal), word) for i, (w, axis, fatal, word) in enumerate(rows)
    ]


rubrics = st.lists(criteria, min_size=1, max_size=8).map(made)
rewards = st.fixed_dictionaries(
    {"mapping": st.sampled_from(sorted(MAPPINGS)), "clamp": st.booleans(), "axes": st.sampled_from([None, AXES])}
)


def value(judged: Judged, settings: dict[str, Any]) -> float:
    task = Task("t", "q", rubric=tuple(criterion for criterion, _ in judged))
    reward = RubricReward(judge=Told({criterion.id: word for criterion, word in judged}), **settings)
    found = reward(report("x"), task, {}).value
    assert found is not None
    return found


@given(rubrics, rewards, st.integers(0, 1 << 32))
def test_the_order_of_criteria_does_not_matter(judged: Judged, settings: dict[str, Any], seed: int) -> None:
    shuffled = Draws(seed).sample(judged, len(judged))
    assert value(shuffled, settings) == pytest.approx(value(judged, settings), abs=1e-9)


@given(rubrics, rewards, st.sampled_from([0.001, 0.5, 3.0, 1e6]))
def test_scaling_all_weights_changes_nothing(judged: Judged, settings: dict[str, Any], factor: float) -> None:
    scaled = [(replace(criterion, weight=criterion.weight * factor), word) for criterion, word in judged]
    assert value(scaled, settings) == pytest.approx(value(judged, settings), abs=1e-9)


@given(rubrics, rewards, st.integers(1, 10))
def test_an_unmet_positive_only_thins_the_score(judged: Judged, settings: dict[str, Any], weight: int) -> None:
    if settings["axes"]:
        settings = settings | {"axes": None}
    positive = sum(criterion.weight for criterion, _ in judged if criterion.weight > 0)
    more = [*judged, (Criterion("new", "new", float(weight)), "unmet")]
    if not positive:
        assert value(judged, settings) == 0.0
        return
    open_end = settings | {"clamp": False}
    expected = value(judged, open_end) * positive / (positive + weight)
    assert value(more, open_end) == pytest.approx(expected, abs=1e-9)
    if settings["clamp"]:
        assert value(more, settings) <= value(judged, settings) + 1e-9


@given(rubrics, rewards, st.integers(1, 10), st.booleans())
def test_an_absent_flaw_changes_nothing(judged: Judged, settings: dict[str, Any], weight: int, fatal: bool) -> None:
    more = [*judged, (Criterion("new", "new", -float(weight), "z", fatal=fatal), "unmet")]
    if settings["axes"]:
        settings = settings | {"axes": {**AXES, "z": 1.0}}
    assert value(more, settings) == pytest.approx(value(judged, settings), abs=1e-9)


@given(rubrics, rewards)
def test_a_better_verdict_never_costs(judged: Judged, settings: dict[str, Any]) -> None:
    for i, (criterion, word) in enumerate(judged):
        at = VERDICTS.index(word) + (-1 if criterion.weight > 0 else 1)
        if 0 <= at < len(VERDICTS):
            better = [*judged[:i], (criterion, VERDICTS[at]), *judged[i + 1 :]]
            assert value(better, settings) >= value(judged, settings) - 1e-9


@given(rubrics, rewards)
def test_scores_keep_their_bounds(judged: Judged, settings: dict[str, Any]) -> None:
    found = value(judged, settings)
    assert found <= 1 + 1e-9
    assert not settings["clamp"] or found >= 0
    no_answer = RubricReward(judge=Told({}), **settings)(
        report(None), Task("t", "q", rubric=tuple(criterion for criterion, _ in judged)), {}
    ).value
    assert no_answer is not None
    assert no_answer <= found + 1e-9, "nothing is worse than no answer"


numbers = st.floats(-2, 2).map(lambda number: round(number, 3))


@given(numbers, numbers, numbers)
def test_products_are_associative_and_commutative(a: float, b: float, c: float) -> None:
    assert product([product([a, b]), c]) == pytest.approx(product([a, product([b, c])]), abs=1e-9)
    assert product([a, b, c]) == pytest.approx(product([c, a, b]), abs=1e-9)
    assert product([a, 1.0]) == pytest.approx(min(a, product([a, 1.0])))


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-3, 3)), min_size=3, max_size=3))
def test_sums_of_sums_are_sums(terms: list[tuple[float, int]]) -> None:
    first, second, third = ({"plugin": "fixed", "value": v, "weight": w} for v, w in terms)
    flat = Combine(a=first, b=second, c=third)
    inner = Combine(b=second, c=third)(report("x"), ANY, {}).value
    nested = Combine(a=first, rest={"plugin": "fixed", "value": inner})
    assert nested(report("x"), ANY, {}).value == pytest.approx(flat(report("x"), ANY, {}).value)


SCORED = """
import json
from dataclasses import asdict
from attacks import ATTACKS
from games import GAMES
from murk.envs.citations import citations
from murk.envs.records import Page, Trajectory
from murk.rewards import RubricReward
for game in GAMES[::3]:
    delivered = {url: Page(url, "", text) for url, text in game.pages.items()}
    for attack in list(ATTACKS.values())[::6]:
        text = attack(game, game.right)
        cited = tuple(citation.url for citation in citations(text, delivered))
        reward, trajectory = RubricReward(), Trajectory("t", "answered", text, cited)
        print(json.dumps(asdict(reward(trajectory, game.task, game.pages))), reward.version)
"""


def test_scores_are_the_same_in_every_process() -> None:
    found = set()
    for seed in ("0", "1", "77"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(__file__)}
        done = subprocess.run([sys.executable, "-c", SCORED], env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().splitlines()) > 20
