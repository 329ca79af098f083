"""Importers turn a file into captures. Each is a plugin of the group `importers`, in a file of its own.

An importer reads hostile files: it holds one record at a time, within `Limits`, writes nothing, never raises for what
a file contains, and yields a `Skip` with a short reason for every record that it cannot deliver.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from murk.envs import plugins


@dataclass(frozen=True, slots=True)
class Limits:
    """What a source may ask of the machine. Counted in bytes, so that every machine draws the same line.

    Attributes:
        record_bytes: Largest body of one record, compressed or not.
        file_bytes: Largest file that must be read whole (HAR, WACZ index).
        entries: Largest number of files in one archive or folder.
        ratio: Largest growth of a compressed file, once it is beyond `record_bytes`.
    """

    record_bytes: int = 16 << 20
    file_bytes: int = 256 << 20
    entries: int = 5_000_000
    ratio: int = 300


@dataclass(frozen=True, slots=True)
class Raw:
    """One capture as found in a source, its body not yet made readable.

    Attributes:
        url: Address as found; it is checked and made canonical by the build.
        body: Body as bytes, or text that is already readable.
        media: Media type without parameters, lower case: `text/html`, `text/plain`, `text/markdown`,
            `application/pdf`; empty where unknown.
        charset: Character set that the source declares, or empty.
        date: When it was captured, as YYYYMMDDhhmmss; 0 where unknown.
        title: Title, where the source gives one.
        links: Link targets with their texts, where the source gives them; else they are read from the body.
        pages: Character offsets of the pages of a long text, where the source gives them.
    """

    url: str
    body: bytes | str
    media: str
    charset: str = ""
    date: int = 0
    title: str = ""
    links: tuple[tuple[str, str], ...] | None = None
    pages: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is not imported: a short reason that is counted, and a detail for the curious."""

    reason: str
    detail: str = ""


@runtime_checkable
class Importer(Protocol):
    """Reads one kind of source."""

    def accepts(self, path: Path, head: bytes) -> bool:
        """Tells from the name and the first 512 bytes whether this importer reads the file."""
        ...

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        """Yields the captures of the file in its order."""
        ...


def importer_for(path: Path) -> Importer | None:
    """The first importer, by name, that accepts a path; None where there is none."""
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(512)
    for name in plugins.names("importers"):
        importer: Importer = plugins.load("importers", name)()
        if importer.accepts(path, head):
            return importer
    return None
