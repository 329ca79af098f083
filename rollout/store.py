"""Trajectories on disk: journals while a run goes on, then Parquet files that are renamed into place whole.

A run's folder holds

- `config.yaml` and `tasks.jsonl`: what was asked for,
- `journal/*.jsonl`: finished episodes that are not yet in tables, one file a worker,
- `trajectories/*.parquet`: a row a trajectory (`rollout.rows`),
- `pages/*.parquet`: texts of the pages delivered, by sha256, each once,
- `scores.jsonl`: rewards by id of the trajectory, outside the record, so that scoring again changes nothing in it,
- `summary.json`: figures over all of it,
- `damaged/`: what was found damaged and set aside (`rollout.mending`).

Readers pass over what is damaged and say so on standard error, once. Only `Store.mend` sets it aside.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from murk.envs.records import Trajectory
from murk.rollout.compaction import KEYS, compact
from murk.rollout.journal import Journal, read_lines
from murk.rollout.mending import mend, tell
from murk.rollout.rows import from_row, schema, to_row
from murk.rollout.tables import DamagedTable, read_rows, tables


class Entry(NamedTuple):
    """Where an episode lies, and what its row says of it.

    Attributes:
        file: Name of a table or a journal.
        number: Of the row in a table; in a journal, the byte at which its line begins.
    """

    file: str
    number: int
    status: str
    digest: str


def entry_of(
    trajectory: Trajectory, digest: str, system: str, pages: Mapping[str, str], score: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A finished episode as `Store.keep` takes it: plain JSON values, which may come from another process.

    Args:
        digest: Of the trajectory.
        system: The system prompt of its messages.
        pages: Texts of the pages delivered, by sha256.
        score: JSON values of its score; None where it has none.
    """
    return {"row": to_row(trajectory, digest, system), "pages": dict(pages), "score": score}


