"""Tasks from facts: questions with exact answers, gold pages, rubrics and false claims, on any snapshot with facts.

By the recipe of Step-DeepResearch (arXiv 2512.20491): the facts that link entities form a graph; from a seed of degree
3 to 10 a subgraph of 10 to 40 nodes is grown breadth-first, nodes of very high degree left out; tasks are made from the
facts of the subgraph, answers first, questions from them. What is ambiguous is refused, and every refusal has a reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from murk.envs.errors import UnknownName, UsageError
from murk.envs.seeds import Draws, derive
from murk.envs.web.snapshot import Snapshot
from murk.envs.worlds.facts import NAME, read_facts
from murk.envs.worlds.synthesize.contests import aggregation, comparison
from murk.envs.worlds.synthesize.draft import Desk, Draft, Refusal
from murk.envs.worlds.synthesize.evidence import Evidence
from murk.envs.worlds.synthesize.filters import Seen
from murk.envs.worlds.synthesize.knowledge import Knowledge
from murk.envs.worlds.synthesize.lookups import multi_hop, single_hop, temporal
from murk.envs.worlds.synthesize.reports import finish_report, report
from murk.envs.worlds.synthesize.rubric import finish
from murk.envs.worlds.synthesize.split import split_by_entities
from murk.envs.worlds.synthesize.wording import Wording

__all__ = ["KINDS", "Synthesis", "split_by_entities", "synthesize"]

KINDS: Mapping[str, Callable[[Desk], Draft | Refusal]] = {
    "single_hop": single_hop,
    "multi_hop": multi_hop,
    "comparison": comparison,
    "aggregation": aggregation,
    "temporal": temporal,
    "report": report,
}
SEED_DEGREES, HUB = (3, 10), 1_000
_TRIES, _PATIENCE = 20, 2_000


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What was made.

    Attributes:
        tasks: As JSON values (design section 14), the kinds in turn, so that the first n are a balanced set.
        discards: What was refused and why, in the order of trying.
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)
    discards: list[tuple[str, str]] = field(default_factory=list)


def synthesize(
    snapshot: Snapshot | Path | None,
    count: int,
    seed: int,
    facts: Path | None = None,
    kinds: Sequence[str] | None = None,
    language: str | None = None,
    hub: int = HUB,
) -> Synthesis:
    """Makes tasks from facts.

    Args:
        snapshot: The pages that state the facts, or None to make tasks without gold quotes.
        count: Number of tasks wanted, in equal shares of the kinds; fewer come where the facts hold no more.
        seed: All choices follow from it.
        facts: File of facts; None for the one that the snapshot carries.
        kinds: Names of `KINDS`; None for all.
        language: Of the questions: `en`, `zh` or `es`; None for `en`.
        hub: Nodes with more links than this are left out of subgraphs.

    Raises:
        UnknownName: an unknown kind or language.
        UsageError: there are no facts.
    """
    for kind in kinds or ():
        if kind not in KINDS:
            raise UnknownName("kind of task", kind, list(KINDS))
    world = Snapshot.open(snapshot) if isinstance(snapshot, Path) else snapshot
    path = facts or (world.folder / NAME if world else None)
    if path is None:
        raise UsageError("there are no facts: give a file of facts, or a snapshot that carries one.")
    relations, known = read_facts(path)
    if not known:
        raise UsageError(f"{path} holds no facts.")
    wording = Wording(language or "en", editions=not any(fact.as_of for fact in known))
    run = _Run(Knowledge(relations, known), wording, Evidence(world), seed, hub)
    return run.make(count, list(kinds or KINDS))


class _Run:
    def __init__(self, knowledge: Knowledge, wording: Wording, evidence: Evidence, seed: int, hub: int) -> None:
        self.knowledge, self.wording, self.evidence, self.seed, self.hub = knowledge, wording, evidence, seed, hub
        low, high = SEED_DEGREES
        fit = [name for name in knowledge.subjects if low <= knowledge.degree(name) <= high]
        # A world too small or too sparse for such seeds is walked from every subject.
        self.seeds = fit or knowledge.subjects
        self.seen = Seen()
        self.made = Synthesis()

    def make(self, count: int, kinds: list[str]) -> Synthesis:
        quota = {kind: count // len(kinds) + (i < count % len(kinds)) for i, kind in enumerate(kinds)}
        misses = dict.fromkeys(kinds, 0)
        while any(quota.values()):
            for kind in kinds:
                if not quota[kind]:
                    continue
                if self._one(kind):
                    quota[kind], misses[kind] = quota[kind] - 1, 0
                elif misses[kind] > _PATIENCE:
                    self._discard(kind, f"the facts hold no more: {quota[kind]} fewer than wanted")
                    quota[kind] = 0
                else:
                    misses[kind] += _TRIES
        return self.made

    def _one(self, kind: str) -> bool:
        """Adds one task of a kind, from the first of some subgraphs that gives one."""
        for _ in range(_TRIES):
            draws = Draws(derive(self.seed, kind, len(self.made.tasks), len(self.made.discards)))
            nodes = self.knowledge.neighbourhood(draws.pick(self.seeds), 10 + draws.below(31), self.hub)
            desk = Desk(self.knowledge, self.wording, nodes, draws)
            draft = KINDS[kind](desk)
            if isinstance(draft, str):
                self._discard(kind, draft)
                continue
            task = (finish_report if kind == "report" else finish)(kind, draft, desk, self.evidence)
            reason = task if isinstance(task, str) else self.seen.refuses(task)
            if isinstance(task, dict) and not reason:
                self.made.tasks.append(task)
                return True
            self._discard(draft.question, reason)
        return False

    def _discard(self, what: str, reason: str) -> None:
        self.made.discards.append((what, reason))
