"""Facts: what a world's pages state, as triples, from which tasks with exact rubrics are made.

A file of facts is JSONL, plain or gzip. Its first line may be `{"relations": {name: {...}}}`, how the relations are
worded; each other line is a `Fact`. A snapshot made from facts carries the file under the name `facts.jsonl.gz`.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from murk.envs.codec import build, canonical_json, encode
from murk.envs.errors import UsageError

NAME = "facts.jsonl.gz"
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Relation:
    """How a relation is worded, and what its values are.

    Attributes:
        name: As facts name it.
        phrase: Noun phrase by language, as in "the {phrase} of X": `{"en": "head of government"}`.
        kind: What values are: `entity` (has a page), `name`, `number`, `date` or `text`.
        subject: What subjects are, by language, as in "which {subject}": `{"en": "country"}`.
        many: Whether a subject may have several values at one time.
        changes: Whether values change from edition to edition, so that a question needs a date.
        tolerance: Relative error of a number that still counts as right.
        asked: Whether its value makes a question of its own; False where it only groups or joins subjects.
        telling: Whether a value that only one subject has may stand for the subject in a question; False where some
            subjects' values are left out of the facts.
        questions: Question templates by language, for a present value, with `{subject}`; empty for "What is the
            {phrase} of {subject}?".
        members: How the subjects that share a value are named, by language, with `{value}`, as in "countries in the
            region {value}"; for a relation with many values, how the values of a subject are, with `{subject}`.
        foremost: With many values that carry numbers: names the one with the greatest, by language, with `{subject}`,
            as in "the country with which {subject} shares its longest border".
        degrees: Of numbers, the words for more, less, most and least, by language: `("longer", "shorter", "longest",
            "shortest")`.
    """

    name: str
    phrase: Mapping[str, str]
    kind: str = "text"
    subject: Mapping[str, str] = field(default_factory=dict)
    many: bool = False
    changes: bool = False
    tolerance: float = 0.01
    asked: bool = True
    telling: bool = True
    questions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    foremost: Mapping[str, str] = field(default_factory=dict)
    degrees: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, as one edition of a page states it.

    Attributes:
        subject: Name of what it is about.
        url: Page that states it.
        relation: Name of the relation.
        value: As the page has it.
        edition: Date of the capture that states it, `YYYY-MM-DD`; empty for pages without one.
        number: The value as a number, scaled; None where it is none.
        unit: Of the number.
        object_url: Page of the entity that the value names.
        aliases: Other spellings of the value that count as right.
        subject_aliases: Other names of the subject.
        sources: Further pages that state it.
        as_of: Date from which the value holds, where the page gives one.
        shown: How questions and answers write the value; empty for as the page has it.
    """

    subject: str
    url: str
    relation: str
    value: str
    edition: str = ""
    number: float | None = None
    unit: str | None = None
    object_url: str | None = None
    aliases: tuple[str, ...] = ()
    subject_aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    as_of: str = ""
    shown: str = ""


def write_facts(path: Path, relations: Iterable[Relation], facts: Iterable[Fact]) -> None:
    """Writes a gzip file of facts; the same facts give the same bytes."""
    empty = {f.name: f.default for f in fields(Fact)}
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        worded = {relation.name: _stored(relation) for relation in relations}
        file.write(canonical_json({"relations": worded}).encode() + b"\n")
        for fact in facts:
            row = {name: value for name, value in _stored(fact).items() if value != _plain(empty.get(name))}
            file.write(canonical_json(row).encode() + b"\n")


def read_facts(path: Path) -> tuple[dict[str, Relation], list[Fact]]:
    """Reads a file of facts: the relations by name (those without a wording are worded by their name), and the facts.

    Raises:
        UsageError: the file cannot be read, or a line is no fact; the message names the line.
    """
    relations: dict[str, Relation] = {}
    facts = []
    for number, row in _rows(path):
        try:
            if "relations" in row:
                relations = {name: build(Relation, {"name": name, **more}) for name, more in row["relations"].items()}
            else:
                facts.append(build(Fact, row))
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"{path}, line {number}: {error}.") from None
    for fact in facts:
        if fact.relation not in relations:
            kind = "entity" if fact.object_url else "number" if fact.number is not None else "text"
            relations[fact.relation] = Relation(fact.relation, {"en": fact.relation.replace("_", " ")}, kind)
    return relations, facts


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if zipped else raw
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1):
                row = json.loads(line) if line.strip() else None
                if isinstance(row, dict):
                    yield number, row
                elif row is not None:
                    raise UsageError(f"{path}, line {number}: a fact is a mapping, not {type(row).__name__}.")
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read facts from {path}: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: a line is no JSON: {str(error)[:100]}.") from None


def _stored(record: Any) -> dict[str, Any]:
    return {name: value for name, value in encode(record).items() if name != "type"}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