class Store:
    """A run's folder, open for one worker to write to; any number may read.

    Args:
        folder: Of the run; made where it is absent.
        worker: Name of this worker's journal, which no other process may write to at the same time.
    """

    def __init__(self, folder: Path, worker: str = "0") -> None:
        self.folder = folder
        self._journal: Journal | None = None
        self._path = folder / "journal" / f"{worker}.jsonl"
        self._texts: set[str] = set()

    def add(self, trajectory: Trajectory, digest: str, system: str, pages: Mapping[str, str], score: Any) -> None:
        """Keeps a finished episode, as `keep` does; the arguments are those of `entry_of`."""
        self.keep(entry_of(trajectory, digest, system, pages, score))

    def keep(self, *entries: Mapping[str, Any]) -> None:
        """Keeps entries that `entry_of` made, here or elsewhere; when this returns they survive a crash.

        Several are synced together, which takes no longer than one.

        Raises:
            OSError: the disk is full or fails; nothing is kept of these episodes then, and they may be kept later.
        """
        new: dict[str, str] = {}
        lines = []
        for entry in entries:
            fresh = {name: text for name, text in entry["pages"].items() if not (name in self._texts or name in new)}
            new |= fresh
            lines.append({"row": entry["row"], "pages": fresh, "score": entry["score"]})
        if self._journal is None:
            self._journal = Journal(self._path)
        try:
            self._journal.append(*lines)
        except OSError:
            self.close()  # to be opened again, which cuts what the disk did not let us cut
            raise
        self._texts.update(new)

    def size(self) -> int:
        """Bytes of this worker's journal."""
        return self._path.stat().st_size if self._path.exists() else 0

    def close(self) -> None:
        """Closes the journal."""
        if self._journal is not None:
            journal, self._journal = self._journal, None
            journal.close()

    def index(self) -> dict[str, Entry]:
        """Where each episode lies, by its id.

        An episode that was run again after an error of murk or the machine counts as it ended last.
        """
        found: dict[str, Entry] = {}
        for file, number, row in self._all(KEYS):
            if row["id"] not in found or found[row["id"]].status == "errored":
                found[row["id"]] = Entry(file, number, row["status"], row["digest"])
        return found

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The row of each episode, once, or some of its columns; also while the run goes on."""
        left = self.index()
        read = None if columns is None else list(dict.fromkeys([*columns, *KEYS]))
        for _, _, row in self._all(read):
            entry = left.get(row["id"])
            if entry is not None and (entry.status, entry.digest) == (row["status"], row["digest"]):
                del left[row["id"]]
                yield row if columns is None else {name: row[name] for name in columns}

    def trajectories(self) -> Iterator[tuple[Trajectory, str]]:
        """Each trajectory with the digest that it was stored under.

        Raises:
            ValueError: a row is no trajectory.
        """
        for row in self.rows():
            yield from_row(row), row["digest"]

    def scores(self) -> dict[str, dict[str, Any]]:
        """JSON values of each score by id of the trajectory."""
        fresh: dict[str, dict[str, Any]] = {}
        for journal in self.journals():
            for _, entry in self.entries(journal):
                if entry["score"] is not None:
                    fresh.setdefault(entry["row"]["id"], {"id": entry["row"]["id"], **entry["score"]})
        return self._scored() | fresh

    def pages(self) -> dict[str, str]:
        """Texts of the pages delivered, by sha256."""
        return {page["digest"]: page["text"] for page in self.texts()}

    def texts(self) -> Iterator[dict[str, str]]:
        """`digest` and `text` of each page, perhaps several times."""
        journals = self.journals()
        for table in tables(self.folder / "pages"):
            for _, row in _numbered(table, ["digest", "text"]):
                yield row
        for journal in journals:
            for _, entry in self.entries(journal):
                for name, text in entry["pages"].items():
                    yield {"digest": name, "text": text}

    def compact(self) -> None:
        """Turns the journals of a run that is at rest into tables; a crash in the middle loses and doubles nothing.

        Raises:
            OSError: the disk is full or fails; what is not yet in tables stays in the journals.
        """
        self.close()
        compact(self)

    def mend(self) -> list[str]:
        """Sets aside what is damaged in a run that is at rest: its episodes are missing then, and may be run again.

        Returns:
            What was found, in sentences, which are told on standard error, too.
        """
        self.close()
        return mend(self)

    def journals(self) -> list[Path]:
        """The journals, by name."""
        return sorted(self.folder.glob("journal/*.jsonl"))

    def entries(self, journal: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """The entries of a journal, each with the byte at which it begins."""
        try:
            for start, entry in read_lines(journal):
                if entry is not None:
                    yield start, entry
                else:
                    tell(f"{journal}: a damaged line is left out; murk rollout resume={self.folder} sets it aside.")
        except FileNotFoundError:
            return  # it has been compacted meanwhile
        except OSError as error:
            tell(f"{journal} cannot be read to its end: {error.strerror}.")

    def _all(self, columns: Sequence[str] | None) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """File, number and row of all that is there, oldest first."""
        journals = self.journals()  # before the tables, so that none is missed that is compacted meanwhile
        for table in tables(self.folder / "trajectories"):
            for number, row in _numbered(table, schema().names if columns is None else columns):
                yield table.name, number, row
        for journal in journals:
            for start, entry in self.entries(journal):
                row = entry["row"]
                yield journal.name, start, row if columns is None else {name: row[name] for name in columns}

    def _scored(self) -> dict[str, dict[str, Any]]:
        path = self.folder / "scores.jsonl"
        found: dict[str, dict[str, Any]] = {}
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                row = json.loads(line)
                found[row["id"]] = row
            except (ValueError, TypeError, KeyError):
                tell(f"{path}: a damaged line is left out; murk score {self.folder} reward=NAME makes it again.")
        return found


def _numbered(table: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table with their numbers; those that cannot be read are left out, and told."""
    try:
        yield from enumerate(read_rows(table, columns))
    except FileNotFoundError:
        return
    except DamagedTable as error:
        tell(f"{table} is damaged and cannot be read to its end: {error}.")
