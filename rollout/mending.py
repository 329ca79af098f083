"""Setting aside what is damaged in the folder of a run, so that its episodes count as missing and can be run again."""

import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from murk.envs.errors import UsageError
from murk.rollout.compaction import write_scores
from murk.rollout.journal import decode_line
from murk.rollout.rows import from_row
from murk.rollout.tables import damage, replace_synced, row_count, sync_folder, tables

if TYPE_CHECKING:
    from murk.rollout.store import Store

_KINDS = {"trajectories": ("episodes", "count as missing"), "pages": ("texts of pages", "are lost")}
_SHOWN = 10


@cache
def tell(sentence: str) -> None:
    """Says something on standard error, once."""
    print(f"murk: {sentence}", file=sys.stderr)


def mend(store: "Store") -> list[str]:
    """Sets aside what is damaged in a run that is at rest; what was found, in sentences, which are told, too."""
    found = [*_mend_tables(store.folder), *(line for journal in store.journals() for line in _mend_journal(journal))]
    if found:
        index = store.index()
        write_scores(store.folder, {name: score for name, score in store.scores().items() if name in index})
        found += lost_pages(store)
    for sentence in found:
        print(f"murk: {sentence}", file=sys.stderr)
    return found


def check_sound(store: "Store") -> None:
    """Refuses a run that `mend` would have to mend.

    Raises:
        UsageError: a file is damaged.
    """
    for kind in _KINDS:
        for table in tables(store.folder / kind):
            if (wrong := damage(table)) is not None:
                _refuse(table, wrong, store.folder)
    for journal in store.journals():
        if not all(good for _, good in _lines(journal)):
            _refuse(journal, "not all its lines are whole", store.folder)


def _refuse(path: Path, wrong: str, folder: Path) -> None:
    raise UsageError(f"{path} is damaged: {wrong}; murk rollout resume={folder} mends the run.")


def lost_pages(store: "Store") -> list[str]:
    """A sentence that tells the trajectories some of whose pages' texts are lost; nothing where none is."""
    texts = {text["digest"] for text in store.texts()}
    lost = [
        row["id"]
        for row in store.rows(["id", "pages"])
        if any(digest not in texts for _, digest in json.loads(row["pages"]))
    ]
    if not lost:
        return []
    names = ", ".join(sorted(lost)[:_SHOWN]) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
    return [f"texts of pages are lost to {len(lost)} trajectories, which cannot be scored again: {names}."]


def _mend_tables(folder: Path) -> Iterator[str]:
    for kind, (what, fate) in _KINDS.items():
        for table in tables(folder / kind):
            if (wrong := damage(table)) is not None:
                count = row_count(table)
                aside = _aside(table, folder)
                os.replace(table, aside)
                sync_folder(aside.parent)
                many = f"its {what} {fate}" if count is None else f"its {count} {what} {fate}"
                yield f"{table} is damaged: {wrong}; it is set aside in {folder / 'damaged'}, and {many}."


def _mend_journal(journal: Path) -> Iterator[str]:
    """Leaves the good lines of a journal, and all of it aside, where some are damaged."""
    ends = [(good, line[-1:]) for line, good in _lines(journal)]
    bad = [end for good, end in ends if not good]
    if not bad:
        return
    clean = journal.with_suffix(".partial")
    with clean.open("wb") as file:
        file.writelines(line for line, good in _lines(journal) if good)
    aside = _aside(journal, journal.parent.parent)
    os.link(journal, aside)
    replace_synced(clean, journal)
    torn = len(bad) == 1 and bad[0] != b"\n"
    what = "ends in the middle of a line" if torn else f"is damaged in {len(bad)} of its {len(ends)} lines"
    yield f"{journal} {what}; it is set aside in {aside.parent}, the rest stays, and {len(bad)} episodes are missing."


def _lines(journal: Path) -> Iterator[tuple[bytes, bool]]:
    """The lines of a journal, and whether each holds an entry; where reading fails, the rest is one bad line."""
    try:
        with journal.open("rb") as file:
            for line in file:
                yield line, _is_entry(line)
    except OSError:
        yield b"", False


def _is_entry(line: bytes) -> bool:
    entry = decode_line(line)
    try:
        return entry is not None and from_row(entry["row"]) is not None and entry.keys() >= {"pages", "score"}
    except (ValueError, KeyError):
        return False


def _aside(path: Path, folder: Path) -> Path:
    """A free place in `damaged/` for a file."""
    target = folder / "damaged"
    target.mkdir(exist_ok=True)
    sync_folder(folder)
    name = f"{path.parent.name}-{path.name}"
    number = sum(other.name.startswith(name) for other in target.iterdir())
    return target / (f"{name}.{number}" if number else name)
