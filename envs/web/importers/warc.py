"""WARC, plain or gzip (ISO 28500): `response` and `resource` records.

In an archive that murk itself exported, a `conversion` record holds the text as the agent sees it; the response that
it was made for says so in its header `Murk-Conversion`, and is passed over.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from murk.envs.web.http import media_type
from murk.envs.web.importers import Limits, Raw, Skip
from murk.envs.web.importers.archive import LINE, digest_matches, http_capture, read_block
from murk.envs.web.importers.streams import head_of, open_stream
from murk.envs.web.urls import parse_date

CONVERSION = "text/markdown; profile=murk-capture"
_MAX_HEADERS = 200


class WarcImporter:
    """Reads `.warc` and `.warc.gz`, by their first line."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and (
            path.name.endswith((".warc", ".warc.gz")) or head_of(path, head).lstrip().startswith(b"WARC/")
        )

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        stream, problems = open_stream(path, limits)
        with stream:
            yield from read_warc(stream, limits)
        yield from problems


def read_warc(stream: io.BufferedReader, limits: Limits) -> Iterator[Raw | Skip]:
    """Yields the captures of a decompressed WARC stream. After a broken record, goes on at the next that begins with
    a version line."""
    garbage = found = told = False
    while line := stream.readline(LINE):
        if not line.startswith(b"WARC/"):
            if line.strip() and not garbage:
                yield Skip("garbage", "between records" if found else "not a WARC file")
            garbage = garbage or bool(line.strip())
            continue
        garbage, found = False, True
        headers = _headers(stream)
        if isinstance(headers, Skip):
            yield headers
            continue
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            yield Skip("bad-length", f"Content-Length {length[:40]!r}")
            continue
        block = read_block(stream, int(length), limits.record_bytes)
        ended = isinstance(block, Skip) and block.reason == "truncated"
        item = _capture(headers, block, limits) or (block if isinstance(block, Skip) and ended else None)
        if item is not None:
            told = True
            yield item
        if ended:
            return
    if not told and not garbage:
        yield Skip("no-pages", "no record of a page")


def _headers(stream: io.BufferedReader) -> dict[str, str] | Skip:
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = stream.readline(LINE)
        if not line:
            return Skip("truncated", "record header")
        if len(line) == LINE:
            return Skip("bad-header", "line too long")
        if not line.strip():
            return headers
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return Skip("bad-header", "too many lines")


def _capture(headers: dict[str, str], block: bytes | Skip, limits: Limits) -> Raw | Skip | None:
    kind = headers.get("warc-type", "").lower()
    if kind == "revisit":
        return Skip("revisit", headers.get("warc-target-uri", "")[:200])
    if kind not in ("response", "resource", "conversion") or "murk-conversion" in headers:
        return None  # requests, metadata and the like hold no page
    url = headers.get("warc-target-uri", "").strip("<>")
    if isinstance(block, Skip):
        return Skip(block.reason, f"{block.detail} {url[:200]}")
    if not url.lower().startswith(("http://", "https://")):
        return Skip("bad-url", url[:200])  # dns:, urn: and file: records are no web pages
    if not digest_matches(headers.get("warc-block-digest", ""), block):
        return Skip("wrong-digest", url[:200])
    if headers.get("warc-segment-number", "1") != "1":
        return Skip("segmented", url[:200])
    try:
        date = parse_date(headers.get("warc-date", ""))
    except ValueError:
        return Skip("bad-date", headers["warc-date"][:60])
    declared = headers.get("content-type", "")
    if kind == "conversion":
        return _conversion(url, date, block) if declared == CONVERSION else None
    if declared.lower().startswith("application/http") or block.startswith(b"HTTP/"):
        return http_capture(url, date, block, limits)
    media, charset = media_type(declared)
    return Raw(url, block, media, charset, date)


def _conversion(url: str, date: int, block: bytes) -> Raw | Skip:
    """What `export` wrote: a line of JSON about the text, then the text."""
    line, _, text = block.partition(b"\n")
    try:
        head = json.loads(line)
        links = tuple((str(href), str(label)) for href, label in head["links"])
        pages = tuple(int(begin) for begin in head["pages"])
        date = 0 if head["undated"] is True else date
        return Raw(url, text.decode(), "text/markdown", "utf-8", date, str(head["title"]), links, pages)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return Skip("bad-conversion", url[:200])
