"""Group tools for reinforcement learning."""

import pytest
from judging import Told, report, task

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.rewards import RubricReward, Score
from murk.rewards.groups import Statistics, advantages, constant, group_of, rescored, statistics, without

TASK = task({"weight": 5}, {"weight": 3}, {"weight": -2})


def scored(*words: str) -> list[Score]:
    letters = {"m": "met", "u": "unmet", "-": None}
    return [
        RubricReward(judge=Told({name: letters[letter] for name, letter in zip("abc", word, strict=True)}))(
            report("x", spending={"calls": 9.0}, budget={"calls": 10.0}), TASK, {}
        )
        for word in words
    ]


def test_criteria_without_variance_are_found_and_dropped() -> None:
    group = scored("mmu", "muu", "mum")
    assert constant(group) == ["a"]
    assert [criterion.id for criterion in without(TASK, constant(group)).rubric] == ["b", "c"]
    assert [score.value for score in group] == [pytest.approx(0.5), 5 / 16, 3 / 16]
    assert rescored(RubricReward(), TASK, group) == [pytest.approx(0.5), 0.0, -2 / 3]
    with_failure = [*group, *scored("u--")]
    assert constant(with_failure) == ["a"], "a failed score tells nothing about a criterion"
    assert rescored(RubricReward(), TASK, with_failure)[-1] is None
    assert constant(group[:1]) == []
    same = scored("mmm", "mmm")
    assert constant(same) == ["a", "b", "c"]
    assert rescored(RubricReward(), TASK, same) == [score.value for score in same]


def test_an_episode_without_an_answer_keeps_its_value() -> None:
    group = [*scored("mmu", "muu"), RubricReward()(report(None), TASK, {})]
    assert constant(group) == [], "it has no verdicts"
    assert rescored(RubricReward(), TASK, group) == [pytest.approx(0.5), 0.0, -0.25]


def test_clean_and_faulted_episodes_are_normalised_apart() -> None:
    episodes = [Trajectory("t", "answered", "x", intensity=i) for i in (0.0, 0.0, 0.5, 0.5, 0.5)]
    rewards = [1.0, 0.5, 0.2, None, 0.0]
    groups = [group_of(episode) for episode in episodes]
    assert groups[0] == ("t", False) != groups[2]
    assert advantages(rewards, groups) == [1.0, -1.0, 1.0, None, -1.0]
    assert advantages(rewards, groups, scale=False) == [0.25, -0.25, 0.1, None, -0.1]
    together = advantages(rewards, ["all"] * 5)
    assert together[2] is not None
    assert together[2] < 0, "in one group with clean ones, the best faulted episode would be punished"
    assert advantages([0.3, 0.3, 0.3], ["g"] * 3) == [0.0, 0.0, 0.0]
    with pytest.raises(UsageError, match="3 rewards have 2 groups"):
        advantages([1, 2, 3], ["a", "b"])


def test_statistics() -> None:
    found = statistics([{"a": 1.0, "b": 2.0}, {"a": 0.0}])
    assert found == {"a": Statistics(2, 0.5, 0.5), "b": Statistics(1, 2.0, 0.0)}
