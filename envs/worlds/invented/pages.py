"""The pages about one entity: article, register entry, news, company page, blog post and forum thread."""

from murk.envs.seeds import Draws
from murk.envs.worlds.invented import sites
from murk.envs.worlds.invented.entities import EDITIONS, NEWEST, Entity, World
from murk.envs.worlds.invented.truths import Claim, claims, ties
from murk.envs.worlds.invented.writer import Page, Writer, day_in, iso

OUTDATED = 0.15
"""Share of what blogs and forums say about changing values that gives an earlier edition's value as the present."""
STALE = 0.1
"""Share of the articles that were captured two years before the others."""
_SKIPPED = 0.15
_HISTORY = 0.3


def article(world: World, entity: Entity, language: str) -> Page:
    """The encyclopedia's article: prose with links, at its edition, some with older values as history."""
    write = Writer(world, entity, language, world.draws(entity, f"article {language}"))
    draws, book = write.draws, write.book
    known = claims(world, entity)
    elsewhere = sites.register(world, entity) is not None
    edition = NEWEST - (elsewhere and draws.uniform() < STALE)
    present = [c for c in known if c.edition in (-1, edition) and not (elsewhere and draws.uniform() < _SKIPPED)]
    past = [c for c in known if 0 <= c.edition < edition and draws.uniform() < _HISTORY]
    present = draws.sample(present, len(present))
    told = [write.say(c, short=i > 0 and draws.uniform() < 0.4) for i, c in enumerate(present)]
    head, rest = told[:2], told[2:]
    opening = write.pick("opens", entity.kind)
    parts = [f"# {write.name}", write.joined([opening, *head])]
    half = (len(rest) + 1) // 2
    fills = write.fill(9 + draws.below(7), "fills", entity.kind)
    names = ("life", "work") if entity.kind == "person" else ("profile", "figures")
    parts += [f"## {book['sections'][names[0]]}", write.paragraphs(write.mixed(rest[:half], fills[:4]))]
    parts += [f"## {book['sections'][names[1]]}", write.paragraphs(write.mixed(rest[half:], fills[4:7]))]
    if past:
        told = [write.say(c) for c in past]
        parts += [f"## {book['sections']['history']}", write.paragraphs([*told, *fills[7:]])]
    else:
        parts += [f"## {book['sections']['more']}", write.paragraphs(fills[7:])]
    parts += _ties(write) + _related(write) + _beyond(write)
    date = day_in(draws, edition, 3, 10)
    return write.page(sites.article(world, entity, language), write.name, "\n\n".join(parts), date)


def _ties(write: Writer) -> list[str]:
    """What others have to do with a person or firm."""
    told = [write.say(claim, about=other) for other, claim in ties(write.world, write.entity)[:6]]
    return [f"## {write.book['sections']['ties']}", write.paragraphs(told)] if told else []


def _related(write: Writer) -> list[str]:
    """Lists of entities that belong to this one, and neighbours."""
    world, entity, sections = write.world, write.entity, write.book["sections"]
    parts = []
    if entity.kind == "town":
        for kind, title in (("person", "people"), ("firm", "firms"), ("structure", "places")):
            if found := world.dwellers(entity, kind):
                parts += [f"## {sections[title]}", "\n".join(f"- {write.link(e)}" for e in found)]
    if entity.kind in ("region", "country"):
        parts_of = world.towns_of(entity) if entity.kind == "region" else world.regions_of(entity)
        parts += [f"## {sections['places']}", "\n".join(f"- {write.link(e)}" for e in parts_of[:60])]
    near = [Entity(entity.kind, entity.number + step) for step in (-2, -1, 1, 2)]
    near = [e for e in near if 0 <= e.number < world.count(e.kind)]
    lines = [f"- {write.link(e)}" for e in write.draws.sample(near, 1 + write.draws.below(3))]
    if entity.kind in ("region", "country", "town"):
        lines.append(f"- [{write.name}]({_overview(world, entity)})")
    return [*parts, f"## {sections['see']}", "\n".join(lines)] if lines else parts


