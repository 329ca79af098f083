"""The sites of an invented web: their addresses, and the authority of their hosts.

Every host lies under `.example`, which is reserved and names nothing real.
"""

import re
from functools import lru_cache

from murk.envs.seeds import uniform
from murk.envs.web.authority import Authority
from murk.envs.worlds.invented.entities import EDITIONS, Entity, World
from murk.envs.worlds.invented.names import word
from murk.envs.worlds.invented.voice import Voice

AUTHORITY = Authority({"*.gov.example": 1, "*.ac.example": 2, "omnipedia.example": 2, "*.press.example": 3})
_OFFICES = {
    "firm": "companies.{c}.gov.example",
    "town": "statistics.{c}.gov.example",
    "structure": "works.{c}.gov.example",
    "work": "library.{c}.ac.example",
}
_PAPERS = ("courier", "gazette", "observer", "post")
_BLOGS = ("notebook", "diary", "corner", "jottings", "margins", "byways", "attic")
_FORUMS = ("quizboard", "oldmaps", "askaround", "tradetalk", "bookshelf", "hillwalkers")


@lru_cache(maxsize=1 << 16)
def slug(world: World, entity: Entity) -> str:
    """The name of an entity as addresses have it, the same in every language."""
    return re.sub(r"[^a-z0-9]+", "-", Voice(world, "en").name(entity).lower()).strip("-")


def languages(world: World, entity: Entity) -> tuple[str, ...]:
    """The languages of the articles about an entity, that of its home first; every third entity has two."""
    home, known = world.language(entity), world.languages
    if len(known) == 1 or entity.number % 3:
        return (home,)
    step = 1 + entity.number // 3 % (len(known) - 1)
    return home, known[(known.index(home) + step) % len(known)]


def article(world: World, entity: Entity, language: str = "") -> str:
    """Address of an entity's article in a language, or in that of its home where there is none."""
    found = languages(world, entity)
    language = language if language in found else found[0]
    return f"https://{language}.omnipedia.example/wiki/{slug(world, entity)}"


def register(world: World, entity: Entity) -> str | None:
    """Address of an entity's entry in an official register; None for kinds without one."""
    office = _OFFICES.get(entity.kind)
    if office is None:
        return None
    return f"https://{office.format(c=slug(world, world.home(entity)))}/{entity.kind}/{slug(world, entity)}"


def company(world: World, firm: Entity) -> str:
    """Address of a firm's own page."""
    return f"https://www.{slug(world, firm)}.com.example/about"


def report(world: World, region: Entity, edition: int) -> str:
    """Address of a region's statistical yearbook."""
    host = f"statistics.{slug(world, world.home(region))}.gov.example"
    return f"https://{host}/yearbooks/{slug(world, region)}-{EDITIONS[edition]}.pdf"


def overview(world: World, entity: Entity) -> str:
    """Address of the list of articles that concern a region or a country."""
    return f"https://{world.language(entity)}.omnipedia.example/overview/{slug(world, entity)}"


def front(language: str) -> str:
    """Address of the encyclopedia's main page in a language."""
    return f"https://{language}.omnipedia.example/"


def paper(world: World, region: Entity) -> str:
    """Host of a region's newspaper."""
    kind = _PAPERS[region.number % len(_PAPERS)]
    return f"{word('region', region.number, world.seed, 'en').lower()}-{kind}.press.example"


def news(world: World, entity: Entity, edition: int, number: int) -> str:
    """Address of a news item about an entity, in the paper of its region."""
    return f"https://{paper(world, region_of(world, entity))}/{EDITIONS[edition]}/{slug(world, entity)}-{number}"


def blog(world: World, entity: Entity, number: int) -> str:
    """Address of a blog post about an entity."""
    pick = int(uniform(world.seed, "blog", *entity, number) * max(7, world.groups * 2))
    host = f"{word('work', pick, world.seed + 1, 'en').lower()}-{_BLOGS[pick % len(_BLOGS)]}.blog.example"
    return f"https://{host}/{slug(world, entity)}-{number}"


def forum(world: World, entity: Entity, number: int) -> str:
    """Address of a forum thread about an entity."""
    host = _FORUMS[int(uniform(world.seed, "forum", *entity, number) * len(_FORUMS))]
    return f"https://{host}.forum.example/thread/{slug(world, entity)}-{number}"


def casual(url: str) -> bool:
    """Whether an address is that of a blog or a forum."""
    return ".blog.example/" in url or ".forum.example/" in url


def region_of(world: World, entity: Entity) -> Entity:
    """The region that an entity belongs to; of a country, its first."""
    if entity.kind == "country":
        return world.regions_of(entity)[0]
    while entity.kind != "region":
        if entity.kind == "work":
            entity = world.author(entity)
        entity = world.region_of(entity) if entity.kind == "town" else world.town_of(entity)
    return entity
