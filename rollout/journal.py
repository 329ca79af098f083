"""A journal: where a worker writes each finished episode before anybody is told that it is finished.

One JSON object a line, synced to the disk, its first field the CRC-32 of the rest, so that no damaged line passes for
another. A line without its end is one that is being written, or one that a crash has torn: nobody was told of it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from murk.rollout.tables import sync_folder

_HEAD = b'{"crc32":"%08x",'
_START = len(_HEAD % 0)
_BLOCK = 1 << 16
_BUFFER = 1 << 18  # lines are long


class Journal:
    """Appends lines to a file; what `append` has returned from survives a crash. One process writes a file at a time.

    Raises:
        OSError: the file cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._file, _whole(self._file))  # so that the next row does not continue a torn line
        sync_folder(path.parent)

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Writes rows of at least one field each, and syncs them together.

        Raises:
            OSError: the disk is full or fails; none of the rows is in the journal then.
        """
        start = os.lseek(self._file, 0, os.SEEK_END)
        left = memoryview(b"".join(map(encode_line, rows)))
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except BaseException:
            os.ftruncate(self._file, start)
            raise

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


def encode_line(row: Mapping[str, Any]) -> bytes:
    """A row as a line of a journal."""
    try:
        body = orjson.dumps(row)[1:]
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        body = json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode()[1:]
    return _HEAD % crc32(body) + body + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """The row of a line of a journal; None where it is damaged."""
    body = _checked(line)
    row: dict[str, Any] | None = None if body is None else json.loads(b"{" + body)
    return row


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The lines of a journal that have an end, also while it is written.

    Args:
        path: Of the journal.
        start: The byte to begin at, where a line begins.

    Yields:
        The byte at which a line begins, and its row; None where it is damaged.
    """
    with path.open("rb", buffering=_BUFFER) as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return  # reading on would give the rest of it as a line, if it has been written meanwhile
            yield start, decode_line(line)
            start += len(line)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a journal, also while it is written; a torn or damaged line is left out."""
    return (row for _, row in read_lines(path) if row is not None)


def is_sound(path: Path) -> bool:
    """Whether no line of a journal is damaged; a torn end is none."""
    with path.open("rb", buffering=_BUFFER) as file:
        return all(_checked(line) is not None for line in file if line.endswith(b"\n"))


def _checked(line: bytes) -> bytes | None:
    """What follows the checksum of a line; None where it is not that of which the checksum was made."""
    body = line[_START:-1]
    return body if line[:_START] == _HEAD % crc32(body) and line[-1:] == b"\n" else None


def _whole(file: int) -> int:
    """Bytes of a file up to the end of its last line."""
    end = os.lseek(file, 0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
