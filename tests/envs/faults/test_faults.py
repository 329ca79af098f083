"""What every fault must have, and what each of them does."""

import json
import re
from importlib import import_module
from typing import Any, get_args

import pytest

from murk.envs.budget import Budget, Prices, count_tokens
from murk.envs.codec import encode
from murk.envs.desk import Desk
from murk.envs.errors import UsageError
from murk.envs.faults.faulty import FaultyWorld, Rule, digest
from murk.envs.faults.interface import Interface
from murk.envs.records import (
    Call,
    Completed,
    Failure,
    FileOp,
    Hits,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Run,
    Search,
    Text,
    World,
    decode,
)
from murk.envs.tools import check_arguments, profile
from murk.envs.workspace import Workspace

FAULTS = [
    "timeout",
    "connection_reset",
    "rate_limit",
    "server_error",
    "bad_gateway",
    "unavailable",
    "dead_link",
    "expired_key",
    "disk_full",
    "command_timeout",
    "partial_output",
    "empty_result",
    "truncated",
    "garbled",
    "swapped_page",
    "stale_capture",
    "swallowed",
    "slow",
    "reordered",
    "paywall",
    "blocked_host",
    "authority_gone",
    "renamed_fields",
    "renamed_arguments",
]
HARBOUR, FERRY = "https://tessary.example/harbour", "https://tessary.example/ferry"
REQUESTS: list[Request] = [
    Search("harbour"),
    Search("harbour", 3, "authority"),
    Open(HARBOUR),
    Open("https://vale.example/lighthouse", "2020"),
    Open("https://vale.example/none"),
    Links(HARBOUR),
    Run("ls", 20.0),
    *[FileOp(action, "a.md", "words") for action in ("read", "write", "append", "patch", "list")],
]
CALLS: dict[str, list[dict[str, Any]]] = {
    "batch_web_surfer": [
        {"action": "batch_search", "queries": ["harbour", "ferry"]},
        {"action": "batch_open", "urls": [HARBOUR, FERRY]},
    ],
    "links": [{"url": HARBOUR}],
    "find": [{"url": HARBOUR, "text": "crowns"}, {"path": "a.md", "text": "crowns"}],
    "file": [{"action": "write", "path": "a.md", "content": "words"}, {"action": "read", "path": "a.md"}],
    "shell": [{"cmd": "ls"}],
}


def fault(name: str) -> Any:
    return getattr(import_module(f"murk.envs.faults.{name}"), name.title().replace("_", ""))


def struck(name: str, inner: World, seed: int = 0, **settings: Any) -> FaultyWorld:
    plugin = fault(name)
    return FaultyWorld(inner, {name: Rule(plugin(**settings), schedule=getattr(plugin, "schedule", "transient"))}, seed)


def ask(world: World, request: Request, now: float = 0.0) -> Any:
    return world.answer(request, Call("tool", now=now))


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_it_delivers_is_well_formed_and_in_the_ledger(name: str, town: World) -> None:
    for seed in range(12):
        for request in REQUESTS:
            world = struck(name, town, seed)
            before, after = ask(town, request), ask(world, request)
            assert isinstance(after, get_args(Response))
            assert decode(json.loads(json.dumps(encode(after)))) == after
            assert 0 <= after.cost < 1_000
            events = world.ledger.events
            assert len(events) == (before != after)
            for event in events:
                assert (event.fault, event.kind, event.key) == (name, fault(name).family, request.key)
                assert event.raw in ("", digest(before))
                assert event.delivered == digest(after) != event.raw


@pytest.mark.parametrize("name", FAULTS)
def test_tools_render_it(name: str, town: World) -> None:
    """And it changes what at least one of them says."""
    changed = issubclass(fault(name), Interface) or name == "slow"
    for seed in range(4):
        texts = []
        for world in (town, struck(name, town, seed)):
            desk = Desk(world, Workspace(), Budget(), Prices(), count_tokens)
            for tool, calls in CALLS.items():
                offer = profile("full")[tool]
                for call in calls:
                    desk.begin(tool, 0)
                    arguments, problem = check_arguments(call, offer.tool.parameters)
                    assert problem is None
                    texts.append(offer.tool.run(arguments, desk))
        half = len(texts) // 2
        changed = changed or texts[:half] != texts[half:] or name == "authority_gone"
    assert changed


@pytest.mark.parametrize("name", [name for name in FAULTS if not issubclass(fault(name), Interface)])
def test_it_fires_and_words_itself_in_more_than_one_way(name: str, town: World) -> None:
    told = [{str(ask(struck(name, town, seed), request)) for seed in range(40)} for request in REQUESTS]
    fired = [len(ways) for ways, request in zip(told, REQUESTS, strict=True) if ways != {str(ask(town, request))}]
    assert fired
    assert name in ("empty_result", "authority_gone") or max(fired) > 1


