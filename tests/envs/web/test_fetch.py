"""The fetcher survives what servers do, and asks no more than it may."""

import shutil
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from badserver import BadServer, bomb

from murk.envs.errors import UsageError
from murk.envs.records import Failure
from murk.envs.web.live.addresses import is_public, resolve
from murk.envs.web.live.exchange import _seconds
from murk.envs.web.live.fetch import Fetched, Fetcher, FetchSettings
from murk.envs.web.live.robots import tame


class FakeTime:
    """A clock that only moves by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer() as bad:
        yield bad


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


def fetcher(fake: FakeTime, **settings: object) -> Fetcher:
    limits = {"allow_private": True, "timeout": 5.0, "delay": 0.0} | settings
    return Fetcher(FetchSettings(**limits), sleep=fake.sleep, clock=fake.clock)  # type: ignore[arg-type]


def failure(answer: Fetched | Failure) -> Failure:
    assert isinstance(answer, Failure), answer
    return answer


def page(answer: Fetched | Failure) -> Fetched:
    assert isinstance(answer, Fetched), answer
    return answer


def test_a_page(server: BadServer, fake: FakeTime) -> None:
    got = page(fetcher(fake).get(f"{server.url}/ok#part"))
    assert (got.url, got.final_url, got.status) == (f"{server.url}/ok", f"{server.url}/ok", 200)
    assert (got.media, got.charset) == ("text/html", "utf-8")
    assert b"Aldmoor" in got.body
    assert abs(datetime.strptime(str(got.date), "%Y%m%d%H%M%S").replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(
        minutes=1
    )
    sent = server.headers[-1]
    assert sent["host"] == server.host
    assert "murk" in sent["user-agent"]
    assert "cookie" not in sent


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://example.org/", "//x", "http://", "gopher://x/", "a b"]
)
def test_only_web_addresses(fake: FakeTime, url: str) -> None:
    assert failure(fetcher(fake).get(url)).kind == "bad_request"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, "not_found"),
        (410, "not_found"),
        (403, "refused"),
        (401, "refused"),
        (418, "refused"),
        (400, "bad_request"),
    ],
)
def test_statuses_that_are_final(server: BadServer, fake: FakeTime, status: int, kind: str) -> None:
    got = failure(fetcher(fake).get(f"{server.url}/status/{status}"))
    assert (got.kind, got.status) == (kind, status)
    assert server.count(f"/status/{status}") == 1


@pytest.mark.parametrize(("status", "asked"), [(500, 1), (501, 1), (502, 3), (503, 3), (504, 3)])
def test_server_errors_are_asked_again_where_that_helps(
    server: BadServer, fake: FakeTime, status: int, asked: int
) -> None:
    got = failure(fetcher(fake, retries=2).get(f"{server.url}/status/{status}"))
    assert (got.kind, got.status) == ("server_error", status)
    assert server.count(f"/status/{status}") == asked
    assert fake.slept == [1.0, 2.0][: asked - 1]


def test_recovers_on_the_last_try(server: BadServer, fake: FakeTime) -> None:
    assert failure(fetcher(fake, retries=1).get(f"{server.url}/recovers")).kind == "server_error"
    server.asked.clear()
    assert page(fetcher(fake, retries=2).get(f"{server.url}/recovers")).status == 200


def test_retry_after_is_honoured(server: BadServer, fake: FakeTime) -> None:
    assert page(fetcher(fake).get(f"{server.url}/limited")).status == 200
    assert fake.slept == [7.0]
    assert server.count("/limited") == 2


def test_a_retry_after_beyond_the_cap_ends_it(server: BadServer, fake: FakeTime) -> None:
    got = failure(fetcher(fake).get(f"{server.url}/later"))
    assert (got.kind, got.status, got.retry_after) == ("rate_limited", 429, 86_400.0)
    assert (server.count("/later"), fake.slept) == (1, [])


def test_a_retry_after_that_is_nonsense_is_not_followed(server: BadServer, fake: FakeTime) -> None:
    got = failure(fetcher(fake, retries=1, backoff=3).get(f"{server.url}/unavailable"))
    assert (got.kind, got.retry_after) == ("server_error", None)
    assert fake.slept == [3.0]


def test_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=100)
    assert 95 < (_seconds(format_datetime(later, usegmt=True)) or 0) <= 100
    assert _seconds("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0
    assert _seconds("Mon, 99 Jan 2001 00:00:00 GMT") is None
    assert _seconds("-5") is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/reset", "unreachable"),
        ("/hangup", "bad_response"),
        ("/garbage", "bad_response"),
        ("/huge-headers", "bad_response"),
        ("/short", "bad_response"),
        ("/corrupt", "bad_response"),
        ("/nowhere", "bad_response"),
        ("/status/304", "bad_response"),
    ],
)
def test_answers_that_are_none(server: BadServer, fake: FakeTime, path: str, kind: str) -> None:
    assert failure(fetcher(fake, retries=1).get(server.url + path)).kind == kind
    assert server.count(path) == 2


@pytest.mark.parametrize("path", ["/drip-body", "/drip-headers", "/endless-continue", "/never"])
def test_slow_answers_end_in_time(server: BadServer, fake: FakeTime, path: str) -> None:
    started = time.monotonic()
    got = failure(fetcher(fake, timeout=0.3, retries=1).get(server.url + path))
    assert got.kind == "timeout"
    assert server.count(path) == 2
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("path", ["/endless", "/chunks", "/declared"])
def test_bodies_that_are_too_large(server: BadServer, fake: FakeTime, path: str) -> None:
    got = failure(fetcher(fake, max_bytes=1 << 20).get(server.url + path))
    assert got.kind == "too_large"
    assert server.count(path) == 1
    assert server.written < 16 << 20, "reading goes on beyond the limit"


def test_a_bomb_is_not_held(server: BadServer, fake: FakeTime) -> None:
    assert len(bomb()) < 1 << 20
    tracemalloc.start()
    try:
        got = failure(fetcher(fake, max_bytes=1 << 20).get(f"{server.url}/bomb"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got.kind == "too_large"
    assert peak < 8 << 20


def test_the_size_limit_is_exact(server: BadServer, fake: FakeTime) -> None:
    server.pages["/exact"] = "x" * 1000
    assert len(page(fetcher(fake, max_bytes=1000).get(f"{server.url}/exact")).body) == 1000
    assert failure(fetcher(fake, max_bytes=999).get(f"{server.url}/exact")).kind == "too_large"


def test_decompresses(server: BadServer, fake: FakeTime) -> None:
    assert b"Zipped" in page(fetcher(fake).get(f"{server.url}/zipped")).body


def test_an_unknown_charset_is_passed_on(server: BadServer, fake: FakeTime) -> None:
    got = page(fetcher(fake).get(f"{server.url}/charset"))
    assert (got.charset, got.body.decode()) == ("klingon-8", "Ärger")


def test_redirects_are_followed_and_counted(server: BadServer, fake: FakeTime) -> None:
    got = page(fetcher(fake, max_redirects=5).get(f"{server.url}/hops/4"))
    assert (got.url, got.final_url) == (f"{server.url}/hops/4", f"{server.url}/ok")
    assert failure(fetcher(fake, max_redirects=5).get(f"{server.url}/hops/5")).kind == "bad_redirect"


def test_a_redirect_loop(server: BadServer, fake: FakeTime) -> None:
    assert failure(fetcher(fake, max_redirects=5).get(f"{server.url}/loop")).kind == "bad_redirect"
    assert server.count("/loop") == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x", "javascript:1", "http://"])
def test_a_redirect_out_of_the_web(server: BadServer, fake: FakeTime, target: str) -> None:
    got = failure(fetcher(fake).get(f"{server.url}/to?{target}"))
    assert (got.kind, got.status) == ("bad_redirect", 302)


def test_nobody_listens(server: BadServer, fake: FakeTime) -> None:
    got = failure(fetcher(fake, retries=2).get("http://127.0.0.1:1/"))
    assert (got.kind, len(fake.slept)) == ("unreachable", 2)


# --- addresses


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"]
    + ["240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"]
    + ["fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1"]
    + ["2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "not an address", ""],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_private_hosts_are_refused(server: BadServer, fake: FakeTime, host: str) -> None:
    port = server.host.split(":")[1]
    got = failure(fetcher(fake, allow_private=False).get(f"http://{host}:{port}/ok"))
    assert got.kind == "private_address"
    assert server.asked == []


def test_a_redirect_to_a_private_address(server: BadServer, fake: FakeTime) -> None:
    """The first host passes as public; the redirect leads inside."""
    port = server.host.split(":")[1]
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "public.test" else ["10.0.0.7"]

    allowed = FetchSettings(delay=0, timeout=5)
    inner = Fetcher(allowed, sleep=fake.sleep, clock=fake.clock, resolver=resolver)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("murk.envs.web.live.wire.is_public", lambda address: not address.startswith("10."))
        got = failure(inner.get(f"http://public.test:{port}/to?http://inside.test/secret"))
    assert got.kind == "private_address"
    assert asked == ["public.test", "public.test", "inside.test"]
    assert server.headers[-1]["host"] == f"public.test:{port}"


def test_the_checked_address_is_the_one_connected_to(server: BadServer, fake: FakeTime) -> None:
    """A name server that answers otherwise the second time gets no second time."""
    answers = [["93.184.215.14", "127.0.0.1"], ["127.0.0.1"]]
    looked = Fetcher(FetchSettings(retries=0), sleep=fake.sleep, clock=fake.clock, resolver=lambda h, p: answers.pop(0))
    assert failure(looked.get(f"http://rebind.test:{server.host.split(':')[1]}/ok")).kind == "private_address"
    assert (len(answers), server.asked) == (1, [])


def test_the_next_address_is_tried(server: BadServer, fake: FakeTime) -> None:
    settings = FetchSettings(allow_private=True, delay=0)
    either = Fetcher(settings, sleep=fake.sleep, clock=fake.clock, resolver=lambda h, p: ["::1", "127.0.0.1"])
    assert page(either.get(f"http://two.test:{server.host.split(':')[1]}/ok")).status == 200


def test_unknown_hosts(fake: FakeTime) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    lost = Fetcher(FetchSettings(retries=1), sleep=fake.sleep, clock=fake.clock, resolver=resolver)
    assert failure(lost.get("http://nowhere.test/")).kind == "unreachable"
    with pytest.raises(OSError, match="not a host name"):
        resolve("a" * 70 + ".test", 80)


# --- robots.txt and pace


def test_robots_are_obeyed(server: BadServer, fake: FakeTime) -> None:
    server.robots = (200, "User-agent: *\nDisallow: /\n\nUser-agent: murk\nDisallow: /private\nDisallow: /*.cgi$\n")
    polite = fetcher(fake)
    for path in ("/private/x", "/a/b.cgi"):
        assert failure(polite.get(server.url + path)).kind == "blocked_by_robots"
    assert page(polite.get(f"{server.url}/ok")).status == 200
    assert [path for _, path in server.asked] == ["/robots.txt", "/ok"]


def test_robots_forbid_where_a_redirect_leads(server: BadServer, fake: FakeTime) -> None:
    server.robots = (200, "User-agent: *\nDisallow: /ok\n")
    assert failure(fetcher(fake).get(f"{server.url}/hops/0")).kind == "blocked_by_robots"
    assert server.count("/ok") == 0


@pytest.mark.parametrize("status", [404, 403, 401, 400])
def test_missing_robots_allow_everything(server: BadServer, fake: FakeTime, status: int) -> None:
    server.robots = (status, "User-agent: *\nDisallow: /\n")
    assert page(fetcher(fake).get(f"{server.url}/ok")).status == 200


@pytest.mark.parametrize("status", [500, 503])
def test_broken_robots_forbid_everything(server: BadServer, fake: FakeTime, status: int) -> None:
    server.robots = (status, "")
    strict = fetcher(fake, retries=1)
    for _ in range(2):
        got = failure(strict.get(f"{server.url}/ok"))
        assert (got.kind, got.status) == ("robots_unreachable", status)
    assert server.count("/ok") == 0
    assert server.count("/robots.txt") == (2 if status == 503 else 1)


def test_apis_are_asked_without_robots(server: BadServer, fake: FakeTime) -> None:
    server.robots = (200, "User-agent: *\nDisallow: /\n")
    assert page(fetcher(fake).call("GET", f"{server.url}/api", {})).media == "application/json"
    assert server.count("/robots.txt") == 0


def test_apis_do_not_redirect(server: BadServer, fake: FakeTime) -> None:
    got = failure(fetcher(fake).call("GET", f"{server.url}/hops/0", {"Authorization": "secret"}))
    assert got.kind == "bad_redirect"
    assert server.count("/ok") == 0


def test_a_file_of_agents_and_rules_stays_small() -> None:
    text = (
        "".join(f"User-agent: bot{i}\n" for i in range(50_000)) + "Disallow: /a\n" + "useragent Murk * # us\nAllow: /\n"
    )
    lines = set(tame(text).splitlines())
    assert lines == {"User-agent: other-robots", "Disallow: /a", "Allow: /"}
    assert tame("USER AGENT: MURK*\nUser-agent: *") == "User-agent: murk\nUser-agent: *"


def test_each_host_is_asked_slowly(server: BadServer, fake: FakeTime) -> None:
    slow = fetcher(fake, delay=2.0)
    for _ in range(3):
        page(slow.get(f"{server.url}/ok"))
    assert fake.slept == [2.0, 2.0, 2.0]  # robots.txt and three pages
    port = server.host.split(":")[1]
    page(slow.call("GET", f"http://localhost:{port}/ok", {}))
    assert len(fake.slept) == 3, "another host need not wait"


@pytest.mark.parametrize(("asked", "waited"), [("5", 5.0), ("0.5", 1.0), ("500", 60.0), ("-1", 1.0), ("nan", 1.0)])
def test_crawl_delay(server: BadServer, fake: FakeTime, asked: str, waited: float) -> None:
    server.robots = (200, f"User-agent: *\nCrawl-delay: {asked}\n")
    slow = fetcher(fake, delay=1.0)
    page(slow.get(f"{server.url}/ok"))
    page(slow.get(f"{server.url}/ok"))
    assert fake.slept == [1.0, waited]


def test_threads_take_turns(server: BadServer, fake: FakeTime) -> None:
    waits: list[float] = []
    shared = Fetcher(FetchSettings(allow_private=True, delay=1.0), sleep=waits.append, clock=lambda: 0.0)
    threads = [threading.Thread(target=shared.call, args=("GET", f"{server.url}/ok", {})) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("delay", -1), ("delay", float("nan")), ("timeout", 0), ("max_bytes", 0), ("retries", 11), ("user_agent", "a\nb")],
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name} is"):
        FetchSettings(**{name: value})  # type: ignore[arg-type]


# --- TLS


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with the openssl command")
def test_certificates_are_verified_for_the_name(server: BadServer, fake: FakeTime, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=right.test"]
    command += ["-addext", "subjectAltName=DNS:right.test", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with BadServer(context) as secure:
        port = secure.host.split(":")[1]
        tls = Fetcher(
            FetchSettings(allow_private=True, delay=0, retries=0, timeout=5),
            resolver=lambda host, port: ["127.0.0.1"],
            context=ssl.create_default_context(cafile=str(cert)),
        )
        assert page(tls.get(f"https://right.test:{port}/ok")).status == 200
        assert failure(tls.get(f"https://wrong.test:{port}/ok")).kind == "unreachable"
        assert failure(tls.get(f"https://127.0.0.1:{port}/ok")).kind == "unreachable"
        untrusting = Fetcher(FetchSettings(allow_private=True, retries=0), resolver=lambda host, port: ["127.0.0.1"])
        assert failure(untrusting.get(f"https://right.test:{port}/ok")).kind == "unreachable"
