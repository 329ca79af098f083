"""Tasks: a question and all that is known about a good report on it. Policies see only part of that.

Files hold one JSON object a line; fields that murk does not know are kept.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from murk.envs.budget import Budget
from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError

_FIELDS = ("id", "question", "kind", "language", "as_of", "budget")
_MAX_LINE = 16 << 20
_HUGE = 1e300


@dataclass(frozen=True, slots=True)
class Criterion:
    """One statement about a good report; a negative weight marks a flaw.

    Attributes:
        check: How the rule judge decides it (`murk.rewards.judges.rule`); None where it needs another judge.
        role: `explicit`, `implicit` or `negative`.
        fatal: Whether the score is zero where a positive one is not met, or a flaw is there.
    """

    id: str
    text: str
    weight: float
    axis: str = ""
    role: str = "explicit"
    fatal: bool = False
    check: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any], number: int) -> "Criterion":
        """A criterion from JSON values, with a number for an id where it has none.

        Raises:
            UsageError: a field is missing or wrong; the message names it.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("text"), str):
            raise UsageError(f"criterion {number} is {str(data)[:80]!r}; allowed is a mapping with a text.")
        weight = data.get("weight")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < abs(weight) < _HUGE:
            raise UsageError(f"criterion {number}: weight is {weight!r}; allowed are finite numbers other than 0.")
        check = data.get("check")
        if check is not None and not isinstance(check, Mapping):
            raise UsageError(f"criterion {number}: check is {check!r}; allowed is a mapping.")
        role = str(data.get("role", "explicit" if weight > 0 else "negative"))
        axis, name = str(data.get("axis", "")), str(data.get("id", number))
        return cls(name, data["text"], float(weight), axis, role, bool(data.get("fatal", False)), check)


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        id: Unique within a file.
        question: What the agent is asked.
        kind: What sort of task it is, for tables.
        language: Of the question, as a tag such as `en`.
        as_of: Date that the question is about; None for the newest state.
        budget: Limits of the task's own, by field of `Budget`.
        rubric: Statements about a good report. Never shown to a policy.
        more: All other fields (answer, gold, claims, split, meta, ...). Never shown to a policy.
    """

    id: str
    question: str
    kind: str = ""
    language: str = "en"
    as_of: str | None = None
    budget: Mapping[str, float | None] = field(default_factory=dict)
    rubric: tuple[Criterion, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Task":
        """A task from JSON values.

        Raises:
            UsageError: a field is missing or has the wrong type; the message names it.
        """
        if not isinstance(data, Mapping):
            raise UsageError(f"a task is a mapping, not {type(data).__name__}.")
        known = {name: data[name] for name in _FIELDS if data.get(name) is not None}
        for name in ("id", "question"):
            if not isinstance(known.get(name), str) or not known[name].strip():
                raise UsageError(f"task field {name!r} is {known.get(name)!r}; allowed is a text that is not empty.")
        for name in ("kind", "language", "as_of"):
            if not isinstance(known.get(name, ""), str):
                raise UsageError(f"task {known['id']}: field {name!r} is {known[name]!r}; allowed is a text.")
        if not isinstance(known.get("budget", {}), Mapping):
            raise UsageError(f"task {known['id']}: field 'budget' must be a mapping.")
        try:
            Budget.of(known.get("budget"))
        except UsageError as error:
            raise UsageError(f"task {known['id']}: {error}") from None
        rubric = data.get("rubric") or []
        if not isinstance(rubric, list | tuple):
            raise UsageError(f"task {known['id']}: field 'rubric' must be a list of criteria.")
        try:
            criteria = tuple(Criterion.of(entry, number) for number, entry in enumerate(rubric))
        except UsageError as error:
            raise UsageError(f"task {known['id']}: {error}") from None
        more = {name: value for name, value in data.items() if name not in (*_FIELDS, "rubric")}
        return cls(**known, rubric=criteria, more=more)


def read_tasks(source: str | Path | Iterable[Mapping[str, Any]] | Mapping[str, Task]) -> Mapping[str, Task]:
    """Tasks by id, from a JSONL file or from mappings, in their order; what this gave before is taken as it is.

    Raises:
        UsageError: the file cannot be read, a line is no task, or two tasks have one id.
    """
    if isinstance(source, Mapping):
        if not source or not all(isinstance(task, Task) for task in source.values()):
            raise UsageError(f"tasks are {str(source)[:80]}; allowed are a file, mappings, or Task by id.")
        return source
    if not isinstance(source, str | Path | Iterable):
        raise UsageError(f"tasks are {source!r}; allowed are a file, mappings, or Task by id.")
    where = str(source) if isinstance(source, str | Path) else "the list"
    tasks: dict[str, Task] = {}
    rows: Iterable[tuple[int, Any]]
    rows = _lines(Path(source)) if isinstance(source, str | Path) else enumerate(source, 1)
    for number, row in rows:
        try:
            task = Task.of(row)
            canonical_json(row).encode()
        except UnicodeEncodeError:
            raise UsageError(f"task {number} of {where} holds half a surrogate pair, which is no text.") from None
        except UsageError as error:
            raise UsageError(
                f"task {number} of {source if isinstance(source, str | Path) else 'the list'}: {error}"
            ) from None
        if task.id in tasks:
            raise UsageError(f"two tasks have the id {task.id!r}.")
        tasks[task.id] = task
    if not tasks:
        raise UsageError(f"no tasks in {where}.")
    return tasks


def task_row(task: Task) -> dict[str, Any]:
    """A task as JSON values, as task files have it."""
    row = {name: value for name, value in asdict(task).items() if name not in ("rubric", "more") and value}
    return row | {"rubric": [asdict(criterion) for criterion in task.rubric]} | dict(task.more)


def write_tasks(path: Path, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Writes tasks, or other mappings, as JSONL; the same tasks give the same bytes.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    lines = b"".join(canonical_json(task).encode() + b"\n" for task in tasks)
    try:
        with path.open("xb") as file:
            file.write(lines)
    except FileExistsError:
        raise UsageError(f"{path} exists already; nothing is overwritten.") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}.") from None


def _lines(path: Path) -> Iterable[tuple[int, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1):
                if line.strip():
                    yield number, json.loads(line)
    except OSError as error:
        raise UsageError(f"cannot read tasks from {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: a line is no JSON: {str(error)[:100]}.") from None
