"""The records of a file that may be broken anywhere: JSONL, a JSON list, CSV or TSV, told apart by name and first byte.

Files are read whole, except JSONL, and hold 1 GiB at most.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from murk.envs.errors import UsageError

Row = Mapping[str, Any]
MAX_BYTES = 16 << 20
_MAX_FILE = 1 << 30
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class Broken(ValueError):
    """A record that is no task: a short reason that is counted, and a detail for the curious."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = "".join(c if c.isprintable() else " " for c in detail[:200])


def rows(path: Path) -> Iterator[tuple[int, Row | Broken]]:
    """Records with the number of the line where each begins (in CSV: ends), or why there is none.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        if not path.is_file():
            raise UsageError(f"{path} is not a file.")
        if path.stat().st_size > _MAX_FILE:
            raise UsageError(f"{path} is larger than 1 GiB.")
        with path.open("rb") as file:
            if path.suffix.lower() in _SEPARATORS:
                yield from _table(_text(path, file), _SEPARATORS[path.suffix.lower()])
            elif file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
                file.seek(0)
                yield from _list(_text(path, file))
            else:
                file.seek(0)
                yield from _lines(file)
    except OSError as error:
        raise UsageError(f"cannot read tasks from {path}: {error.strerror}.") from None


def _text(path: Path, file: BinaryIO) -> str:
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, Row | Broken]]:
    number = 0
    while line := file.readline(MAX_BYTES):
        number += 1
        if len(line) == MAX_BYTES and not line.endswith(b"\n"):
            while (more := file.readline(MAX_BYTES)) and not more.endswith(b"\n"):
                pass
            yield number, Broken("larger than 16 MiB")
        elif text := line.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").strip():
            try:
                yield number, _row(json.loads(text, parse_constant=_refuse))
            except (ValueError, RecursionError) as error:
                yield number, Broken("not JSON", str(error))


def _list(text: str) -> Iterator[tuple[int, Row | Broken]]:
    """The members of a JSON list, as far as it is sound."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    at, line, counted = _skip(text, text.index("[") + 1), 1, 0
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield line, Broken("not JSON from here on", str(error))
            return
        yield line, _row(value)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif at < len(text) and text[at] != "]":
            yield line, Broken("not JSON from here on", f"{text[at : at + 20]!r} after a record")
            return
    if at >= len(text):
        yield line, Broken("not JSON from here on", "the list has no end")


def _table(text: str, separator: str) -> Iterator[tuple[int, Row | Broken]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    head: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, Broken("not CSV", str(error))
            continue
        if not any(cells):
            continue
        if head is None:
            head = [name.strip() for name in cells]
        elif len(cells) > len(head):
            yield reader.line_num, Broken("more cells than columns")
        else:
            yield reader.line_num, dict(zip(head, cells, strict=False))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _row(value: Any) -> Row | Broken:
    return value if isinstance(value, dict) else Broken("not a mapping", type(value).__name__)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")
