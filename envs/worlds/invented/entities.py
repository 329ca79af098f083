"""The entities of an invented world and who is what to whom, each a pure function of the seed and its number.

Entities come in groups of 28: three towns, four firms, fourteen persons, three works, two structures and two events.
A role links groups by an affine map of their numbers (`names.scattered`), which can be reversed: so a town knows the
firms that sit in it though nothing is held in memory. Some links go to hubs instead, towns near the front of the list.
"""

from dataclasses import dataclass
from typing import NamedTuple

from murk.envs.seeds import Draws
from murk.envs.worlds.invented.names import gathered, scattered

EDITIONS = (2021, 2023, 2025)
NEWEST = len(EDITIONS) - 1
PER_GROUP = {"town": 3, "firm": 4, "person": 14, "work": 3, "structure": 2, "event": 2}
_SUCCESSORS = {"mayor": (7,), "chief": (8, 9)}
SECTORS = ("publishing", "optics", "construction", "shipping", "ceramics", "software", "brewing", "textiles", "timber")
_FIELDS = {
    **dict.fromkeys((0, 1, 2, 7), ("law", "public administration", "teaching", "agronomy")),
    **dict.fromkeys((3, 4, 5, 6, 8, 9), ("finance", "engineering", "logistics", "marketing", "chemistry")),
    10: ("fiction", "poetry", "drama"),
    11: ("history", "marine biology", "linguistics", "astronomy", "geology"),
    12: ("bridge engineering", "architecture", "hydraulic engineering"),
    13: ("rowing", "cycling", "long-distance running", "chess", "cello"),
}
_GENRES = {
    0: ("novel", "short stories", "poems", "play"),
    1: ("study", "field guide", "essays"),
    2: ("novel", "memoir"),
}
STRUCTURES = (("bridge", "tunnel", "tower", "dam"), ("river", "river", "observatory", "lighthouse"))
EVENTS = {
    "rowing": "regatta",
    "cycling": "cycle race",
    "long-distance running": "marathon",
    "chess": "chess open",
    "cello": "music festival",
}
CURRENCIES = ("crown", "florin", "thaler", "ducat", "mark", "lira")


class Entity(NamedTuple):
    """An entity: its kind and its number among its kind."""

    kind: str
    number: int


