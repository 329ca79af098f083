"""A recording answers what was recorded, and says what comes nearest to what was not."""

from dataclasses import replace
from pathlib import Path

import pytest

from murk.envs.codec import canonical_json, encode
from murk.envs.errors import SnapshotError, UnknownName
from murk.envs.records import Call, Failure, Hit, Hits, LinkList, Links, Open, Page, Request, Response, Search
from murk.envs.web.build import Options, freeze
from murk.envs.web.importers import Raw
from murk.envs.web.nearest import MAX_COMPARED, Nearest
from murk.envs.web.replay import Replay
from murk.envs.web.snapshot import Snapshot

SITE = "https://docs.aldmoor.test"
PAGES = [
    Raw(
        f"{SITE}/port",
        "The port of Aldmoor ships 40 tons of amber. [Fees](/fees) [Gone](/gone)",
        "text/markdown",
        "",
        20240501000000,
    ),
    Raw(f"{SITE}/fees", "Fees of the harbour are paid in silver.", "text/markdown", "", 20240601000000),
]
HITS = Hits(
    tuple(Hit(f"{SITE}/{name}", name.title(), "live snippet", score=9) for name in ("port", "gone", "fees")), 1.0
)
MOVED = Page(f"{SITE}/port", "Port", "as it was opened", "2024-05-01", ("2024-05-01",))
GONE = Failure("not_found", 404, "docs.aldmoor.test answered 404")
EXCHANGES: list[tuple[Request, Response]] = [
    (Search("Amber  exports of Aldmoor"), HITS),
    (Search("harbour fees"), Hits(())),
    (Search("harbour fees", shelf="library"), Hits(())),
    (Open(f"{SITE}/gone"), GONE),
    (Open("https://aldmoor.test/old-port"), MOVED),
]


def build(folder: Path, exchanges: list[tuple[str, str]]) -> Snapshot:
    freeze(PAGES, folder, Options(workers=1, exchanges=exchanges))
    return Snapshot.open(folder)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    exchanges = [(request.key, canonical_json(encode(response))) for request, response in EXCHANGES]
    return build(tmp_path_factory.mktemp("replay") / "snapshot", exchanges)


def miss(snapshot: Snapshot, request: Request) -> str:
    got = Replay(snapshot).answer(request, Call())
    assert isinstance(got, Failure)
    assert (got.kind, got.status) == ("not_recorded", 0)
    return got.message


def test_exact_requests_get_the_recorded_answers(snapshot: Snapshot) -> None:
    for policy in ("error", "empty", "search"):
        world = Replay(snapshot, policy)
        for request, response in EXCHANGES:
            assert world.answer(request, Call()) == response
        assert world.answer(Search(" amber exports OF aldmoor", 50), Call(step=3, attempt=2)) == HITS


def test_fewer_hits_of_the_same_question(snapshot: Snapshot) -> None:
    got = Replay(snapshot).answer(Search("amber exports of aldmoor", 2), Call())
    assert got == replace(HITS, hits=HITS.hits[:2])


def test_captures_are_answered_by_the_snapshot(snapshot: Snapshot) -> None:
    world = Replay(snapshot)
    for request in (
        Open(f"{SITE}/port"),
        Open("docs.aldmoor.test/port"),
        Open(f"/web/2024/{SITE}/port"),
        Links(f"{SITE}/port"),
    ):
        assert world.answer(request, Call()) == snapshot.answer(request, Call())
    assert isinstance(world.answer(Open(f"{SITE}/port"), Call()), Page)


def test_other_spellings_of_a_recorded_address(snapshot: Snapshot) -> None:
    world = Replay(snapshot)
    for url in ("docs.aldmoor.test/gone", "http://docs.aldmoor.test/gone", f"{SITE}/gone/", f"{SITE.upper()}/gone#x"):
        assert world.answer(Open(url), Call()) == GONE


def test_links_follow_what_opening_met(snapshot: Snapshot) -> None:
    world = Replay(snapshot)
    assert world.answer(Links("https://aldmoor.test/old-port"), Call()) == snapshot.answer(
        Links(f"{SITE}/port"), Call()
    )
    assert world.answer(Links(f"{SITE}/gone"), Call()) == GONE
    dated = world.answer(Open("https://aldmoor.test/old-port", at="2024"), Call())
    assert isinstance(dated, Page)
    assert dated.url == f"{SITE}/port"


def test_a_bad_date_is_no_miss(snapshot: Snapshot) -> None:
    got = Replay(snapshot).answer(Open(f"{SITE}/port", at="soon"), Call())
    assert isinstance(got, Failure)
    assert got.kind == "bad_request"


# --- misses


def test_a_missed_search_names_the_nearest(snapshot: Snapshot) -> None:
    message = miss(snapshot, Search("amber exports of Brill"))
    assert message.startswith(
        'not recorded: search "amber exports of Brill". Nearest recorded: "amber exports of aldmoor"'
    )
    assert 'adds "brill"' in message
    assert 'lacks "aldmoor"' in message
    assert "harbour" not in message, "nothing in common"


def test_a_missed_search_names_the_shelf(snapshot: Snapshot) -> None:
    message = miss(snapshot, Search("fees, harbour", shelf="library"))
    assert '"harbour fees" (the same words written otherwise)' in message
    assert '"harbour fees" (on shelf "web", not "library")' in message
    assert 'on shelf "web", not "authority"' in miss(snapshot, Search("harbour fees", shelf="authority"))


