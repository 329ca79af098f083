"""Parquet tables that tell whether they are what was written.

A table is named `part-NUMBER-ROWS-CRC.parquet` after the CRC-32 of its bytes, which finds damage of any byte, and its
number of rows, which says how much is lost. Its pages have checksums of their own, so that a reader who wants only some
columns never takes damaged values for good ones.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from murk.envs.errors import MurkError

if TYPE_CHECKING:
    import pyarrow

ROWS = 1_000
BYTES = 64 << 20
_BLOCK = 1 << 20
_NAME = re.compile(r"part-(\d{5,})-(\d+)-([0-9a-f]{8})\.parquet")


class DamagedTable(MurkError):
    """A table that is not what was written, or that the disk does not give; the message says what is wrong with it."""


def write_tables(
    folder: Path, schema: "pyarrow.Schema", rows: Iterable[Mapping[str, Any]], size: Callable[[Mapping[str, Any]], int]
) -> None:
    """Writes rows, in their order, as tables beside those that are in a folder, each whole or not at all, and synced.

    Args:
        folder: Of the tables; made where it is absent.
        schema: Columns of the rows.
        rows: At most `ROWS` of them make a table, and about `BYTES`; no more are held in memory.
        size: Bytes of a row, roughly.

    Raises:
        OSError: the disk is full or fails; the table in work is not kept then.
    """
    batch: list[Mapping[str, Any]] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += size(row)
        if len(batch) == ROWS or held >= BYTES:
            _write(folder, schema, batch)
            batch, held = [], 0
    if batch:
        _write(folder, schema, batch)


def tables(folder: Path) -> list[Path]:
    """The tables of a folder, oldest first."""
    return sorted(folder.glob("*.parquet"))


def read_rows(table: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table, with these columns.

    Raises:
        FileNotFoundError: the table is gone.
        DamagedTable: it is damaged or lacks a column; the rows before the damage were good.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(table, page_checksum_verification=True, pre_buffer=False) as file:
            if lacking := [name for name in columns if name not in file.schema_arrow.names]:
                raise DamagedTable(f"it has no column {lacking[0]!r}")
            for batch in file.iter_batches(64, columns=list(columns), use_threads=False):
                yield from batch.to_pylist()
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamagedTable(" ".join(str(error).split())[:200]) from error


def damage(table: Path) -> str | None:
    """What is wrong with a table, in words; None where it holds the bytes that were written."""
    named = _NAME.fullmatch(table.name)
    if named is None:
        return "its name tells no checksum"
    try:
        found = _checksum(table)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if found == named[3] else "its checksum differs"


def row_count(table: Path) -> int | None:
    """How many rows a table was written with; None where its name does not tell."""
    named = _NAME.fullmatch(table.name)
    return int(named[2]) if named else None


def replace_synced(partial: Path, path: Path) -> None:
    """Gives a file its name, whole and synced; another of that name goes."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Syncs the names that a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(folder: Path, schema: "pyarrow.Schema", rows: list[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not folder.exists():
        folder.mkdir(parents=True)
        sync_folder(folder.parent)
    number = 1 + max((int(found[1]) for path in tables(folder) if (found := _NAME.fullmatch(path.name))), default=-1)
    partial = folder / f"part-{number:05d}.partial"
    try:
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
        name = f"part-{number:05d}-{len(rows)}-{_checksum(partial)}.parquet"
        replace_synced(partial, folder / name)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _checksum(path: Path) -> str:
    found = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found = crc32(block, found)
    return f"{found:08x}"