LOUD: dict[str, tuple[int, ...]] = {
    "timeout": (0,),
    "connection_reset": (0,),
    "rate_limit": (429,),
    "server_error": (500,),
    "bad_gateway": (502,),
    "unavailable": (503,),
    "dead_link": (404, 410),
    "expired_key": (401,),
    "blocked_host": (403, 451),
}


@pytest.mark.parametrize("name", LOUD)
def test_web_failures_have_their_status_and_the_texts_name_no_fault(name: str, town: World) -> None:
    request = Search("harbour") if name == "expired_key" else Open(FERRY)
    statuses = set()
    for seed in range(60):
        failure = ask(struck(name, town, seed), request)
        assert isinstance(failure, Failure)
        assert "{" not in re.sub(r'\{"|\{\}|\}', "", failure.message)
        statuses.add(failure.status)
    assert statuses == set(LOUD[name])


def test_a_bad_gateway_gives_a_page_where_data_was_expected(town: World) -> None:
    message = ask(struck("bad_gateway", town), Search("harbour")).message
    assert "Content-Type: text/html" in message
    assert re.search(r"<html.*</html>\Z", message, re.DOTALL)


@pytest.mark.parametrize("name", ["rate_limit", "unavailable"])
def test_retry_after_ends_with_the_window_and_is_in_the_header(name: str, town: World) -> None:
    rule = Rule(fault(name)(), 0.5, "window", slot=30.0)
    for seed in range(30):
        world = FaultyWorld(town, {name: rule}, seed)
        first = ask(world, Open(FERRY), 12.25)
        if not isinstance(first, Failure):
            continue
        assert first.retry_after == 18.0
        assert "Retry-After: 18" in first.message or "\n" not in first.message
        again = [ask(world, Open(url, at), 29.9) for url, at in ((FERRY, None), (HARBOUR, None), (FERRY, "2020"))]
        assert [failure.retry_after for failure in again] == [1.0, 1.0, 1.0]
    after = [ask(FaultyWorld(town, {name: rule}, seed), Open(FERRY), 12.25 + 18) for seed in range(30)]
    assert {type(response) for response in after} == {Page, Failure}


def test_without_a_window_retry_after_is_about_what_is_set(town: World) -> None:
    for seed in range(20):
        world = FaultyWorld(town, {"rate_limit": Rule(fault("rate_limit")(seconds=10))}, seed)
        assert 5 <= ask(world, Open(FERRY)).retry_after <= 15


def test_a_full_disk_stops_writing_only(town: World) -> None:
    world = struck("disk_full", town)
    kinds = {
        action: type(ask(world, FileOp(action, "a.md"))) for action in ("write", "append", "patch", "read", "list")
    }
    assert kinds == dict.fromkeys(("write", "append", "patch"), Failure) | dict.fromkeys(("read", "list"), Text)
    assert len(world.ledger.events) == 3


def test_a_command_that_times_out_costs_its_time_and_does_not_run(town: World) -> None:
    world = struck("command_timeout", town)
    done = ask(world, Run("rm -r .", 7.0))
    assert (done.exit_code, done.stdout, done.cost, done.changes) == (124, "", 7.0, ())
    assert world.ledger.events[0].raw == ""


def test_partial_output_says_so_and_keeps_the_beginning(town: World) -> None:
    world = struck("partial_output", town)
    raw, done = ask(town, Run("ls")), ask(world, Run("ls"))
    assert isinstance(done, Completed)
    assert raw.stdout.startswith(done.stdout)
    assert len(done.stdout) < len(raw.stdout)
    assert str(len(done.stdout)) in done.notes[-1]
    read = ask(world, FileOp("read", "a.md")).text
    assert ask(town, FileOp("read", "a.md")).text.startswith(read.rpartition("\n")[0])


def test_empty_and_swallowed_searches_have_no_hits(town: World) -> None:
    assert ask(struck("empty_result", town), Search("harbour")) == Hits((), 1.0)
    assert ask(struck("empty_result", town), Links(FERRY)) == LinkList(FERRY, (), 0.5)
    assert ask(struck("swallowed", town), Search("harbour")).hits == ()


def test_a_truncated_page_is_a_beginning_without_a_notice(town: World) -> None:
    raw, cut = ask(town, Open(FERRY)), ask(struck("truncated", town, keep=0.3), Open(FERRY))
    assert raw.text.startswith(cut.text)
    assert len(cut.text) <= 0.3 * len(raw.text)


GARBLED = {"latin": "Ã©", "double": "Ã", "replaced": "\ufffd", "cjk": "", "wide": ""}


