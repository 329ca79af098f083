"""Generated worlds: a snapshot of an invented web, with the facts that its pages state.

Everything is a pure function of the seed: the same seed gives the same pages, facts and digest on every machine, and
pages are written one by one, so that only the build of the snapshot takes memory. See `murk.envs.worlds.invented`.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from murk.envs.codec import build
from murk.envs.errors import UnknownName, UsageError
from murk.envs.web.build import Options, Report, freeze
from murk.envs.web.importers import Raw
from murk.envs.worlds.facts import NAME, Fact, write_facts
from murk.envs.worlds.invented.dossier import Plan, facts
from murk.envs.worlds.invented.names import LANGUAGES
from murk.envs.worlds.invented.relations import RELATIONS
from murk.envs.worlds.invented.sites import AUTHORITY

__all__ = ["MAX_PAGES", "MIN_PAGES", "RELATIONS", "Generated", "generate"]

MIN_PAGES, MAX_PAGES = 100, 1_000_000
LICENCE = "CC0-1.0: invented text, made by murk"


@dataclass(frozen=True, slots=True)
class Generated:
    """What was made: the report of the build, and the number of facts."""

    report: Report
    facts: int


def generate(
    out: Path,
    pages: int,
    seed: int,
    languages: Sequence[str] = ("en",),
    workers: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Generated:
    """Builds a snapshot of an invented web.

    Args:
        out: Folder to make; it must not exist.
        pages: Number of pages, 100 to 1,000,000; each has one capture.
        seed: What the world depends on, with `pages` and `languages`.
        languages: `en`, `zh`, `es`, each at most once. Each country publishes in one of them; a third of the entities
            has articles in two. The first is the one in which facts name their subjects.
        workers: Processes that build; 0 for one a core. The result does not depend on it.
        progress: Called with a stage, how many pages are done, and of how many (0: unknown).

    Raises:
        UsageError: `out` exists, or an argument is out of range.
    """
    _check(pages, languages)
    plan = Plan(pages, seed, tuple(languages))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".facts", dir=out.parent) as folder:
        stream = _Stream(plan, Path(folder))
        options = Options(
            workers,
            licence=LICENCE,
            authority=AUTHORITY,
            facts=stream.file,
            progress=lambda stage, done, total: progress(stage, done, total or pages),
        )
        name = f"murk world: {pages} pages, seed {seed}, {' '.join(languages)}"
        report = freeze(stream, out, options, [name])
    return Generated(report, stream.facts)


class _Stream:
    """The pages of a world one by one. Their facts are set aside, and are in the file once all pages are out."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.facts = plan, 0
        self.file, self._aside = folder / NAME, folder / "aside"

    def __iter__(self) -> Iterator[Raw]:
        with self._aside.open("w", encoding="utf-8") as aside:
            for entity in self.plan.entities():
                pages = list(self.plan.pages(entity))
                yield from (page.raw for page in pages)
                for fact in facts(self.plan.world, entity, pages):
                    aside.write(json.dumps(asdict(fact)) + "\n")
                    self.facts += 1
        yield from (page.raw for page in self.plan.fronts())
        with self._aside.open(encoding="utf-8") as aside:
            write_facts(self.file, RELATIONS, (build(Fact, json.loads(line)) for line in aside))


def _check(pages: int, languages: Sequence[str]) -> None:
    if not MIN_PAGES <= pages <= MAX_PAGES:
        raise UsageError(f"pages is {pages}; allowed are {MIN_PAGES:,} to {MAX_PAGES:,}.")
    for language in languages:
        if language not in LANGUAGES:
            raise UnknownName("language", language, LANGUAGES)
    if not languages or len(set(languages)) != len(languages):
        raise UsageError(f"languages are {','.join(languages) or 'none'}; give at least one, and each once.")
