"""What all faults share: keyed draws, schedules, targets, the ledger, and the cache within."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.envs.codec import canonical_json, encode
from murk.envs.desk import Cached
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults import Draw, Told
from murk.envs.faults.dead_link import DeadLink
from murk.envs.faults.empty_result import EmptyResult
from murk.envs.faults.faulty import FaultyWorld, Rule
from murk.envs.faults.garbled import Garbled
from murk.envs.faults.paywall import Paywall
from murk.envs.faults.rate_limit import RateLimit
from murk.envs.faults.reordered import Reordered
from murk.envs.faults.server_error import ServerError
from murk.envs.faults.slow import Slow
from murk.envs.faults.timeout import Timeout
from murk.envs.faults.truncated import Truncated
from murk.envs.records import Call, Failure, FileOp, Links, Open, Page, Request, Response, Run, Search, World
from murk.envs.web.snapshot import Snapshot

SITES = ("vale", "tessary", "orrin")
URLS = [f"https://{site}.example/{page}" for site in SITES for page in ("harbour", "ferry", "council", "slate")]
REQUESTS: list[Request] = [
    *[Search(words, shelf=shelf) for words in ("harbour", "the ferry", "slate") for shelf in ("web", "authority")],
    *[Open(url) for url in URLS],
    *[Links(url) for url in URLS[:4]],
    Run("ls"),
    FileOp("read", "a.md"),
]
EXCHANGES = [(r, Call("tool", attempt=n, now=25.0 * n)) for r in REQUESTS for n in range(3)]
MANY = {
    "timeout": Rule(Timeout(), 0.3, "window", slot=30.0),
    "server_error": Rule(ServerError(), 0.3),
    "reordered": Rule(Reordered(), 0.3, "sticky"),
    "paywall": Rule(Paywall(words=5), 0.3, "sticky"),
    "garbled": Rule(Garbled(), 0.3, "page"),
    "slow": Rule(Slow(), 0.3, "episode"),
    "empty_result": Rule(EmptyResult(), 0.3),
}
INTENSITIES = st.floats(0, 1, allow_nan=False)


def told(world: World, exchanges: Sequence[tuple[Request, Call]]) -> dict[str, str]:
    """What is answered to each exchange, as bytes."""
    return {f"{r.key} {call}": canonical_json(encode(world.answer(r, call))) for r, call in exchanges}


def struck(rule: Rule, town: World, seed: int, exchanges: Sequence[tuple[Request, Call]]) -> set[str]:
    """Units that a fault strikes."""
    world = FaultyWorld(town, {"it": rule}, seed)
    told(world, exchanges)
    return {event.unit for event in world.ledger.events}


@given(seed=st.integers(0, 2**64 - 1), order=st.permutations(range(len(EXCHANGES))))
@settings(max_examples=15, deadline=None)
def test_the_same_unit_meets_the_same_fate_in_any_order(seed: int, order: list[int], town: World) -> None:
    first = FaultyWorld(town, MANY, seed)
    other = FaultyWorld(town, dict(reversed(MANY.items())), seed)
    assert told(first, EXCHANGES) == told(other, [EXCHANGES[i] for i in order])
    events = [sorted(map(str, world.ledger.events)) for world in (first, other)]
    assert events[0] == events[1]


@given(seed=st.integers(0, 2**32), low=INTENSITIES, high=INTENSITIES)
@settings(max_examples=8, deadline=None)
def test_struck_units_are_nested_in_intensity(seed: int, low: float, high: float, town: World) -> None:
    low, high = sorted((low, high))
    for schedule in ("transient", "page", "sticky", "window", "episode"):
        few = struck(Rule(ServerError(), low, schedule), town, seed, EXCHANGES)
        assert few <= struck(Rule(ServerError(), high, schedule), town, seed, EXCHANGES)
    assert struck(Rule(ServerError(), 1.0, "page"), town, seed, EXCHANGES) >= {"page vale.example/harbour"}


@pytest.mark.parametrize("intensity", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("schedule", ["transient", "page", "sticky", "window", "episode"])
def test_units_are_struck_as_often_as_the_intensity_says(intensity: float, schedule: str, town: World) -> None:
    """Within 4.5 standard deviations, which a right one misses once in 150,000 times."""
    count, rule = 1_000, Rule(ServerError(), intensity, schedule)
    hits = sum(
        isinstance(FaultyWorld(town, {"it": rule}, seed).answer(Open(URLS[0]), Call()), Failure)
        for seed in range(count)
    )
    assert abs(hits - count * intensity) <= 4.5 * (count * intensity * (1 - intensity)) ** 0.5


def test_units_of_one_seed_are_struck_as_often_too(town: World) -> None:
    exchanges = [(Search(f"word {i}"), Call(attempt=n)) for i in range(500) for n in range(4)]
    units = struck(Rule(ServerError(), 0.2), town, 7, exchanges)
    assert abs(len(units) - 400) <= 4.5 * (2_000 * 0.2 * 0.8) ** 0.5


def test_no_intensity_is_no_fault_to_the_byte(town: World, vale: Snapshot) -> None:
    idle = {name: Rule(rule.fault, 0.0, rule.schedule) for name, rule in MANY.items()}
    exchanges: list[tuple[Request, Call]] = [(Open(url), Call()) for url in vale.urls()]
    exchanges += [(Links(url), Call()) for url in vale.urls()] + [(Search("harbour slate"), Call())]
    for inner, asked in ((town, EXCHANGES), (vale, exchanges)):
        world = FaultyWorld(inner, idle, 1)
        assert world.front is inner
        assert told(world, asked) == told(inner, asked)
        assert world.ledger.events == []


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_draws_of_a_fault_do_not_change_when_another_is_added(seed: int, town: World) -> None:
    name = "garbled"
    world = FaultyWorld(town, MANY, seed)
    told(world, EXCHANGES)
    alone = FaultyWorld(town, {name: MANY[name]}, seed)
    told(alone, EXCHANGES)
    draws = {event.unit: event.draw for event in alone.ledger.events}
    beside = {event.unit: event.draw for event in world.ledger.events if event.fault == name}
    assert beside.items() <= draws.items()


def test_another_process_draws_the_same() -> None:
    code = (
        "from murk.envs.faults import draw_of; draw = draw_of(7, 'host é')\n"
        "print(draw.seed, draw.value, draw.uniform('a', 1), draw.pick('abcdef', 'x'))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {"7355088712842063738 0.3987201580643488 0.942034417231708 a\n"}


def test_a_retry_meets_another_fate_only_where_it_is_transient(town: World) -> None:
    def fates(schedule: str, spellings: Sequence[str]) -> set[tuple[bool, ...]]:
        worlds = [FaultyWorld(town, {"it": Rule(ServerError(), 0.5, schedule)}, seed) for seed in range(60)]
        return {
            tuple("500" in str(w.answer(Open(url), Call(attempt=n, now=n))) for n, url in enumerate(spellings))
            for w in worlds
        }

    again = [URLS[0]] * 3
    assert len(fates("transient", again)) == 8
    for schedule in ("page", "sticky", "window", "episode"):
        assert fates(schedule, again) == {(True,) * 3, (False,) * 3}
    spelled = ["vale.example/harbour", "HTTP://VALE.example:80/harbour", "/web/2020/https://vale.example/harbour/#x"]
    assert fates("page", spelled) == fates("sticky", spelled) == {(True,) * 3, (False,) * 3}
    assert len(fates("page", URLS[:3])) > 2
    assert fates("sticky", URLS[:3]) == {(True,) * 3, (False,) * 3}
    assert len(fates("sticky", URLS[::4])) == 8


def test_rephrasing_a_search_is_no_way_around_a_sticky_fault(town: World) -> None:
    for seed in range(20):
        world = FaultyWorld(town, {"it": Rule(ServerError(), 0.5, "sticky")}, seed)
        assert len({type(world.answer(Search(words, k), Call())) for words in ("a", "b c", "D") for k in (3, 5)}) == 1


def test_waiting_for_the_end_of_a_window_helps(town: World) -> None:
    """And nothing before it does."""
    passed = 0
    for seed in range(40):
        world = FaultyWorld(town, {"it": Rule(RateLimit(), 0.5, "window", slot=40.0)}, seed)
        first = world.answer(Open(URLS[0]), Call(now=3.5))
        if isinstance(first, Failure):
            assert first.retry_after is not None
            early = world.answer(Open(URLS[1]), Call(now=3.5 + first.retry_after - 1))
            assert isinstance(early, Failure)
            passed += isinstance(world.answer(Open(URLS[0]), Call(attempt=1, now=3.5 + first.retry_after)), Page)
    assert passed > 3


@given(onset=st.integers(0, 8), at_most=st.none() | st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_onset_and_at_most_are_filters_on_top(onset: int, at_most: int | None, town: World) -> None:
    world = FaultyWorld(town, {"it": Rule(DeadLink(), 1.0, "page", onset=onset, at_most=at_most)}, 1)
    world.answer(Search("a"), Call())  # is not of its kind, and so not counted
    answers = [world.answer(Open(url), Call()) for url in URLS]
    fired = [isinstance(answer, Failure) for answer in answers]
    last = len(URLS) if at_most is None else min(len(URLS), onset + at_most)
    assert fired == [onset <= i < last for i in range(len(URLS))]
    assert len(world.ledger.events) == sum(fired)


def test_what_changes_nothing_uses_up_no_firing(town: World) -> None:
    """`none` is no page of the town, so nothing of it can be cut."""
    world = FaultyWorld(town, {"it": Rule(Truncated(), at_most=1)}, 1)
    assert isinstance(world.answer(Open("https://vale.example/none"), Call()), Failure)
    assert world.ledger.events == []
    world.answer(Open(URLS[0]), Call())
    assert world.ledger.names() == ["it"]


@pytest.mark.parametrize(
    ("aim", "request_", "hit"),
    [
        ({"tools": ("find",)}, Open(URLS[0]), False),
        ({"tools": ("tool", "find")}, Open(URLS[0]), True),
        ({"hosts": ("*.example",)}, Open("VALE.example/harbour"), True),
        ({"hosts": ("vale.*", "x.org")}, Links(URLS[0]), True),
        ({"hosts": ("*.gov",)}, Open(URLS[0]), False),
        ({"hosts": ("*.example",)}, Search("harbour"), False),
        ({"shelves": ("authority",)}, Search("harbour"), False),
        ({"shelves": ("authority",)}, Search("harbour", shelf="authority"), True),
        ({"shelves": ("web",)}, Open(URLS[0]), False),
        ({}, Run("ls"), False),
    ],
)
def test_targets(aim: dict[str, Any], request_: Request, hit: bool, town: World) -> None:
    world = FaultyWorld(town, {"it": Rule(ServerError(), 1.0, **aim)}, 1)
    assert isinstance(world.answer(request_, Call("tool")), Failure) == hit


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": 1.1},
        {"intensity": "high"},
        {"slot": 0},
        {"onset": -1},
        {"at_most": 1.5},
        {"tools": "find"},
        {"hosts": (1,)},
    ],
)
def test_wrong_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Rule(ServerError(), **wrong)
    with pytest.raises(UnknownName, match="Did you mean 'sticky'"):
        Rule(ServerError(), schedule="stiky")


class Liar:
    """Asks for much, and delivers a page with a lie."""

    family: ClassVar[str] = "content"
    requests: ClassVar[tuple[type, ...]] = (Open,)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response | Told:
        inner.answer(request, call)
        other = inner.answer(Open(URLS[1]), call)
        return Told(other, {"claim": "1874"}, {"claim": "1890"})


def test_the_ledger_tells_the_truth_beside_the_lie(town: World) -> None:
    world = FaultyWorld(town, {"liar": Rule(Liar(), 0.75, "episode")}, 3)
    world.answer(Open(URLS[0]), Call("tool", step=4))
    event = world.ledger.events[0]
    other = FaultyWorld(town, {"slow": Rule(Slow())}, 3)
    other.answer(Open(URLS[0]), Call())
    assert event.raw == other.ledger.events[0].raw  # of the page asked for, and not of the one asked for last
    assert (event.step, event.unit, event.kind, event.intensity) == (4, "episode", "content", 0.75)
    assert event.draw < 0.75
    assert (dict(event.truth), dict(event.lie)) == ({"claim": "1874"}, {"claim": "1890"})


def test_faults_stand_in_order_and_hand_on_what_they_made(town: World) -> None:
    rules = {"truncated": Rule(Truncated()), "garbled": Rule(Garbled()), "paywall": Rule(Paywall(words=2))}
    world = FaultyWorld(town, rules | {"liar": Rule(Liar())}, 1)
    world.answer(Open(URLS[0]), Call())
    events = world.ledger.events
    assert [event.fault for event in events] == ["liar", "truncated", "garbled", "paywall"]
    assert [event.raw for event in events[1:]] == [event.delivered for event in events[:-1]]
    loud = FaultyWorld(town, rules | {"timeout": Rule(Timeout())}, 1)
    assert isinstance(loud.answer(Open(URLS[0]), Call()), Failure)
    assert loud.ledger.names() == ["timeout"]


def test_failures_are_never_cached_within_the_faults(town: World) -> None:
    cached = Cached(town)
    world = FaultyWorld(cached, {"it": Rule(ServerError(), 0.5)}, 2)
    answers = [world.answer(Open(URLS[0]), Call(attempt=n)) for n in range(40)]
    assert {type(answer) for answer in answers} == {Failure, Page}
    assert cached.saved_calls == sum(isinstance(answer, Page) for answer in answers) - 1
