"""What a policy sees of a long history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.envs.context import STRUCK, Message, Trimming, View
from murk.envs.errors import UsageError


def history(*sizes: int) -> list[Message]:
    turns = [Message("user", "q")]
    for size in sizes:
        turns += [Message("assistant", "a" * 10), Message("tool", "r" * size)]
    return turns


def test_a_short_history_is_seen_whole() -> None:
    turns = history(100, 100)
    view = Trimming(1000, 500).view(turns, View(()), len)
    assert view.messages == tuple(turns)
    assert (view.struck, view.dropped, view.tokens) == ((), (), 221)


def test_the_oldest_results_are_struck_first() -> None:
    view = Trimming(1000, 700).view(history(400, 400, 400), View(()), len)
    assert view.struck == (2, 4)
    assert view.dropped == ()
    assert [message.content == STRUCK for message in view.messages] == [False, False, True, False, True, False, False]


def test_then_the_oldest_turns_are_left_out_whole() -> None:
    view = Trimming(700, 400).view(history(300, 300, 300, 300), View(()), len)
    assert view.dropped[0] == 1
    assert view.messages[0].role == "user"
    assert view.messages[1].role == "assistant"
    assert view.messages[-1].content == "r" * 300


def test_what_is_cut_stays_cut_and_nothing_changes_below_the_threshold() -> None:
    trimming = Trimming(1000, 700)
    turns = history(400, 400, 400)
    first = trimming.view(turns, View(()), len)
    later = trimming.view([*turns, Message("assistant", "a"), Message("tool", "r")], first, len)
    assert later.messages[: len(first.messages)] == first.messages
    assert later.struck == first.struck


@given(st.lists(st.integers(0, 500), min_size=1, max_size=12), st.integers(50, 900), st.integers(10, 800))
def test_the_view_keeps_its_promise(sizes: list[int], lower: int, more: int) -> None:
    trimming, turns, view = Trimming(lower + more, lower), history(*sizes), View(())
    for end in range(3, len(turns) + 1, 2):
        view = trimming.view(turns[:end], view, len)
        assert view.messages[0] == turns[0]
        assert view.messages[-2:] == tuple(turns[end - 2 : end])
        assert view.tokens == sum(len(message.content) for message in view.messages)
        newest = sum(len(message.content) for message in (turns[0], *turns[end - 2 : end]))
        assert view.tokens <= max(trimming.upper, newest)


def test_messages_are_counted_once() -> None:
    turns = history(400, 400, 400)
    known = [Message(message.role, message.content, len(message.content)) for message in turns]
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    assert Trimming(1000, 700).view(known, View(()), count) == Trimming(1000, 700).view(turns, View(()), len)
    assert counted == [STRUCK]


def test_thresholds_must_be_in_order() -> None:
    with pytest.raises(UsageError, match="below upper"):
        Trimming(100, 200)
