"""A real world with exact answers: the World Factbook in four dated editions beside Wikipedia articles of 2007.

The pages come from `factbook/pages.jsonl.gz` and `wikispeedia/pages.jsonl.gz` of the data folder, the facts from
`factbook/facts.jsonl.gz`, as `factbook_values` reads them.
"""

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.web.build import Options, Report, build
from murk.envs.worlds.factbook_relations import RELATIONS
from murk.envs.worlds.factbook_values import readings, subject_names
from murk.envs.worlds.facts import Fact, write_facts

_SITE = "https://www.cia.gov/the-world-factbook"


def build_factbook(
    data: Path,
    out: Path,
    workers: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Report:
    """Builds one snapshot of the Factbook and the Wikipedia articles, with facts.

    Args:
        data: The data folder, with `factbook` and `wikispeedia` in it.
        out: Folder to make; it must not exist.
        workers: Number of processes; 0 for one a core.
        progress: As of `murk.envs.web.build.Options`.

    Returns:
        The report of the build; `skipped` counts the facts that were left out, too.

    Raises:
        UsageError: a source is missing, or `out` exists.
    """
    pages = [data / "factbook/pages.jsonl.gz", data / "wikispeedia/pages.jsonl.gz"]
    facts, skipped = factbook_facts(data / "factbook")
    licence = "World Factbook: public domain; Wikipedia 2007: CC-BY-SA-3.0"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.jsonl.gz"
        write_facts(path, RELATIONS, facts)
        report = build(pages, out, Options(workers=workers, licence=licence, facts=path, progress=progress))
    return replace(report, skipped=report.skipped | {f"fact, {reason}": n for reason, n in skipped.items()})


def factbook_facts(folder: Path) -> tuple[list[Fact], dict[str, int]]:
    """The facts that can be checked exactly, and how many values were left out, by reason.

    Raises:
        UsageError: a file is missing or cannot be read.
    """
    skipped: Counter[str] = Counter()
    facts: list[Fact] = []
    for row in _rows(folder / "facts.jsonl.gz"):
        named = subject_names(row["subject"])
        if named is None:
            skipped["subject without a usable name"] += 1
            continue
        found = readings(row)
        if isinstance(found, str):
            skipped[f"{row['relation']}: {found}"] += 1
            continue
        more = {"subject": named[0], "subject_aliases": named[1], "url": row["url"], "edition": row["edition"]}
        facts += [replace(_sourced(fact), **more) for fact in found]
    facts += _regions(folder / "pages.jsonl.gz", facts)
    return facts, dict(sorted(skipped.items()))


def _sourced(fact: Fact) -> Fact:
    """The country comparisons state the numbers, too."""
    if fact.number is None or fact.relation == "borders":
        return fact
    field = "highest point" if fact.relation.startswith("elevation of") else fact.relation
    slug = "-".join(field.lower().replace("(", "").replace(")", "").split())
    return replace(fact, sources=(f"{_SITE}/field/{slug}/country-comparison/",))


def _regions(path: Path, facts: list[Fact]) -> Iterator[Fact]:
    countries = {fact.url: fact for fact in reversed(facts)}
    for row in _rows(path):
        # The page of one country of the Middle East carries no name, so that its group would not be complete.
        if "/regions/" in row["url"] and "/middle-east/" not in row["url"]:
            raw = row["title"].removesuffix(" - The World Factbook")
            shown = (
                raw.replace(" N ", " and ")
                .replace("Australia ", "Australia and ")
                .replace("America and", "America and the")
            )
            for target in row["links"]:
                if target in countries:
                    known = countries[target]
                    yield Fact(
                        known.subject, known.url, "region", raw, row["date"], object_url=row["url"],
                        aliases=(shown,), subject_aliases=known.subject_aliases, sources=(row["url"],), shown=shown,
                    )  # fmt: skip


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}.") from None
