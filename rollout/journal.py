"""A journal: where a worker writes each finished episode before anybody is told that it is finished.

One JSON object a line, synced to the disk. A line that a crash has torn is left out when the journal is read.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Appends lines to a file; what `append` has returned from survives a crash."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._drop_torn_end(path)
        self._file = path.open("ab")

    def append(self, row: Mapping[str, Any]) -> None:
        """Writes a row and syncs it.

        Raises:
            OSError: the disk is full or fails; the row is not in the journal then.
        """
        start = self._file.tell()
        try:
            self._file.write(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), start)
            raise

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    @staticmethod
    def _drop_torn_end(path: Path) -> None:
        """Cuts a last line without its end, so that the next row does not continue it."""
        if not path.exists():
            return
        with path.open("rb+") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a journal, also while it is written; a torn or damaged line is left out."""
    with path.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                row = None
            if isinstance(row, dict):
                yield row
