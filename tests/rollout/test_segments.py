"""Turns as a learner takes them."""

import pytest

from murk.envs.records import Sampled, Trajectory
from murk.rollout.segments import Segment, prefix_of, segments


def episode(*turns: Sampled) -> Trajectory:
    return Trajectory("t", "answered", sampled=turns)


FIRST = Sampled((1, 2, 3), (4, 5), (-0.5, -1.0))
SECOND = Sampled((6,), (7,), (-2.0,), prefix_of([1, 2, 3, 4, 5]))
FRESH = Sampled((1, 9), (8,), (-3.0,))


def test_turns_that_continue_are_one_segment_and_a_new_prefix_begins_another() -> None:
    one = Segment((1, 2, 3, 4, 5, 6, 7), (False,) * 3 + (True,) * 2 + (False, True), (0, 0, 0, -0.5, -1.0, 0, -2.0))
    other = Segment((1, 9, 8), (False, False, True), (0, 0, -3.0))
    assert segments(episode(FIRST, SECOND, FRESH)) == [one, other]
    assert segments(episode()) == segments(episode(Sampled(usage={"tokens_in": 7.0}))) == []


def test_a_damaged_record_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn 1 .* does not continue"):
        segments(episode(FRESH, SECOND))
    with pytest.raises(ValueError, match=r"turn 0 .* does not continue"):
        segments(episode(SECOND))
    with pytest.raises(ValueError, match="2 tokens and 1 log-prob"):
        segments(episode(Sampled((1,), (2, 3), (-1.0,))))


def test_a_prefix_is_a_digest_that_stays_what_it_is() -> None:
    assert prefix_of([1, 2, 3]) == "77ba1ae68d5afbb4"
    assert len({prefix_of([]), prefix_of([0]), prefix_of([0, 0]), prefix_of([256])}) == 4
