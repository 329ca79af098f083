"""Formats in which trajectories are exported: one file each, with one function `write`."""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from murk.envs.errors import UnknownName
from murk.envs.tasks import Task

FORMATS = {
    "sft": "chats, a JSON line each, for trainers",
    "browsecomp-plus": "run files that the evaluation of BrowseComp-Plus reads",
    "datasets": "a folder for Hugging Face datasets",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a format may tell of the run.

    Attributes:
        config: Of the run.
        tasks: Of the run, by id.
        about: What was chosen of it, in words.
        policies: Names of the policies of what is exported, sorted.
    """

    config: Mapping[str, Any]
    tasks: Mapping[str, Task]
    about: str
    policies: tuple[str, ...]


class Write(Protocol):
    """Writes rows of trajectories, each with its `reward` (a number, or None where it has none)."""

    def __call__(self, rows: Iterable[Mapping[str, Any]], out: Path, source: Source) -> None:
        """Makes the file or folder `out`.

        Args:
            rows: As `murk.rollout.rows` has them, by id; they may be taken once.

        Raises:
            UsageError: the format cannot hold them.
            OSError: the disk is full or fails.
        """
        ...


def writer(name: str) -> Write:
    """What writes a format.

    Raises:
        UnknownName: there is no such format.
    """
    if name not in FORMATS:
        raise UnknownName("format", name, FORMATS)
    write: Write = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").write
    return write