@pytest.mark.parametrize("kind", GARBLED)
def test_garbling_is_of_the_kind_that_occurs(kind: str, town: World) -> None:
    for seed in range(10):
        page = ask(struck("garbled", town, seed, kinds=(kind,)), Open(FERRY))
        assert GARBLED[kind] in page.text
        assert ("crowns" in page.text) == (kind != "wide")
        if kind in ("cjk", "wide"):
            assert any(0x3000 < ord(char) < 0xE000 or ord(char) > 0xFF00 for char in page.text)


def test_a_text_without_accents_is_garbled_by_another_kind() -> None:
    class Plain:
        def answer(self, request: Request, call: Call) -> Response:
            return Page(FERRY, "Ferry", "Plain words of a page.")

    assert ask(struck("garbled", Plain(), kinds=("latin",)), Open(FERRY)).text == "Plain words of a page."
    assert ask(struck("garbled", Plain()), Open(FERRY)).text != "Plain words of a page."


def test_a_swapped_page_is_another_one_of_the_world_under_the_address_asked_for(town: World) -> None:
    world = struck("swapped_page", town)
    page = ask(world, Open(FERRY))
    event = world.ledger.events[0]
    assert page.url == event.truth["page"] == FERRY
    other = ask(town, Open(event.lie["page"]))
    assert (page.title, page.text) == (other.title, other.text) != ("The ferry", ask(town, Open(FERRY)).text)


def test_a_stale_capture_is_an_older_one_the_same_however_it_is_asked_for(town: World) -> None:
    dates = set()
    for seed in range(20):
        world = struck("stale_capture", town, seed)
        page = ask(world, Open(FERRY))
        assert page.date in ("2019-01-05", "2020-06-01")
        assert page == ask(town, Open(FERRY, page.date))
        assert ask(world, Open("HTTP://Tessary.example/ferry")).date == page.date
        assert world.ledger.events[0].truth == {"date": "2021-03-01T12:00:00Z"}
        assert ask(struck("stale_capture", town), Open(FERRY, "2019")) == ask(town, Open(FERRY, "2019"))
        dates.add(page.date)
    assert len(dates) == 2


def test_a_slow_answer_is_right_and_late(town: World) -> None:
    raw, late = ask(town, Open(FERRY)), ask(struck("slow", town, seconds=10), Open(FERRY))
    assert late.text == raw.text
    assert 5 <= late.cost - raw.cost <= 15


def test_reordered_hits_are_the_same_hits(town: World) -> None:
    raw = ask(town, Search("harbour")).hits
    orders = {ask(struck("reordered", town, seed), Search("harbour")).hits for seed in range(30)}
    assert len(orders) >= 5
    for hits in orders:
        assert set(hits) == set(raw)
        assert len(hits) == len(raw)


def test_a_paywall_shows_the_beginning_and_a_notice_on_all_pages_of_the_host(town: World) -> None:
    world = struck("paywall", town, words=30)
    for url in (FERRY, HARBOUR):
        raw, teased = ask(town, Open(url)).text, ask(world, Open(url)).text
        free = next(n for n, (a, b) in enumerate(zip(raw, teased, strict=False)) if a != b)
        assert 10 <= len(raw[:free].split()) <= 30
        assert len(teased) < len(raw)
        assert "{" not in teased
    notices = {ask(struck("paywall", town, seed, words=30), Open(FERRY)).text for seed in range(40)}
    assert len(notices) > 30
    assert ask(struck("paywall", town, words=10_000), Open(FERRY)) == ask(town, Open(FERRY))


def test_the_authority_shelf_is_gone_and_so_are_tiers(town: World) -> None:
    answers = [ask(struck("authority_gone", town, seed), Search("harbour", shelf="authority")) for seed in range(30)]
    assert {type(answer) for answer in answers} == {Hits, Failure}
    assert all(answer.hits == () for answer in answers if isinstance(answer, Hits))
    assert {hit.tier for hit in ask(struck("authority_gone", town), Search("harbour")).hits} == {0}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("timeout", {"seconds": -1}),
        ("rate_limit", {"seconds": "soon"}),
        ("unavailable", {"seconds": 0}),
        ("swallowed", {"seconds": True}),
        ("slow", {"seconds": 1e9}),
        ("truncated", {"keep": 1}),
        ("partial_output", {"keep": 0}),
        ("garbled", {"kinds": ("latain",)}),
        ("garbled", {"kinds": ()}),
        ("paywall", {"words": 0}),
        ("renamed_fields", {"share": 0}),
        ("renamed_arguments", {"first": 5, "last": 4}),
    ],
)
def test_wrong_settings_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(settings))} is|kinds"):
        fault(name)(**settings)