def test_a_missed_page_names_the_nearest(snapshot: Snapshot) -> None:
    message = miss(snapshot, Open(f"{SITE}/port?page=2"))
    assert f'Nearest recorded: "{SITE}/port" (other query);' in message
    message = miss(snapshot, Open("http://aldmoor.test:8080/old-port"))
    assert '"https://aldmoor.test/old-port" (other scheme, other host)' in message
    message = miss(snapshot, Links(f"{SITE}/ports"))
    assert message.startswith(f'not recorded: links "{SITE}/ports". Nearest recorded: ')
    assert "(other path)" in message
    assert 'not at "2020"' in miss(snapshot, Open(f"/web/2020/{SITE}/gone"))


def test_at_most_three_are_named(snapshot: Snapshot) -> None:
    world = Nearest((Search(f"amber {i}").key for i in range(50)), [])
    assert world.explain(Search("amber")).count("lacks") == 3


def test_nothing_like_it(snapshot: Snapshot) -> None:
    assert miss(snapshot, Search("quantum")).endswith("Nearest recorded: nothing like it.")


def test_the_policy_empty(snapshot: Snapshot) -> None:
    world = Replay(snapshot, "empty")
    assert world.answer(Search("quantum"), Call()) == Hits(())
    assert world.answer(Links(f"{SITE}/nowhere"), Call()) == LinkList(f"{SITE}/nowhere", ())
    page = world.answer(Open(f"{SITE}/nowhere"), Call())
    assert isinstance(page, Failure)
    assert page.kind == "not_found"


def test_the_policy_search(snapshot: Snapshot) -> None:
    world = Replay(snapshot, "search")
    got = world.answer(Search("amber tons"), Call())
    assert isinstance(got, Hits)
    assert [hit.url for hit in got.hits] == [f"{SITE}/port"]
    for request in (Open(f"{SITE}/nowhere"), Links(f"{SITE}/nowhere")):
        answer = world.answer(request, Call())
        assert isinstance(answer, Failure)
        assert answer.kind == "not_found"


def test_unknown_policies(snapshot: Snapshot) -> None:
    with pytest.raises(UnknownName, match=r"miss policy 'serach'\. Did you mean 'search'"):
        Replay(snapshot, "serach")


def test_a_snapshot_without_a_recording(tmp_path: Path) -> None:
    world = Replay(build(tmp_path / "plain", []))
    assert isinstance(world.answer(Open(f"{SITE}/port"), Call()), Page)
    got = world.answer(Search("amber"), Call())
    assert isinstance(got, Failure)
    assert got.kind == "not_recorded"


# --- recordings by strangers


DAMAGED = [
    "",
    "{",
    "null",
    "[]",
    "[" * 100_000,
    '{"type":[]}',
    '{"type":{}}',
    '{"type":"Call"}',
    '{"type":"Page","url":"x","title":"x","text":"x"}',
    '{"type":"Hits"}',
    '{"type":"Hits","hits":[1]}',
    '{"type":"Hits","hits":[],"extra":1}',
    '{"type":"Hits","hits":[],"cost":NaN}',
    '{"type":"Hits","hits":[],"cost":-1}',
    '{"type":"Hits","hits":[],"cost":1e999}',
    '{"type":"Failure","kind":"x","status":1,"message":"x","retry_after":Infinity}',
    '{"type":"Hits","hits":[],"cost":' + "9" * 5_000 + "}",
    "\x00\ufffd",
]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    exchanges = [(Search(f"amber {i}").key, value) for i, value in enumerate(DAMAGED)]
    return build(tmp_path_factory.mktemp("damaged") / "bad", exchanges)


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_damaged_answers_are_a_snapshot_error(damaged: Snapshot, number: int) -> None:
    with pytest.raises(SnapshotError, match=r"recording of .*bad is damaged"):
        Replay(damaged).answer(Search(f"amber {number}"), Call())


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "[",
        "[" * 3_000,
        "{}",
        "null",
        "7",
        "[]",
        '["search"]',
        '["search",1,2]',
        '["open",7,null]',
        '["search","web",[]]',
    ]
    + ['["open","http://[",null]', '["search","web","amber\\ud800\\u001b[31m"]', '["links",{},{}]', "x" * 9_999],
)
def test_odd_keys_do_no_harm(key: str) -> None:
    message = Nearest([key], ["http://[", ""]).explain(Search("amber"))
    assert message.startswith('not recorded: search "amber"')
    assert "\x1b" not in message
    message.encode()
    for url in ("http://[", "", "\ud800", "/web/2020/http://["):
        Nearest([key], ["http://[", "http://x.test/"]).explain(Open(url)).encode()


def test_the_comparison_is_bounded() -> None:
    searches = [Search(f"word{i}").key for i in range(MAX_COMPARED + 10)]
    urls = [f"http://x.test/page{i}" for i in range(MAX_COMPARED + 10)]
    near = Nearest(searches, urls)
    assert "nothing like it" in near.explain(Search(f"word{MAX_COMPARED + 1}"))
    assert "nothing like it" not in near.explain(Search(f"word{MAX_COMPARED - 1}"))
    assert f'page{MAX_COMPARED - 1}" (the same' in near.explain(Open(urls[MAX_COMPARED - 1]))
    assert f'page{MAX_COMPARED}"' not in near.explain(Open(urls[MAX_COMPARED])).split("Nearest")[1]
    long = near.explain(Search("word1 " + "very " * 5_000))
    assert len(long) < 1_000
