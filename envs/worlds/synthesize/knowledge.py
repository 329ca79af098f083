"""Facts as a graph and a table: who is linked with whom, and what is stated about whom in which edition."""

from collections import deque
from collections.abc import Iterable, Mapping

from murk.envs.seeds import Draws
from murk.envs.worlds.facts import Fact, Relation


class Knowledge:
    """Facts, looked up.

    Attributes:
        relations: By name.
        subjects: Names of all subjects, in their first order.
    """

    def __init__(self, relations: Mapping[str, Relation], facts: Iterable[Fact]) -> None:
        self.relations = relations
        self._table: dict[tuple[str, str], dict[str, list[Fact]]] = {}
        self._subject_of: dict[str, str] = {}
        self._dates: dict[str, dict[str, None]] = {}
        self._members: dict[tuple[str, str], list[str]] = {}
        for fact in facts:
            self._table.setdefault((fact.subject, fact.relation), {}).setdefault(fact.edition, []).append(fact)
            self._subject_of.setdefault(fact.url, fact.subject)
            self._dates.setdefault(fact.url, {})[fact.edition] = None
        self._known = dict.fromkeys(subject for subject, _ in self._table)
        self.subjects = list(self._known)
        self._neighbours: dict[str, list[str]] = {}
        for subject, relation in self._table:
            for fact in self.at(subject, relation):
                if fact.object_url:
                    target = self._subject_of.get(fact.object_url, fact.object_url)
                    self._neighbours.setdefault(subject, []).append(target)
                    self._neighbours.setdefault(target, []).append(subject)
                    self._members.setdefault((relation, fact.object_url), []).append(subject)
        self._neighbours = {name: list(dict.fromkeys(linked)) for name, linked in self._neighbours.items()}

    def at(self, subject: str, relation: str, date: str | None = None) -> list[Fact]:
        """Facts of the newest edition that is not later than a date (None: of the newest); of one value, the first."""
        editions = self._table.get((subject, relation), {})
        known = [edition for edition in editions if date is None or edition <= date]
        if not known:
            return []
        by_value: dict[str, Fact] = {}
        for fact in editions[max(known)]:
            by_value.setdefault(fact.value, fact)
        return list(by_value.values())

    def one(self, subject: str, relation: str, date: str | None = None) -> Fact | None:
        """The one fact of a relation; None where there is none, or where there are several."""
        found = self.at(subject, relation, date)
        return found[0] if len(found) == 1 else None

    def all(self, subject: str, relation: str) -> list[Fact]:
        """The facts of all editions, oldest first."""
        editions = self._table.get((subject, relation), {})
        return [fact for edition in sorted(editions) for fact in editions[edition]]

    def editions(self, subject: str, relation: str) -> list[str]:
        """Dates of the editions that have the fact, oldest first."""
        return sorted(edition for edition in self._table.get((subject, relation), {}) if edition)

    def current(self, fact: Fact) -> bool:
        """Whether a fact comes from the newest edition of its page that states anything."""
        return fact.edition == max(self._dates[fact.url])

    def page_editions(self, url: str) -> list[str]:
        """Dates of the editions of a page that state anything, oldest first."""
        return sorted(date for date in self._dates[url] if date)

    def related(self, subject: str) -> list[Relation]:
        """The relations that a subject has values of, in the order of the relations."""
        return [relation for name, relation in self.relations.items() if (subject, name) in self._table]

    def subject_at(self, url: str | None) -> str | None:
        """The subject that a page is about."""
        return self._subject_of.get(url or "")

    def names(self, subject: str) -> list[str]:
        """The subject's name and its other names."""
        found = [subject]
        for relation in self.related(subject):
            found += [alias for fact in self.at(subject, relation.name)[:1] for alias in fact.subject_aliases]
        return list(dict.fromkeys(found))

    def members(self, relation: str, url: str) -> list[str]:
        """The subjects whose newest value of a relation is the entity with this page."""
        return list(dict.fromkeys(self._members.get((relation, url), [])))

    def degree(self, name: str) -> int:
        """Number of entities linked with one, in either direction."""
        return len(self._neighbours.get(name, ()))

    def neighbourhood(self, seed: str, size: int, hub: int) -> list[str]:
        """Subjects met breadth-first from a seed until `size` nodes are known; nodes of a degree over `hub` are cut."""
        found, queue = {seed: None}, deque([seed])
        while queue and len(found) < size:
            for name in self._neighbours.get(queue.popleft(), ()):
                if name not in found and self.degree(name) <= hub and len(found) < size:
                    found[name] = None
                    queue.append(name)
        return [name for name in found if name in self._known]


def subgraph(knowledge: Knowledge, seeds: list[str], draws: Draws, hub: int) -> list[str]:
    """The subjects of one subgraph: a random seed and what lies around it, 10 to 40 nodes."""
    return knowledge.neighbourhood(draws.pick(seeds), 10 + draws.below(31), hub)
