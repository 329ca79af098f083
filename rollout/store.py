"""Trajectories on disk: journals while a run goes on, then Parquet files that are renamed into place whole.

A run's folder holds

- `config.yaml` and `tasks.jsonl`: what was asked for,
- `journal/*.jsonl`: finished episodes that are not yet in tables, one file a worker,
- `trajectories/*.parquet`: a row a trajectory (`rollout.rows`),
- `pages/*.parquet`: texts of the pages delivered, by sha256, each once,
- `scores.jsonl`: rewards by id of the trajectory, outside the record, so that scoring again changes nothing in it,
- `summary.json`: figures over all of it.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from murk.envs.records import Trajectory
from murk.rollout.journal import Journal, read_journal
from murk.rollout.rows import from_row, schema, to_row

ROWS = 1_000


class Entry(NamedTuple):
    """Where an episode lies: a file, the number of its row there, and what the row says of it."""

    file: str
    number: int
    status: str
    digest: str


class Store:
    """A run's folder, open for one worker to write to; any number may read.

    Args:
        folder: Of the run; made where it is absent.
        worker: Name of this worker's journal.
    """

    def __init__(self, folder: Path, worker: str = "0") -> None:
        self.folder = folder
        self._journal: Journal | None = None
        self._path = folder / "journal" / f"{worker}.jsonl"
        self._texts: set[str] = set()

    def add(self, trajectory: Trajectory, digest: str, system: str, pages: Mapping[str, str], score: Any) -> None:
        """Keeps a finished episode; when this returns it survives a crash.

        Args:
            digest: Of the trajectory.
            system: The system prompt of its messages.
            pages: Texts of the pages delivered, by sha256.
            score: JSON values of its score; None where it has none.

        Raises:
            OSError: the disk is full or fails; nothing is kept of the episode then.
        """
        if self._journal is None:
            self._journal = Journal(self._path)
        new = {name: text for name, text in pages.items() if name not in self._texts}
        row = to_row(trajectory, digest, system)
        self._journal.append({"row": row, "pages": new, "score": score})
        self._texts.update(new)

    def close(self) -> None:
        """Closes the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def index(self) -> dict[str, Entry]:
        """Where each episode lies, by its id.

        An episode that was run again after an error of murk or the machine counts as it ended last.
        """
        found: dict[str, Entry] = {}
        for file, rows in self._sources(["id", "status", "digest"]):
            for number, row in enumerate(rows):
                if row["id"] not in found or found[row["id"]].status == "errored":
                    found[row["id"]] = Entry(file, number, row["status"], row["digest"])
        return found

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The row of each episode, once, or some of its columns; also while the run goes on."""
        places = {(entry.file, entry.number) for entry in self.index().values()}
        for file, rows in self._sources(columns):
            for number, row in enumerate(rows):
                if (file, number) in places:
                    yield row

    def trajectories(self) -> Iterator[tuple[Trajectory, str]]:
        """Each trajectory with the digest that it was stored under.

        Raises:
            ValueError: a row is damaged.
        """
        for row in self.rows():
            yield from_row(row), row["digest"]

    def scores(self) -> dict[str, dict[str, Any]]:
        """JSON values of each score by id of the trajectory."""
        path = self.folder / "scores.jsonl"
        found = {entry["id"]: entry for entry in read_journal(path)} if path.exists() else {}
        for journal in self._journals():
            for entry in read_journal(journal):
                if entry["score"] is not None:
                    found[entry["row"]["id"]] = {"id": entry["row"]["id"], **entry["score"]}
        return found

    def pages(self) -> dict[str, str]:
        """Texts of the pages delivered, by sha256."""
        import pyarrow.parquet as pq

        texts: dict[str, str] = {}
        for table in sorted(self.folder.glob("pages/*.parquet")):
            columns = pq.read_table(table).to_pydict()
            texts.update(zip(columns["digest"], columns["text"], strict=True))
        for journal in self._journals():
            for entry in read_journal(journal):
                texts.update(entry["pages"])
        return texts

    def compact(self) -> None:
        """Turns the journals of a run that is at rest into tables; a crash in the middle loses and doubles nothing."""
        self.close()
        journals = self._journals()
        if not journals:
            return
        scores = self.scores()
        self._write_text("scores.jsonl", "".join(json.dumps(scores[name]) + "\n" for name in sorted(scores)))
        self._compact_pages(journals)
        index, names = self.index(), {path.name for path in journals}
        fresh = {name for name, entry in index.items() if entry.file in names}
        self._write_tables(sorted((row for row in self.rows() if row["id"] in fresh), key=lambda row: str(row["id"])))
        for journal in journals:
            journal.unlink()

    def _compact_pages(self, journals: Iterable[Path]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        known: set[str] = set()
        for table in sorted(self.folder.glob("pages/*.parquet")):
            known.update(pq.read_table(table, columns=["digest"]).column(0).to_pylist())
        new: dict[str, str] = {}
        for journal in journals:
            for entry in read_journal(journal):
                new.update((name, text) for name, text in entry["pages"].items() if name not in known)
        if new:
            names = sorted(new)
            self._write_table("pages", pa.table({"digest": names, "text": [new[name] for name in names]}))

    def _write_tables(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        for start in range(0, len(rows), ROWS):
            self._write_table("trajectories", pa.Table.from_pylist(rows[start : start + ROWS], schema=schema()))

    def _write_table(self, kind: str, table: Any) -> None:
        import pyarrow.parquet as pq

        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        path = folder / f"part-{len(list(folder.glob('part-*.parquet'))):05d}.parquet"
        partial = path.with_suffix(".partial")
        pq.write_table(table, partial, compression="zstd")
        os.replace(partial, path)

    def _write_text(self, name: str, text: str) -> None:
        partial = self.folder / f"{name}.partial"
        partial.write_text(text, "utf-8")
        os.replace(partial, self.folder / name)

    def _sources(self, columns: Sequence[str] | None) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        """Rows by the name of the file that holds them, tables first."""
        for table in sorted(self.folder.glob("trajectories/*.parquet")):
            yield table.name, _table_rows(table, columns)
        for journal in self._journals():
            yield journal.name, (_part(entry["row"], columns) for entry in read_journal(journal))

    def _journals(self) -> list[Path]:
        return sorted(self.folder.glob("journal/*.jsonl"))


def _part(row: dict[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    return row if columns is None else {name: row[name] for name in columns}


def _table_rows(table: Path, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(table).iter_batches(64, columns=list(columns) if columns else None):
        yield from batch.to_pylist()