@dataclass(frozen=True)
class World:
    """The size of an invented world, and what holds in it."""

    seed: int
    groups: int
    languages: tuple[str, ...] = ("en",)

    def count(self, kind: str) -> int:
        """How many entities of a kind there are."""
        if kind == "region":
            return max(len(self.languages), self.groups // 2)
        if kind == "country":
            return max(len(self.languages), self.count("region") // 5)
        return self.groups * PER_GROUP[kind]

    def draws(self, entity: Entity, purpose: str) -> Draws:
        """The choices about an entity for one purpose."""
        return Draws(self.seed, purpose, entity.kind, entity.number)

    def region_of(self, town: Entity) -> Entity:
        """The region of a town: regions are runs of towns."""
        return Entity("region", town.number * self.count("region") // self.count("town"))

    def country_of(self, region: Entity) -> Entity:
        """The country of a region: countries are runs of regions."""
        return Entity("country", region.number * self.count("country") // self.count("region"))

    def towns_of(self, region: Entity) -> list[Entity]:
        """The towns of a region."""
        return [Entity("town", i) for i in _run(region.number, self.count("region"), self.count("town"))]

    def regions_of(self, country: Entity) -> list[Entity]:
        """The regions of a country."""
        return [Entity("region", i) for i in _run(country.number, self.count("country"), self.count("region"))]

    def home(self, entity: Entity) -> Entity:
        """The country that an entity belongs to."""
        if entity.kind == "country":
            return entity
        if entity.kind == "region":
            return self.country_of(entity)
        if entity.kind == "town":
            return self.country_of(self.region_of(entity))
        if entity.kind == "work":
            return self.home(self.author(entity))
        return self.home(self.town_of(entity))

    def language(self, entity: Entity) -> str:
        """The language of the country that an entity belongs to."""
        return self.languages[self.home(entity).number % len(self.languages)]

    def town_of(self, entity: Entity) -> Entity:
        """Where a person was born, a firm sits, a structure stands or an event was held."""
        draws = self.draws(entity, "town")
        if draws.uniform() < 0.15:
            share = draws.uniform()
            return Entity("town", int(self.count("town") * share * share * share * share))
        return self.member(entity, "town", entity.kind, draws.below(3))

    def dwellers(self, town: Entity, kind: str) -> list[Entity]:
        """The entities of a kind, up to those of one group, whose town this is (but for the many of a hub)."""
        group = gathered(town.number // 3, self.groups, self.seed, f"town {kind}")
        first = group * PER_GROUP[kind]
        found = (Entity(kind, first + i) for i in range(PER_GROUP[kind]))
        return [entity for entity in found if self.town_of(entity) == town]

    def leader(self, entity: Entity, edition: int) -> Entity:
        """The mayor of a town or the chief executive of a firm."""
        role = "mayor" if entity.kind == "town" else "chief"
        place = entity.number % PER_GROUP[entity.kind]
        successor, since = self._succession(entity.number // PER_GROUP[entity.kind], role).get(place, (0, 9))
        return self.member(entity, "person", role, successor if edition >= since else place + 3 * (role == "chief"))

    def led(self, person: Entity, edition: int) -> Entity | None:
        """The town or firm that a person leads."""
        for role, kind in (("mayor", "town"), ("chief", "firm")):
            group = gathered(person.number // 14, self.groups, self.seed, f"person {role}")
            for i in range(PER_GROUP[kind]):
                entity = Entity(kind, group * PER_GROUP[kind] + i)
                if self.leader(entity, edition) == person:
                    return entity
        return None

    def _succession(self, group: int, role: str) -> dict[int, tuple[int, int]]:
        """Which places of a group change their leader: to which position, from which edition."""
        draws = Draws(self.seed, "succession", role, group)
        places = draws.sample(range(4 if role == "chief" else 3), len(_SUCCESSORS[role]))
        return {
            place: (position, 1 + draws.below(2)) for place, position in zip(places, _SUCCESSORS[role], strict=True)
        }

    def member(self, entity: Entity, kind: str, role: str, place: int) -> Entity:
        """Who has a role for an entity: the one at a place of the group that the role links with the entity's."""
        group = scattered(entity.number // PER_GROUP[entity.kind], self.groups, self.seed, f"{kind} {role}")
        return Entity(kind, group * PER_GROUP[kind] + place)

    def born(self, person: Entity) -> int:
        """Year of birth."""
        return 1944 + self.draws(person, "born").below(46)

    def founder(self, firm: Entity) -> Entity:
        """Who founded a firm."""
        return self.member(firm, "person", "founder", (3, 5, 11, 12)[firm.number % 4])

    def founded(self, firm: Entity) -> int:
        """When a firm was founded: by an adult, and before 2016."""
        first = self.born(self.founder(firm)) + 22
        return first + self.draws(firm, "founded").below(2016 - first)

    def sector(self, firm: Entity) -> str:
        """What a firm does; in each group there is a publisher and a builder."""
        place = firm.number % 4
        return SECTORS[place] if place in (0, 2) else self.draws(firm, "sector").pick(SECTORS)

    def author(self, work: Entity) -> Entity:
        """Who wrote a work."""
        return self.member(work, "person", "author", (10, 11, 10)[work.number % 3])

    def winner(self, event: Entity) -> Entity:
        """Who won an event: its kind follows from what they do."""
        return self.member(event, "person", f"winner {event.number % 2}", 13)

    def field(self, person: Entity) -> str:
        """What a person works in."""
        return self.draws(person, "field").pick(_FIELDS[person.number % 14])

    def variety(self, entity: Entity) -> str:
        """The kind of a structure (bridge, river ...), event, or work; elsewhere the kind of the entity."""
        if entity.kind == "structure":
            return self.draws(entity, "variety").pick(STRUCTURES[entity.number % 2])
        if entity.kind == "event":
            return EVENTS[self.field(self.winner(entity))]
        if entity.kind == "work":
            return self.draws(entity, "variety").pick(_GENRES[entity.number % 3])
        return entity.kind

    def currency(self, country: Entity) -> str:
        """The currency of a country."""
        return self.draws(country, "currency").pick(CURRENCIES)

    def employer(self, person: Entity, edition: int) -> Entity | None:
        """The firm that a person works for, if any: those who lead one work for it."""
        place = person.number % 14
        if place in (0, 1, 2, 7, 10, 13):
            return None
        firm = self.led(person, edition)
        if firm:
            return firm
        draws = self.draws(person, "employer")
        moved, first, then = 1 + draws.below(8), draws.below(4), draws.below(4)
        return self.member(person, "firm", "work", first if edition < moved else then)

    def held_on(self, event: Entity) -> str:
        """The date of an event, `YYYY-MM-DD`: before the first page was captured."""
        draws = self.draws(event, "held on")
        return f"{2014 + draws.below(7)}-{4 + draws.below(7):02}-{1 + draws.below(28):02}"


def _run(i: int, parts: int, whole: int) -> range:
    """The numbers below `whole` that are mapped to `i` by `n * parts // whole`."""
    return range(-(-i * whole // parts), -(-(i + 1) * whole // parts))