def _overview(world: World, entity: Entity) -> str:
    return sites.overview(world, world.region_of(entity) if entity.kind == "town" else entity)


def _beyond(write: Writer) -> list[str]:
    world, entity, sections = write.world, write.entity, write.book["sections"]
    parts, lines = [], []
    if url := sites.register(world, entity):
        lines.append(f"- [{_office(write)}]({url})")
    if entity.kind == "firm":
        lines.append(f"- [{write.name}]({sites.company(world, entity)})")
    if lines:
        parts += [f"## {sections['links']}", "\n".join(lines)]
    others = [code for code in sites.languages(world, entity) if code != write.language]
    if others:
        links = " · ".join(f"[{code}]({sites.article(world, entity, code)})" for code in others)
        parts.append(f"{sections['other']}: {links}")
    return parts


def _office(write: Writer) -> str:
    country = write.voice.name(write.world.home(write.entity))
    return str(write.book["register"]["offices"][write.entity.kind].format(c=country))


def register(world: World, entity: Entity) -> Page:
    """The entry of an official register: a table of all that is known, changing values by year."""
    write = Writer(world, entity, world.language(entity), world.draws(entity, "register"))
    draws, book = write.draws, write.book["register"]
    date = day_in(draws, NEWEST, 1, 2)
    rows = [f"| {book['field']} | {book['value']} |", "| --- | --- |"]
    for claim in draws.sample(claims(world, entity), 99):
        if claim.edition < NEWEST and claim.edition >= 0 and draws.uniform() < 0.6:
            continue
        label = write.label(claim.relation)
        if claim.edition >= 0:
            label = book["year"].format(label=label, y=EDITIONS[claim.edition])
        write.stated.add((claim.relation, claim.edition))
        rows.append(f"| {label[0].upper() + label[1:]} | {write.value(claim)} |")
    number = f"{book['number']}: {entity.kind[:1].upper()}-{100_000 + entity.number * 7}"
    title = draws.pick(book["title"]).format(name=write.name)
    parts = [f"# {title}", _office(write), draws.pick(book["intro"]), number]
    parts += [book["held"].format(date=write.voice.date(iso(date))), f"**{write.name}**", "\n".join(rows)]
    parts += [
        write.joined(draws.sample(book["outro"], 2)),
        f"[{write.name}]({sites.article(world, entity, write.language)})",
    ]
    return write.page(sites.register(world, entity) or "", title, "\n\n".join(parts), date)


def news(world: World, entity: Entity, edition: int, number: int) -> Page:
    """A news item of an edition's year, with the values of that year."""
    write = Writer(world, entity, world.language(entity), world.draws(entity, f"news {edition} {number}"))
    draws, book = write.draws, write.book["news"]
    date = day_in(draws, edition)
    town = entity if entity.kind == "town" else next(iter(world.towns_of(sites.region_of(world, entity))))
    changing = [c for c in claims(world, entity) if c.edition == edition]
    steady = [c for c in claims(world, entity) if c.edition == -1]
    chosen = draws.sample(changing, 2) + draws.sample(steady, 1 + draws.below(2) + 2 * (not changing))
    told = [write.say(c, short=i > 0 and draws.uniform() < 0.3) for i, c in enumerate(chosen)]
    middle = write.fill(7 + draws.below(5), "news", "middle", y=EDITIONS[edition])
    lead = write.put(
        draws.pick(book["leads"]), write.name, place=write.voice.name(town), date=write.voice.date(iso(date))
    )
    body = write.mixed(told, middle, write.fill(1, "fills", entity.kind))
    title = write.pick("news", "titles", entity.kind)
    parts = [f"# {title}", lead, write.paragraphs(body), write.pick("news", "ends"), _pointer(write)]
    return write.page(sites.news(world, entity, edition, number), title, "\n\n".join(parts), date)


