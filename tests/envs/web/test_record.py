"""What is recorded from a live web is frozen, and asked of it only once."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from badserver import PAGE, BadServer

from murk.envs.errors import UsageError
from murk.envs.records import Call, Failure, Hits, LinkList, Links, Open, Page, Request, Search, decode
from murk.envs.web.build import Options, Report
from murk.envs.web.cache import open_cache
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.live.engines import EngineConfig, JsonEngine
from murk.envs.web.live.fetch import Fetcher, FetchSettings
from murk.envs.web.live.reader import Reader
from murk.envs.web.live.record import Live, Recorder, record
from murk.envs.web.live.world import KeptPages
from murk.envs.web.snapshot import Snapshot

QUICK = FetchSettings(delay=0, timeout=5, retries=1, backoff=0, allow_private=True, max_bytes=1 << 20)


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer() as bad:
        yield bad


def config(server: BadServer, path: str = "/api") -> EngineConfig:
    return EngineConfig(server.url + path, params={"q": "{query}", "n": "{k}"})


def live(server: BadServer, path: str = "/api") -> Live:
    fetcher = Fetcher(QUICK)
    return Live(fetcher, JsonEngine(config(server, path), fetcher))


def html(title: str, *links: str) -> str:
    return PAGE.format(title, f"About {title}. " + " ".join(f'<a href="{link}">to {link}</a>' for link in links))


# --- Live


def test_live_answers_every_kind_of_request(server: BadServer) -> None:
    server.pages["/a/page"] = html("Aldmoor", "other", "/top#x", "mailto:x@y")
    server.api = {"results": [{"url": f"{server.url}/a/page", "title": "Aldmoor"}]}
    world = live(server)
    found = world.answer(Search("aldmoor", 3), Call())
    assert isinstance(found, Hits)
    page = world.answer(Open(found.hits[0].url), Call())
    assert isinstance(page, Page)
    assert (page.url, page.title) == (f"{server.url}/a/page", "Aldmoor")
    assert "About Aldmoor." in page.text
    assert page.captures == (page.date,)
    links = world.answer(Links(page.url), Call())
    assert isinstance(links, LinkList)
    assert [(link.url, link.text, link.inside) for link in links.links] == [
        (f"{server.url}/a/other", "to other", True),
        (f"{server.url}/top", "to /top#x", True),
    ]
    assert min(found.cost, page.cost, links.cost) > 0


def test_live_links_are_resolved_where_the_page_was_found(server: BadServer) -> None:
    server.pages["/deep/er/page"] = html("Deep", "near")
    links = live(server).answer(Links(f"{server.url}/to?/deep/er/page"), Call())
    assert isinstance(links, LinkList)
    assert (links.url, links.links[0].url) == (f"{server.url}/deep/er/page", f"{server.url}/deep/er/near")


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (Open("ftp://x/"), "bad_request"),
        (Open("http://127.0.0.1/", at="2020"), "bad_request"),
        (Links("/web/2020/http://127.0.0.1/"), "bad_request"),
        (Search("x", shelf="library"), "bad_request"),
        (Search("", 3), "bad_request"),
    ],
)
def test_live_refuses_as_a_value(server: BadServer, request_: Open | Links | Search, kind: str) -> None:
    got = live(server).answer(request_, Call())
    assert isinstance(got, Failure)
    assert (got.kind, server.asked) == (kind, [])


def test_live_without_an_engine() -> None:
    got = Live(Fetcher(QUICK)).answer(Search("x"), Call())
    assert isinstance(got, Failure)
    assert "no search engine" in got.message


def test_live_pages_that_cannot_be_read(server: BadServer) -> None:
    server.pages["/empty"] = "<html></html>"
    got = live(server).answer(Open(f"{server.url}/empty"), Call())
    assert isinstance(got, Failure)
    assert (got.kind, got.status) == ("unreadable", 200)


# --- Recorder and KeptPages


def test_the_recorder_asks_once(server: BadServer, tmp_path: Path) -> None:
    server.api = {"results": [{"url": f"{server.url}/ok"}]}
    requests: list[Request] = [
        Search("Aldmoor port"),
        Open(f"{server.url}/ok"),
        Links(f"{server.url}/ok"),
        Open(f"{server.url}/gone"),
    ]
    with closing(open_cache(tmp_path)) as cache:
        first = [Recorder(live(server), cache).answer(request, Call()) for request in requests]
    asked = len(server.asked)
    requests[0] = Search(" aldmoor  PORT ")
    with closing(open_cache(tmp_path)) as cache:
        again = [Recorder(live(server), cache).answer(request, Call(step=9)) for request in requests]
    assert again == first
    assert len(server.asked) == asked
    assert isinstance(first[3], Failure)


def test_the_recorder_keeps_no_passing_trouble(server: BadServer, tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as cache:
        recorder = Recorder(live(server), cache)
        for path in ("/reset", "/status/503", "/status/500"):
            for _ in range(2):
                assert isinstance(recorder.answer(Open(server.url + path), Call()), Failure)
        assert (server.count("/reset"), server.count("/status/503"), server.count("/status/500")) == (4, 4, 2)
        assert len(cache) == 0


def test_the_recorder_keeps_no_failed_search(server: BadServer, tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as cache:
        recorder = Recorder(live(server, "/status/403"), cache)
        for _ in range(2):
            recorder.answer(Search("x"), Call())
        assert (server.count("/status/403"), len(cache)) == (2, 0)


def test_engines_and_numbers_of_hits_are_kept_apart(server: BadServer, tmp_path: Path) -> None:
    server.api = {"results": [{"url": f"{server.url}/{i}"} for i in range(9)]}
    with closing(open_cache(tmp_path)) as cache:
        few = Recorder(live(server), cache).answer(Search("x", 2), Call())
        more = Recorder(live(server), cache).answer(Search("x", 5), Call())
        other = Recorder(live(server, "/api-echo"), cache).answer(Search("x", 5), Call())
    assert [len(found.hits) for found in (few, more, other) if isinstance(found, Hits)] == [2, 5, 1]


@pytest.mark.parametrize(
    "value", ["", "null", "[]", "{", '{"type":"Call"}', '{"type":"Page"}', '{"type":[]}', '{"url":1}', "[" * 99_999]
)
def test_planted_answers_are_asked_again(server: BadServer, tmp_path: Path, value: str) -> None:
    url = f"{server.url}/ok"
    with closing(open_cache(tmp_path)) as cache:
        world = Live(KeptPages(Fetcher(QUICK), cache))
        assert isinstance(Recorder(world, cache).answer(Open(url), Call()), Page)
        for key in cache:
            cache[key] = value
        assert isinstance(Recorder(world, cache).answer(Open(url), Call()), Page)
        assert server.count("/ok") == 2


def test_planted_pickles_stop_the_recording(server: BadServer, tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as cache:
        pages = KeptPages(Fetcher(QUICK), cache)
        pages.get(f"{server.url}/ok")
        with closing(sqlite3.connect(tmp_path / "cache.db")) as db, db:
            db.execute("UPDATE Cache SET mode = 4")
        with pytest.raises(UsageError, match="never writes"):
            pages.get(f"{server.url}/ok")


def test_the_reader_works_apart_and_one_by_one() -> None:
    with closing(Reader()) as read:
        for i in range(3):
            document = read(Raw(f"http://x.test/{i}", html(f"Page {i}"), "text/html"))
            assert not isinstance(document, Skip)
            assert document.title == f"Page {i}"
        skip = read(Raw("http://x.test/", b"\x00\xff" * 99, "image/png"))
        assert isinstance(skip, Skip)


# --- record


def recorded(urls: list[str], queries: list[str], out: Path, settings: FetchSettings = QUICK, **more: Any) -> Report:
    return record(urls, queries, out, settings=settings, options=Options(workers=1), **more)


def test_record_makes_a_snapshot(server: BadServer, tmp_path: Path) -> None:
    server.robots = (200, "User-agent: *\nDisallow: /secret\n")
    server.pages = {"/a": html("Alpha", "/b", "/c"), "/b": html("Beta"), "/secret": html("Secret")}
    server.api = {"results": [{"url": f"{server.url}{path}"} for path in ("/b", "/to?/a", "/gone", "/secret")]}
    urls = [f"{server.url}{path}" for path in ("/a", "/reset", "/drip-body", "/bomb")]
    limits = FetchSettings(delay=0, timeout=3, retries=0, allow_private=True, max_bytes=1 << 20)
    report = recorded(urls, ["greek letters"], tmp_path / "out", engine=config(server), settings=limits, k=5)
    assert report.captures == 2
    wanted = {"unreachable": 1, "timeout": 1, "too_large": 1, "not_found": 1, "blocked_by_robots": 1}
    assert report.skipped == wanted
    assert report.examples["not_found"] == [f"{server.url}/gone"]
    snapshot = Snapshot.open(tmp_path / "out")
    assert snapshot.page(f"{server.url}/a").title == "Alpha"
    kept = {tuple(json.loads(key)[:2]): decode(json.loads(value)) for key, value in snapshot.recording.items()}
    found = kept["search", "web"]
    assert [hit.url.removeprefix(server.url) for hit in found.hits] == ["/b", "/to?/a", "/gone", "/secret"]
    assert kept["open", f"{server.url}/gone"].kind == "not_found"
    assert kept["open", f"{server.url}/to?/a"].url == f"{server.url}/a"
    assert ("open", f"{server.url}/a") not in kept
    assert len(kept) == 7
    assert server.count("/secret") == 0


def test_a_second_recording_asks_nothing_and_is_the_same(server: BadServer, tmp_path: Path) -> None:
    server.pages = {"/a": html("Alpha", "/b"), "/b": html("Beta")}
    server.api = {
        "results": [{"url": f"{server.url}/b"}, {"url": f"{server.url}/gone"}, {"url": f"{server.url}/to?/a"}]
    }
    reports = []
    for out in ("one", "two"):
        asked = len(server.asked)
        reports.append(
            recorded(
                [f"{server.url}/a"],
                ["greek"],
                tmp_path / out,
                engine=config(server),
                cache_dir=tmp_path / "cache",
                follow=1,
            )
        )
    assert len(server.asked) == asked
    assert reports[0].content_digest == reports[1].content_digest
    assert reports[0].captures == 2


@pytest.mark.parametrize(("follow", "pages"), [(0, 1), (1, 2), (2, 3)])
def test_links_are_followed_on_the_same_host(server: BadServer, tmp_path: Path, follow: int, pages: int) -> None:
    port = server.host.split(":")[1]
    server.pages = {
        "/a": html("A", "/b", f"http://localhost:{port}/far"),
        "/b": html("B", "/a", "/c"),
        "/c": html("C", "/d"),
    }
    server.pages |= {"/d": html("D"), "/far": html("Far")}
    report = recorded([f"{server.url}/a"], [], tmp_path / "out", follow=follow)
    assert report.captures == pages
    assert server.count("/far") == 0
    assert not report.skipped


def test_the_number_of_pages_is_bounded(server: BadServer, tmp_path: Path) -> None:
    server.pages = {f"/{i}": html(f"Page {i}", *(f"/{j}" for j in range(50))) for i in range(50)}
    report = recorded([f"{server.url}/0"], [], tmp_path / "out", follow=9, max_pages=5)
    assert report.captures == 5
    assert len(server.asked) == 6
    urls = [f"{server.url}/{i}" for i in range(4)]
    report = recorded(urls, [], tmp_path / "two", max_pages=3)
    assert (report.captures, report.skipped) == (3, {"page_limit": 1})


def test_pages_that_lead_to_one_address_are_one_capture(server: BadServer, tmp_path: Path) -> None:
    urls = [f"{server.url}{path}" for path in ("/hops/1", "/ok", "/hops/0")]
    report = recorded(urls, [], tmp_path / "out")
    assert (report.captures, report.skipped) == (1, {})


def test_a_failed_search_is_reported_and_not_recorded(server: BadServer, tmp_path: Path) -> None:
    urls = [f"{server.url}/ok"]
    report = recorded(urls, ["x"], tmp_path / "out", engine=config(server, "/status/401"))
    assert report.skipped == {"refused": 1}
    assert dict(Snapshot.open(tmp_path / "out").recording) == {}


def test_nothing_is_left_where_nothing_could_be_recorded(server: BadServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no page.*not_found \(1\)"):
        recorded([f"{server.url}/gone"], [], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told(server: BadServer, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    options = Options(workers=1, progress=lambda *step: told.append(step))
    record([f"{server.url}/ok", f"{server.url}/gone"], [], tmp_path / "out", settings=QUICK, options=options)
    assert told[:3] == [("recording", 1, 2), ("recording", 2, 2), ("reading", 1, 0)]


def test_arguments_are_checked_before_anything_is_asked(server: BadServer, tmp_path: Path) -> None:
    url, out = f"{server.url}/ok", tmp_path / "out"
    with pytest.raises(UsageError, match="nothing to record"):
        record([], [], out)
    with pytest.raises(UsageError, match="search engine"):
        record([], ["x"], out)
    with pytest.raises(UsageError, match="'ftp://x' is not"):
        record([url, "ftp://x"], [], out)
    with pytest.raises(UsageError, match="follow is -1"):
        record([url], [], out, follow=-1)
    with pytest.raises(UsageError, match="k is 0"):
        record([url], [], out, k=0)
    with pytest.raises(UsageError, match="max_pages is 0"):
        record([url], [], out, max_pages=0)
    with pytest.raises(UsageError, match="exists already"):
        record([url], [], tmp_path)
    assert server.asked == []
