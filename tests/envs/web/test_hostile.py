"""Input made to harm: bombs, monsters, traversal. Each ends in a counted reason, in bounded time and memory."""

import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest

from murk.envs.web.build import Options, build
from murk.envs.web.extract import MAX_HTML_BYTES, extract
from murk.envs.web.http import decode_body, decode_text, split_response
from murk.envs.web.importers import Limits, Raw, Skip, importer_for
from murk.envs.web.pool import Guard, Lost, guarded_map
from murk.envs.web.snapshot import Snapshot

SMALL = Limits(record_bytes=1 << 20, file_bytes=1 << 20)
URL = "https://a.example/x"


def warc(*blocks: bytes, kind: str = "response", extra: str = "") -> bytes:
    return b"".join(
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {URL}{i}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n{extra}"
        f"Content-Type: application/http\r\nContent-Length: {len(block)}\r\n\r\n".encode()
        + block
        + b"\r\n\r\n"
        for i, block in enumerate(blocks)
    )


def http(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\r\n".encode() + body


GOOD = http(b"<p>good words</p>")


def read(path: Path, limits: Limits = SMALL) -> list[str]:
    importer = importer_for(path)
    assert importer is not None
    return [item.reason if isinstance(item, Skip) else "ok" for item in importer.read(path, limits)]


def put(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """No test here may hold more than a few times the limits."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * (1 << 20)
    bomb = b"".join(stream.compress(zeros) for _ in range(400)) + stream.flush()
    assert read(put(tmp_path, "bomb.warc.gz", bomb)) == ["garbage", "zip-bomb"]
    assert read(put(tmp_path, "bomb.jsonl.gz", bomb)) == ["oversized", "zip-bomb"]


def test_a_bomb_in_a_response_is_not_unpacked(tmp_path: Path) -> None:
    zeros = b"\0" * (8 << 20)
    for coding, packed in (
        ("gzip", gzip.compress(zeros)),
        ("deflate", zlib.compress(zeros)),
        ("br", brotli.compress(zeros, quality=1)),
    ):
        block = http(packed, f"Content-Encoding: {coding}\r\n")
        assert read(put(tmp_path, "x.warc", warc(block, GOOD))) == ["zip-bomb", "ok"], coding


def test_a_zip_bomb_is_refused_by_its_directory(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("datapackage.json", json.dumps({"resources": []}))
        archive.writestr("archive/a.warc", b"\0" * (30 << 20))
    assert read(put(tmp_path, "x.wacz", target.getvalue())) == ["zip-bomb"]


def test_paths_that_climb_out_are_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("datapackage.json", json.dumps({"resources": []}))
        archive.writestr("archive/../../../escape.warc", warc(GOOD))
        archive.writestr("archive/good.warc", warc(GOOD))
    (tmp_path / "in").mkdir()
    source = put(tmp_path / "in", "x.wacz", target.getvalue())
    assert read(source) == ["bad-path", "ok"]
    build([source], tmp_path / "in" / "out", Options(workers=1))
    assert sorted(path.name for path in tmp_path.rglob("*.warc")) == []


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret.html", b"<p>secret</p>")
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    put(folder, "page.html", b"<p>page</p>")
    (folder / "link.html").symlink_to(secret)
    (folder / "sub" / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo.html")
    build([folder], tmp_path / "out", Options(workers=1))
    world = Snapshot.open(tmp_path / "out")
    assert len(world) == 1
    assert world.info["skipped"] == {"not-a-file": 3}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda d: d[:-30], ["ok", "truncated"]),
        (lambda d: d.replace(b"Content-Length: ", b"Content-Length: -", 1), ["bad-length", "garbage", "ok"]),
        (lambda d: d.replace(b"Content-Length: ", b"Content-Length: 9999999", 1), ["truncated"]),
        (lambda d: d.replace(b"2020-01-01", b"2020-99-99", 1), ["bad-date", "ok"]),
        (lambda d: d.replace(b"https://", b"gopher://", 1), ["bad-url", "ok"]),
        (lambda d: d.replace(b"200 OK", b"404 No", 1), ["status-4xx", "ok"]),
        (lambda d: d.replace(b"HTTP/1.1", b"HXXP/1.1", 1), ["not-http", "ok"]),
        (lambda d: d.replace(b"text/html", b"image/png", 1), ["unsupported-type", "ok"]),
        (lambda d: b"rubbish " * 90_000 + b"\n" + d, ["garbage", "ok", "ok"]),
        (lambda d: d.replace(b"WARC-T", b"X: " + b"y" * 40_000 + b"\r\nWARC-T", 1), ["bad-header", "garbage", "ok"]),
        (lambda d: b"", ["no-pages"]),
    ],
)  # fmt: skip
def test_a_broken_record_does_not_cost_the_next(tmp_path: Path, change: object, reasons: list[str]) -> None:
    path = put(tmp_path, "x.warc", change(warc(GOOD, GOOD)))  # type: ignore[operator]
    assert read(path) == reasons


def test_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    wrong = "WARC-Block-Digest: sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
    assert read(put(tmp_path, "x.warc", warc(GOOD, extra=wrong))) == ["wrong-digest"]


def test_a_damaged_gzip_member_costs_only_itself(tmp_path: Path) -> None:
    members = [bytearray(gzip.compress(warc(http(b"<p>%d words</p>" % i + os.urandom(0))))) for i in range(3)]
    members[1][len(members[1]) // 2] ^= 0xFF
    found = read(put(tmp_path, "x.warc.gz", b"".join(members)))
    assert found.count("ok") >= 2
    assert "corrupt-gzip" in found


def test_an_oversized_record_is_passed_over(tmp_path: Path) -> None:
    assert read(put(tmp_path, "x.warc", warc(http(b"x" * (2 << 20)), GOOD))) == ["oversized", "ok"]
    lines = json.dumps({"url": URL, "text": "x" * (2 << 20)}) + "\n" + json.dumps({"url": URL, "text": "good"}) + "\n"
    assert read(put(tmp_path, "x.jsonl", lines.encode())) == ["oversized", "ok"]
    assert read(put(tmp_path, "x.har", b"[" * (2 << 20))) == ["oversized"]
    assert read(put(tmp_path, "x.pdf", b"%PDF-" + b"x" * (2 << 20))) == ["oversized"]


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "{}", "null", '{"log": {"entries": {}}}', '{"log": {"entries": [3, null, {"request": []}]}}']
    + ['{"log": {"entries": [{"request": {"url": 3}, "response": {"status": "x", "content": {}}}]}}'],
)
def test_rubbish_in_a_har_is_counted(tmp_path: Path, text: str) -> None:
    assert set(read(put(tmp_path, "x.har", text.encode()))) <= {"bad-json", "bad-entry"}


def test_html_monsters_end_in_time() -> None:
    monsters = [
        "<div>" * 200_000,
        "<table><tr><td>" * 30_000,
        "<a href=x>" * 50_000,
        "<" * 1_000_000,
        "<b><i>" * 100_000,
    ]
    monsters += [
        "&lt" * 500_000,
        "<a " + "x=1 " * 300_000 + ">",
        "[](" * 300_000,
        "<title>" + "x" * 900_000,
        "]" * 500_000,
    ]
    for html in monsters:
        found = extract(Raw(URL, "<html><p>start</p>" + html, "text/html"))
        assert isinstance(found, Skip) or len(found.text) < 4 * MAX_HTML_BYTES
    found = extract(Raw(URL, "x" * (MAX_HTML_BYTES + 1), "text/html"))
    assert isinstance(found, Skip)
    assert found.reason == "oversized"


@pytest.mark.parametrize(
    "body", [b"", b"%PDF-1.7", b"%PDF-1.7\n" + b"\xff" * 500, b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>"]
)
def test_a_broken_pdf_is_counted(body: bytes) -> None:
    found = extract(Raw(URL, body, "application/pdf"))
    assert isinstance(found, Skip)
    assert found.reason in {"broken-pdf", "no-text"}


def test_encodings() -> None:
    assert decode_text("naïve – ½".encode()) == "naïve – ½"
    assert decode_text("naïve – ½".encode("cp1252")) == "naïve – ½"
    assert decode_text("日本語の本".encode("shift_jis"), "shift_jis") == "日本語の本"
    assert decode_text(b"<meta charset=euc-kr>" + "한국".encode("euc-kr")) == "<meta charset=euc-kr>한국"
    assert decode_text("\ufeffbom".encode("utf-16")) == "\ufeffbom"
    assert decode_text(b"plain", "no-such-charset") == "plain"
    assert decode_text(b"plain", "unicode_escape") == "plain"
    for binary in (bytes(range(256)) * 40, b"\0" * 500):
        found = decode_text(binary)
        assert isinstance(found, Skip)
        assert found.reason == "mis-encoded"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x" * 5000])
@pytest.mark.parametrize("body", [b"", b"\x1f\x8b\x08", b"rubbish", b"\x1f\x8b" + b"\xff" * 50])
def test_rubbish_in_encodings_is_counted(coding: str, body: bytes) -> None:
    found = decode_body({"content-encoding": coding}, body, 1000)
    assert isinstance(found, Skip | bytes)


def test_responses_are_split_within_bounds() -> None:
    assert split_response(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody") == (200, {"a": "b"}, b"body")
    assert split_response(b"HTTP/1.0 200\nA: b\n\nbody") == (200, {"a": "b"}, b"body")
    assert split_response(b"HTTP/1.1 200 OK\r\n\r\nbody") == (200, {}, b"body")
    assert split_response(b"nothing") is None
    status, headers, body = split_response(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000) or (0, {}, b"")
    assert (status, headers, body) == (200, {"a": "b"}, b"")


def spin(item: bytes) -> bytes:
    """What hostile input may do to native code."""
    if item == b"loop":
        while True:
            pass
    if item == b"memory":
        return bytes(len(bytearray(8 << 30)))
    if item == b"crash":
        os.kill(os.getpid(), 11)
    if item == b"bug":
        raise LookupError("a bug")
    return item.upper()


def test_workers_that_break_their_limits_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    items = [b"a", b"loop", b"b", b"crash", b"c", b"memory", b"d"]
    found = list(guarded_map("test_hostile:spin", items, 2, Guard(seconds=0.5, memory=2 << 30)))
    assert found == [b"A", Lost("timeout"), b"B", Lost("crash"), b"C", Lost("memory"), b"D"]
    assert list(guarded_map("test_hostile:spin", [b"x"] * 100, 1)) == [b"X"] * 100
    assert list(guarded_map("test_hostile:spin", [], 2)) == []
    with pytest.raises(RuntimeError, match="a bug"):
        list(guarded_map("test_hostile:spin", [b"bug"], 1))


def test_an_abandoned_map_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    running = guarded_map("test_hostile:spin", iter([b"a"] * 50), 2)
    assert next(running) == b"A"
    running.close()  # type: ignore[attr-defined]
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], check=True, capture_output=True, text=True
    )
    assert "test_hostile:spin" not in listed.stdout


def test_a_terminal_is_not_steered(tmp_path: Path) -> None:
    row = {
        "url": URL,
        "title": "\x1b]0;owned\x07T",
        "text": "a\x1b[2Jb \u202eevil",
        "links": [{"url": URL, "text": "\x1b[1m"}],
    }
    build([put(tmp_path, "x.jsonl", json.dumps(row).encode())], tmp_path / "out", Options(workers=1))
    shown = [
        subprocess.run(
            [sys.executable, "-m", "murk.rollout.main", "snapshot", *args], check=True, capture_output=True, text=True
        ).stdout
        for args in (
            ["open", str(tmp_path / "out"), URL],
            ["search", str(tmp_path / "out"), "evil"],
            ["links", str(tmp_path / "out"), URL],
        )
    ]
    assert all(shown)
    assert "\x1b" not in "".join(shown)
    assert "\u202e" not in "".join(shown)