def _pointer(write: Writer) -> str:
    """A line that leads on to the article about the subject and one other page."""
    near = Entity(write.entity.kind, (write.entity.number + 1) % write.world.count(write.entity.kind))
    url = sites.article(write.world, write.entity, write.language)
    also = write.draws.pick(write.book["sites"]["also"])
    others = [] if near == write.entity else [write.link(near)]
    return write.joined([also, " · ".join([f"[{write.name}]({url})", *others])])


def company(world: World, firm: Entity) -> Page:
    """A firm on itself: praise, and its own figures of the newest year."""
    write = Writer(world, firm, world.language(firm), world.draws(firm, "company"))
    current = [c for c in claims(world, firm) if c.edition in (-1, NEWEST)]
    told = [write.say(c) for c in write.draws.sample(current, 5)]
    body = write.mixed(told, write.fill(8, "company", "fills"))
    title = write.pick("company", "title")
    parts = [f"# {title}", write.pick("company", "opens"), write.paragraphs(body), _pointer(write)]
    return write.page(sites.company(world, firm), title, "\n\n".join(parts), day_in(write.draws, NEWEST))


def blog(world: World, entity: Entity, language: str, number: int) -> Page:
    """A blog post: informal, of any age, some of its values outdated."""
    write = Writer(world, entity, language, world.draws(entity, f"blog {number}"))
    edition, date = _some_day(write.draws)
    told = [_loose(write, claim, edition) for claim in _some(world, entity, write.draws, edition, 3)]
    body = write.mixed(told, write.fill(7, "blog", "fills"), write.fill(3, "fills", entity.kind))
    title = write.pick("blog", "titles")
    parts = [f"# {title}", write.pick("blog", "opens"), write.paragraphs(body), _pointer(write)]
    return write.page(sites.blog(world, entity, number), title, "\n\n".join(parts), date)


def forum(world: World, entity: Entity, language: str, number: int) -> Page:
    """A forum thread: a question, replies of which some are outdated, a correction, thanks."""
    write = Writer(world, entity, language, world.draws(entity, f"forum {number}"))
    draws, book = write.draws, write.book["forum"]
    edition, date = _some_day(draws)
    names = draws.sample(book["names"], 5)
    posts = [(names[0], write.pick("forum", "asks"))]
    for name, claim in zip(names[1:4], _some(world, entity, draws, edition, 3), strict=False):
        if draws.uniform() < 0.5:
            posts.append((draws.pick(names[1:]), write.put(draws.pick(book["chat"]), write.name)))
        before = len(write.stated)
        posts.append((name, write.joined([write.pick("forum", "replies"), _loose(write, claim, edition)])))
        if len(write.stated) == before:
            posts.append((names[4], write.joined([write.pick("forum", "doubts"), write.say(claim)])))
    url = sites.register(world, entity) or sites.article(world, entity, language)
    posts.append((names[4], draws.pick(book["points"]).format(title=write.name, url=url)))
    posts.append((names[0], write.pick("forum", "thanks")))
    title = write.pick("forum", "titles")
    text = "\n\n".join(f"**{name}**: {post}" for name, post in posts)
    return write.page(sites.forum(world, entity, number), title, f"# {title}\n\n{text}\n\n{_pointer(write)}", date)


def _some_day(draws: Draws) -> tuple[int, int]:
    """An edition, the newest more often, and a day in its year."""
    edition = max(draws.below(len(EDITIONS)), draws.below(len(EDITIONS)))
    return edition, day_in(draws, edition)


def _some(world: World, entity: Entity, draws: Draws, edition: int, count: int) -> list[Claim]:
    return draws.sample([c for c in claims(world, entity) if c.edition in (-1, edition)], count)


def _loose(write: Writer, claim: Claim, edition: int) -> str:
    """A statement as a lay person makes it: sometimes with the value of an earlier edition as that of today."""
    if claim.edition > 0 and write.draws.uniform() < OUTDATED:
        older = [c for c in claims(write.world, write.entity) if c.relation == claim.relation and c.edition < edition]
        if older and older[-1].value != claim.value:
            return write.word(claim, write.value(older[-1]))
    return write.say(claim)
