"""Journals into tables. Files appear whole and synced, and journals go last: a crash loses and doubles nothing.

A journal with damaged lines stays, for `rollout.mending` to set aside.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murk.rollout.journal import is_sound, read_lines
from murk.rollout.rows import schema
from murk.rollout.tables import DamagedTable, read_rows, replace_synced, sync_folder, tables, write_tables

if TYPE_CHECKING:
    from murk.rollout.store import Entry, Store

KEYS = ("id", "status", "digest")


def compact(store: "Store") -> None:
    """Turns the journals of a run that is at rest into tables, and drops rows of errors that were run again.

    Raises:
        OSError: the disk is full or fails; what is not yet in tables stays in the journals.
    """
    for partial in [*store.folder.glob("*/*.partial"), *store.folder.glob("scores.jsonl.partial")]:
        partial.unlink()
    if journals := store.journals():
        write_scores(store.folder, store.scores())
        write_tables(store.folder / "pages", page_schema(), _new_pages(store), lambda page: len(page["text"]))
        _write_rows(store, journals)
    for journal in journals:
        if is_sound(journal):
            journal.unlink()
            sync_folder(journal.parent)
    _drop_doubles(store)


def write_scores(folder: Path, scores: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the scores of a run, by id."""
    partial = folder / "scores.jsonl.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(scores[name]) + "\n" for name in sorted(scores))
    replace_synced(partial, folder / "scores.jsonl")


def page_schema() -> Any:
    """Columns of the table of pages."""
    import pyarrow as pa

    return pa.schema([("digest", pa.string()), ("text", pa.string())])


def row_size(row: Mapping[str, Any]) -> int:
    """Bytes of a trajectory's row, roughly."""
    sampled = sum(len(turn["prompt_ids"]) + 3 * len(turn["token_ids"]) for turn in row["sampled"] or ())
    return sum(len(message["content"]) for message in row["messages"]) + sum(map(len, row["steps"])) + 4 * sampled


def _new_pages(store: "Store") -> Iterator[dict[str, str]]:
    known: set[str] = set()
    for table in tables(store.folder / "pages"):
        with suppress(DamagedTable):
            known.update(row["digest"] for row in read_rows(table, ["digest"]))
    for journal in store.journals():
        for _, entry in store.entries(journal):
            for name, text in entry["pages"].items():
                if name not in known:
                    known.add(name)
                    yield {"digest": name, "text": text}


def _write_rows(store: "Store", journals: list[Path]) -> None:
    """Rows in the order of their ids, whichever worker made them, so that equal runs have equal tables."""
    paths = {path.name: path for path in journals}
    places = sorted((name, entry) for name, entry in store.index().items() if entry.file in paths)
    rows = (_row_at(paths[entry.file], entry) for _, entry in places)
    write_tables(store.folder / "trajectories", schema(), rows, row_size)


def _row_at(journal: Path, entry: "Entry") -> dict[str, Any]:
    _, found = next(read_lines(journal, entry.number))
    if found is None:
        raise OSError(f"{journal} changes while it is read")
    row: dict[str, Any] = found["row"]
    return row


def _drop_doubles(store: "Store") -> None:
    """Writes tables again that hold rows which count no more; those that are damaged are left to `mend`."""
    places = {(entry.file, entry.number) for entry in store.index().values()}
    folder, columns = store.folder / "trajectories", schema()
    for table in tables(folder):
        try:
            if all((table.name, number) in places for number, _ in enumerate(read_rows(table, KEYS))):
                continue
            rows = enumerate(read_rows(table, columns.names))
            write_tables(folder, columns, (row for n, row in rows if (table.name, n) in places), row_size)
        except DamagedTable:
            continue
        table.unlink()
        sync_folder(folder)
