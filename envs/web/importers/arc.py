"""ARC, the Internet Archive's format before WARC, versions 1 and 2, plain or gzip."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

from murk.envs.web.importers import Limits, Raw, Skip
from murk.envs.web.importers.archive import LINE, http_capture, read_block
from murk.envs.web.importers.streams import head_of, open_stream
from murk.envs.web.urls import parse_date

# URL, IP address, date, media type, [version 2: status, checksum, location, offset, file name,] length.
# A URL may hold spaces.
_HEADER = re.compile(
    rb"(?P<url>[a-z]{3,12}:.*?) (?P<ip>[0-9a-fA-F.:]{2,45}) (?P<date>\d{4,20}) (?P<media>\S+)"
    rb"(?: \S+ \S+ \S+ \S+ \S+)? (?P<length>\S+)\s*"
)


class ArcImporter:
    """Reads `.arc` and `.arc.gz`."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and (
            path.name.endswith((".arc", ".arc.gz")) or head_of(path, head).startswith(b"filedesc://")
        )

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        stream, problems = open_stream(path, limits)
        with stream:
            told = False
            for item in _records(stream, limits):
                told = True
                yield item
            if not told:
                yield Skip("no-pages", "no record of a page")
        yield from problems


def _records(stream: io.BufferedReader, limits: Limits) -> Iterator[Raw | Skip]:
    """After a broken record, goes on at the next line that looks like a record's header."""
    garbage = found = False
    while line := stream.readline(LINE):
        match = _HEADER.fullmatch(line)
        if not match:
            if line.strip() and not garbage and not _is_version_block(line):
                yield Skip("garbage", "between records" if found else "not an ARC file")
                garbage = True
            continue
        garbage, found = False, True
        item = _record(match, stream, limits)
        if item is not None:
            yield item


def _record(match: re.Match[bytes], stream: io.BufferedReader, limits: Limits) -> Raw | Skip | None:
    url, length = match["url"].decode("utf-8", "replace"), match["length"]
    described = url.startswith("filedesc:")
    if not (length.isdigit() and len(length) < 19):
        return None if described else Skip("bad-length", f"{length[:40]!r} {url[:200]}")
    block = read_block(stream, int(length), limits.record_bytes)
    if described:
        return None
    if isinstance(block, Skip):
        return Skip(block.reason, f"{block.detail} {url[:200]}")
    if not url.startswith(("http:", "https:")):
        return Skip("bad-url", url[:200])
    return _capture(url.replace(" ", "%20"), match["date"].decode(), block, limits)


def _capture(url: str, date: str, block: bytes, limits: Limits) -> Raw | Skip:
    try:
        when = parse_date(date[:14])
    except ValueError:
        return Skip("bad-date", f"{date} {url[:200]}")
    return http_capture(url, when, block, limits)


def _is_version_block(line: bytes) -> bool:
    """Lines of the description at the head of a file whose length is not usable."""
    return re.match(rb"[12] \d |URL IP-address ", line) is not None
