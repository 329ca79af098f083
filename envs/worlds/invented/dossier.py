"""All pages about an entity and the facts that they state, entity by entity, so that nothing is held in memory."""

from collections.abc import Iterator
from itertools import accumulate

from murk.envs.worlds.facts import Fact
from murk.envs.worlds.invented import lists, pages, sites
from murk.envs.worlds.invented.entities import EDITIONS, NEWEST, PER_GROUP, Entity, World
from murk.envs.worlds.invented.names import scattered
from murk.envs.worlds.invented.relations import BY_NAME
from murk.envs.worlds.invented.truths import Claim, claims
from murk.envs.worlds.invented.voice import Shown, Voice
from murk.envs.worlds.invented.writer import Page, iso

_SHARE = 0.85
GROUP = sum(PER_GROUP.values())
_OFFSETS = dict(zip(PER_GROUP, accumulate(PER_GROUP.values(), initial=0), strict=False))


class Plan:
    """Which pages a world of some size has: a base for each entity, and talk about some that fills up to the size."""

    def __init__(self, size: int, seed: int, languages: tuple[str, ...]) -> None:
        groups = 1
        while self._base(World(seed, groups * 2, languages)) <= size * _SHARE:
            groups *= 2
        step = groups
        while step := step // 2:
            if self._base(World(seed, groups + step, languages)) <= size * _SHARE:
                groups += step
        self.world = World(seed, groups, languages)
        self.talk = size - self._base(self.world)

    def entities(self) -> Iterator[Entity]:
        """All entities, group by group."""
        for kind in ("country", "region"):
            yield from (Entity(kind, i) for i in range(self.world.count(kind)))
        for group in range(self.world.groups):
            for kind, count in PER_GROUP.items():
                yield from (Entity(kind, group * count + i) for i in range(count))

    def pages(self, entity: Entity) -> Iterator[Page]:
        """The pages about an entity, most authoritative first."""
        world = self.world
        for language in sites.languages(world, entity):
            yield pages.article(world, entity, language)
        if sites.register(world, entity):
            yield pages.register(world, entity)
        if entity.kind in ("region", "country"):
            yield lists.overview(world, entity)
        if entity.kind == "region":
            yield from (lists.report(world, entity, i) for i in range(len(EDITIONS)))
        for edition in _covered(entity):
            yield pages.news(world, entity, edition, 0)
        if entity.kind == "firm":
            yield pages.company(world, entity)
        yield from self._talk(entity)

    def _talk(self, entity: Entity) -> Iterator[Page]:
        if entity.kind not in PER_GROUP:
            return
        world, total = self.world, self.world.groups * GROUP
        group, place = divmod(entity.number, PER_GROUP[entity.kind])
        turn = scattered(group * GROUP + _OFFSETS[entity.kind] + place, total, world.seed, "talk")
        for number in range(1, 1 + len(range(turn, self.talk, total))):
            draws = world.draws(entity, f"talk {number}")
            language = draws.pick(sites.languages(world, entity))
            kind = draws.below(10)
            if kind < 4:
                yield pages.blog(world, entity, language, number)
            elif kind < 7:
                yield pages.forum(world, entity, language, number)
            else:
                yield pages.news(world, entity, draws.below(len(EDITIONS)), number)

    def fronts(self) -> Iterator[Page]:
        """The main pages."""
        return (lists.front(self.world, language) for language in self.world.languages)

    def _base(self, world: World) -> int:
        """How many pages a world has without talk."""
        kinds = {kind: world.count(kind) for kind in (*PER_GROUP, "region", "country")}
        total = len(world.languages) + 4 * kinds["region"] + kinds["country"] + kinds["firm"]
        for kind, count in kinds.items():
            total += count + (-(-count // 3) if len(world.languages) > 1 else 0)
            total += count * (sites.register(world, Entity(kind, 0)) is not None)
            period = PER_GROUP.get(kind, 1) * 3
            whole = [len(_covered(Entity(kind, i))) for i in range(period)]
            total += count // period * sum(whole) + sum(whole[: count % period])
        return total


def _covered(entity: Entity) -> tuple[int, ...]:
    """The editions from which an entity has a news item."""
    if entity.kind in ("town", "firm"):
        return (0, 1)
    if entity.kind == "person":
        return (entity.number % 2,) if entity.number % 3 == 0 else ()
    return (NEWEST,) if entity.kind == "event" and entity.number % 2 else ()


def facts(world: World, entity: Entity, found: list[Page]) -> Iterator[Fact]:
    """The facts that the pages about an entity state.

    The gold page of a fact is the first that states it and is neither a blog nor a forum; for a value that changes, it
    is one of the value's own year, so that an edition has one value. All other pages that state it are sources.
    """
    region = sites.region_of(world, entity)
    stating: dict[tuple[str, int], list[_Place]] = {}
    for page in found:
        for key in page.stated:
            stating.setdefault(key, []).append((page.raw.url, page.raw.date // 1_000_000, page.language))
    for edition in range(len(EDITIONS)):
        place = (
            sites.report(world, region, edition),
            lists.report_date(world, region, edition),
            world.language(region),
        )
        for key in _reported(world, entity, edition):
            stating.setdefault(key, []).append(place)
    for claim in claims(world, entity):
        places = stating.get((claim.relation, claim.edition), [])
        gold = next((place for place in places if _authentic(place, claim)), None)
        if gold:
            sources = tuple(dict.fromkeys(place[0] for place in places if place[0] != gold[0]))
            yield _fact(world, entity, claim, gold, sources)


_Place = tuple[str, int, str]  # URL, date as YYYYMMDD, language


def _authentic(place: _Place, claim: Claim) -> bool:
    url, date, _ = place
    return not sites.casual(url) and (claim.edition < 0 or date // 10_000 == EDITIONS[claim.edition])


def _fact(world: World, entity: Entity, claim: Claim, gold: _Place, sources: tuple[str, ...]) -> Fact:
    url, date, language = gold
    names = tuple(dict.fromkeys(Voice(world, known).name(entity) for known in world.languages))
    shown = Voice(world, language).show(entity, claim)
    target = claim.value if isinstance(claim.value, Entity) else None
    return Fact(
        subject=names[0],
        url=url,
        relation=claim.relation,
        value=shown.text,
        edition=iso(date),
        number=shown.number if BY_NAME[claim.relation].kind == "number" else None,
        unit=shown.unit,
        object_url=sites.article(world, target) if target else None,
        aliases=_aliases(world, entity, claim, shown, language),
        subject_aliases=names[1:],
        sources=sources,
        shown="" if language == world.languages[0] else Voice(world, world.languages[0]).show(entity, claim).text,
        as_of=f"{EDITIONS[claim.edition]}-01-01" if claim.edition >= 0 else "",
    )


def _aliases(world: World, entity: Entity, claim: Claim, shown: Shown, language: str) -> tuple[str, ...]:
    """Other spellings of a value: those of the other languages, bare numbers, a family name."""
    found = list(shown.aliases)
    if isinstance(claim.value, Entity) and claim.value.kind == "person":
        found.append(Voice(world, language).surname(claim.value))
    for other in world.languages:
        if other != language:
            more = Voice(world, other).show(entity, claim)
            found += [more.text, *more.aliases]
    return tuple(dict.fromkeys(text for text in found if text != shown.text))


def _reported(world: World, entity: Entity, edition: int) -> set[tuple[str, int]]:
    if entity.kind == "town":
        return lists.reported(world, entity, edition)
    if entity.kind == "firm" and entity in world.dwellers(world.town_of(entity), "firm"):
        return lists.reported(world, entity, edition)
    return set()
