"""Formats of task files that others publish, one file each: each turns a record of its format into a task.

A record that is broken is never fatal: it is counted with its reason and place. A new format is one file with a
function from a record to a task as JSON values, and one line in `FORMATS`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from murk.envs.errors import UnknownName, UsageError
from murk.envs.task_formats import creak, deepresearchbench, qa, researchrubrics, scholarqa, strategyqa
from murk.envs.task_formats.rows import MAX_BYTES, Broken, Row, rows
from murk.envs.tasks import Task

Convert = Callable[[Row], dict[str, Any]]

FORMATS: Mapping[str, Callable[[Path], Convert]] = {
    "creak": lambda path: creak.task,
    "deepresearchbench": deepresearchbench.reader,
    "qa": lambda path: qa.task,
    "researchrubrics": lambda path: researchrubrics.task,
    "scholarqa": lambda path: scholarqa.task,
    "strategyqa": lambda path: strategyqa.task,
}
_EXAMPLES, _MAX_ID = 3, 200


@dataclass(slots=True)
class Imported:
    """What a file gave.

    Attributes:
        tasks: Tasks as JSON values, in the order of the file.
        skipped: Number of records left out, by reason.
        examples: The first of them, as place and detail, by reason.
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, line: int, broken: Broken) -> None:
        """Counts a record that is left out."""
        self.skipped[broken.reason] += 1
        examples = self.examples.setdefault(broken.reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"line {line}: {broken.detail}".removesuffix(": "))


def read_format(name: str, path: Path) -> Iterator[dict[str, Any]]:
    """The tasks of a file as `import_tasks` gives them, without a word about the records left out."""
    return iter(import_tasks(name, path).tasks)


def import_tasks(name: str, path: Path) -> Imported:
    """Reads a file of tasks in a format of `FORMATS`.

    Raises:
        UnknownName: no such format.
        UsageError: the file cannot be read, or no record of it is usable.
    """
    if name not in FORMATS:
        raise UnknownName("task format", name, FORMATS)
    convert, found, taken = FORMATS[name](path), Imported(), dict[str, str]()
    for line, row in rows(path):
        try:
            if isinstance(row, Broken):
                raise row
            found.tasks.append(_finished(name, convert(row), taken))
        except Broken as broken:
            found.skip(line, broken)
    if not found.tasks:
        reasons = "; ".join(f"{why} ({count}, {found.examples[why][0]})" for why, count in found.skipped.items())
        raise UsageError(f"no usable record of format {name} in {path}: {reasons or 'it is empty'}.")
    return found


def _finished(name: str, made: dict[str, Any], taken: dict[str, str]) -> dict[str, Any]:
    """The task under an id of its own, if it is a task.

    Args:
        name: Of the format.
        made: The task, its id that of the source or None.
        taken: The tasks so far as JSON, without their ids, by id; this one is added.
    """
    given = made.pop("id", None)
    try:
        content = json.dumps(made, ensure_ascii=False, sort_keys=True, allow_nan=False)
        if len(content.encode()) > MAX_BYTES:
            raise Broken("larger than 16 MiB")
    except UnicodeEncodeError:
        raise Broken("not Unicode text") from None
    except (ValueError, RecursionError):
        raise Broken("not JSON", "a number is not finite, or the nesting is too deep") from None
    own = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    usable = 0 < len(own) <= _MAX_ID and own.isprintable()
    known = f"{name}-{own if usable else _digest(str(made.get('question')))}"
    if known in taken and taken[known] != content:
        known += f"-{_digest(content)}"
    if known in taken:
        raise Broken("a record that was there before", known)
    try:
        Task.of({"id": known, **made})
    except UsageError as error:
        raise Broken("not a task", str(error)) from None
    taken[known] = content
    return {"id": known, **made}


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()
