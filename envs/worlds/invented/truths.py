"""What is true in an invented world: the values of each entity's relations, computed when asked for."""

from dataclasses import dataclass
from functools import lru_cache

from murk.envs.seeds import Draws
from murk.envs.worlds.invented.entities import EDITIONS, NEWEST, PER_GROUP, Entity, World
from murk.envs.worlds.invented.names import gathered

# Role of an entity in others of a kind, and the places in their groups that can have it.
_TIES = {
    "person": (
        ("author", "work", (10, 11)),
        ("dedicatee", "work", range(10)),
        ("founder", "firm", (3, 5, 11, 12)),
        ("designer", "structure", (12,)),
        ("winner 0", "event", (13,)),
        ("winner 1", "event", (13,)),
    ),
    "firm": (("publisher", "work", (0,)), ("builder", "structure", (2,)), ("sponsor", "event", range(4))),
}
_LEAST = 0.02
_Told = list[tuple[str, Entity | str | float | list[Entity] | list[Entity | None] | list[float] | None]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What is true: a value of a relation, for one edition (an index into `EDITIONS`) or, at -1, for good.

    A value is an entity, the key of a word, a number in base units, or a date as YYYY or YYYY-MM-DD in text.
    """

    relation: str
    value: Entity | str | float
    edition: int = -1


@lru_cache(maxsize=8192)
def claims(world: World, entity: Entity) -> tuple[Claim, ...]:
    """All that is true of an entity."""
    found: list[Claim] = []
    for relation, value in _TELL[entity.kind](world, entity, world.draws(entity, "claims")):
        values = value if isinstance(value, list) else [value]
        edition = 0 if isinstance(value, list) else -1
        found += [Claim(relation, v, edition + i) for i, v in enumerate(values) if v is not None]
    return tuple(found)


def ties(world: World, entity: Entity) -> list[tuple[Entity, Claim]]:
    """What is true of others and has this person or firm as its value."""
    found: list[tuple[Entity, Claim]] = []
    size = PER_GROUP.get(entity.kind, 1)
    for role, kind, places in _TIES.get(entity.kind, ()):
        if entity.number % size in places:
            group = gathered(entity.number // size, world.groups, world.seed, f"{entity.kind} {role}")
            others = (Entity(kind, group * PER_GROUP[kind] + i) for i in range(PER_GROUP[kind]))
            found += [
                (o, c) for o in others for c in claims(world, o) if (c.relation, c.value) == (role.split()[0], entity)
            ]
    led = world.led(entity, NEWEST) if entity.kind == "person" else None
    if led:
        found += [(led, c) for c in claims(world, led) if c.value == entity and c.edition == NEWEST]
    return found


def _spread(draws: Draws, low: float, high: float) -> float:
    """A size from `low` up, small ones more often. Products only: powers differ in the last bit between machines."""
    return low + (high - low) * draws.uniform() * draws.uniform() * draws.uniform()


def _series(draws: Draws, start: float, low: float, high: float, step: int = 1) -> list[float]:
    """A value for each edition, each other than the one before."""
    values = [max(step, round(start / step) * step)]
    for _ in EDITIONS[1:]:
        growth = low + (high - low) * draws.uniform()
        growth = growth if abs(growth) > _LEAST else _LEAST  # an old value must not pass for the new one
        grown = round(values[-1] * (1 + growth) / step) * step
        values.append(grown if grown != values[-1] else grown + step)
    return [float(value) for value in values]


def _person(world: World, person: Entity, draws: Draws) -> _Told:
    mentors = [world.member(person, "person", "mentor", place) for place in draws.sample(range(10, 14), 4)]
    older = next((m for m in mentors if world.born(m) + 8 < world.born(person)), None)
    residence = world.member(person, "town", "residence", draws.below(3))
    told: _Told = [("birthplace", world.town_of(person)), ("birth_year", str(world.born(person)))]
    told.append(("residence", residence))
    told += [("field", world.field(person)), ("mentor", older)]
    return [*told, ("employer", [world.employer(person, i) for i in range(len(EDITIONS))])]


def _firm(world: World, firm: Entity, draws: Draws) -> _Told:
    size = _spread(draws, 20, 5_000)
    revenue = max(200_000, size * (90_000 + 120_000 * draws.uniform()))
    told: _Told = [("headquarters", world.town_of(firm)), ("founder", world.founder(firm))]
    told += [("founded", str(world.founded(firm))), ("sector", world.sector(firm))]
    told += [("chief_executive", [world.leader(firm, i) for i in range(len(EDITIONS))])]
    told += [("employees", _series(draws, size, -0.12, 0.25)), ("revenue", _series(draws, revenue, -0.1, 0.3, 100_000))]
    return told


def _town(world: World, town: Entity, draws: Draws) -> _Told:
    size = _spread(draws, 1_500, 250_000)
    told: _Told = [("population", _series(draws, size, -0.05, 0.08)), ("region", world.region_of(town))]
    told += [("mayor", [world.leader(town, i) for i in range(len(EDITIONS))])]
    told += [
        ("elevation", float(3 + int(900 * draws.uniform() * draws.uniform()))),
        ("area", (50 + draws.below(4000)) / 10),
    ]
    twin = world.member(town, "town", "twin", draws.below(3))
    return [*told, ("twin_town", twin if twin != town else None)]


def _region(world: World, region: Entity, draws: Draws) -> _Told:
    towns = world.towns_of(region)
    return [
        ("country", world.country_of(region)),
        ("seat", draws.pick(towns)),
        ("established", str(1780 + draws.below(190))),
    ]


def _country(world: World, country: Entity, draws: Draws) -> _Told:
    towns = world.towns_of(draws.pick(world.regions_of(country)))
    told: _Told = [("capital", draws.pick(towns)), ("currency", world.currency(country))]
    return [*told, ("independence", str(1700 + draws.below(220)))]


def _work(world: World, work: Entity, draws: Draws) -> _Told:
    publisher = world.member(work, "firm", "publisher", 0)
    first = max(world.born(world.author(work)) + 24, world.founded(publisher))
    told: _Told = [("author", world.author(work)), ("publisher", publisher), ("genre", world.variety(work))]
    told.append(("dedicatee", world.member(work, "person", "dedicatee", draws.below(10))))
    return [*told, ("published", str(first + draws.below(2021 - first))), ("pages", float(80 + draws.below(620)))]


def _structure(world: World, structure: Entity, draws: Draws) -> _Told:
    variety, town = world.variety(structure), world.town_of(structure)
    if variety == "river":
        source = world.member(structure, "town", "source", draws.below(3))
        return [("mouth", town), ("source", source), ("length", float(18 + draws.below(600)) * 1000)]
    designer = world.member(structure, "person", "designer", 12)
    builder = world.member(structure, "firm", "builder", 2)
    first = max(world.born(designer) + 26, world.founded(builder))
    told: _Told = [("location", town), ("designer", designer), ("builder", builder)]
    told += [("opened", str(first + draws.below(2020 - first)))]
    size = 40 + draws.below(1900)
    if variety in ("bridge", "tunnel"):
        return [*told, ("length", float(size))]
    return [*told, ("aperture", 1 + size / 400) if variety == "observatory" else ("height", float(20 + size // 12))]


def _event(world: World, event: Entity, draws: Draws) -> _Told:
    told: _Told = [("held_on", world.held_on(event)), ("venue", world.town_of(event)), ("winner", world.winner(event))]
    told += [("sponsor", world.member(event, "firm", "sponsor", draws.below(4)))]
    return [*told, ("attendance", float(300 + int(24_000 * draws.uniform() * draws.uniform())))]


_TELL = {
    "person": _person,
    "firm": _firm,
    "town": _town,
    "region": _region,
    "country": _country,
    "work": _work,
    "structure": _structure,
    "event": _event,
}
