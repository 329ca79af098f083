"""Byte streams over plain and gzip files that survive damage and stop at bombs."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from murk.envs.web.importers import Limits, Skip

_MAGIC = b"\x1f\x8b\x08"
_BLOCK = 1 << 16


class Gunzip(io.RawIOBase):
    """Decompresses gzip members one after another, as web archives hold them.

    A damaged member is given up and reading goes on at the next one; a stream that grows beyond the allowed ratio
    ends. Both are noted in `problems`.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._buffer = b""
        self._stream = zlib.decompressobj(31)
        self._in = self._out = 0
        self._ended = False
        self.problems: list[Skip] = []

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target)  # type: ignore[arg-type]
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _next(self, size: int) -> bytes:
        while not self._ended:
            if not self._buffer and not self._fill():
                if not self._stream.eof and self._in:
                    self.problems.append(Skip("truncated", "gzip stream"))
                break
            if self._stream.eof and not self._begin_member():
                break
            try:
                data = self._stream.decompress(self._buffer, size)
            except zlib.error as error:
                self.problems.append(Skip("corrupt-gzip", str(error)))
                self._stream = zlib.decompressobj(31)
                self._ended = not self._find_magic(1)
                continue
            self._buffer = self._stream.unconsumed_tail or self._stream.unused_data
            if data:
                return self._counted(data)
        self._ended = True
        return b""

    def _fill(self) -> bool:
        block = self._file.read(_BLOCK)
        self._buffer += block
        self._in += len(block)
        return bool(block)

    def _begin_member(self) -> bool:
        while len(self._buffer) < len(_MAGIC) and self._fill():
            pass
        if not self._buffer.strip(b"\0"):
            return False  # padding at the end of the file
        self._stream = zlib.decompressobj(31)
        if self._buffer.startswith(_MAGIC):
            return True
        self.problems.append(Skip("garbage", "between gzip members"))
        return self._find_magic(0)

    def _find_magic(self, skip: int) -> bool:
        self._buffer = self._buffer[skip:]
        while (at := self._buffer.find(_MAGIC)) < 0:
            self._buffer = self._buffer[-2:]
            if not self._fill():
                return False
        self._buffer = self._buffer[at:]
        return True

    def _counted(self, data: bytes) -> bytes:
        self._out += len(data)
        if self._out > self._limits.record_bytes and self._out > self._limits.ratio * max(1, self._in):
            self.problems.append(Skip("zip-bomb", f"{self._in} bytes grow beyond {self._out}"))
            self._ended = True
        return data


def open_stream(path: Path, limits: Limits) -> tuple[io.BufferedReader, list[Skip]]:
    """Opens a plain or gzip file for reading; the list fills up with what was wrong while it is read."""
    file = path.open("rb")
    return as_stream(file, limits)


def as_stream(file: BinaryIO, limits: Limits) -> tuple[io.BufferedReader, list[Skip]]:
    """The same for an open file that can seek."""
    head = file.read(3)
    file.seek(0)
    if head[:2] == _MAGIC[:2]:
        raw = Gunzip(file, limits)
        return io.BufferedReader(raw, _BLOCK), raw.problems
    return (file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))), []


def lines(stream: io.BufferedReader, limit: int) -> Iterator[bytes | Skip]:
    """Lines of a stream; one that is longer than `limit` bytes is passed over and reported."""
    while line := stream.readline(limit + 1):
        if len(line) <= limit:
            yield line
            continue
        yield Skip("oversized", f"line of more than {limit} bytes")
        while line and not line.endswith(b"\n"):
            line = stream.readline(1 << 20)


def head_of(path: Path, head: bytes) -> bytes:
    """The first bytes of a file after decompression, from its first bytes before it."""
    if not head.startswith(_MAGIC[:2]):
        return head
    try:
        with gzip.open(path) as file:
            return file.read(512)
    except (OSError, EOFError, zlib.error):
        return b""
