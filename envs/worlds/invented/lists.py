"""Pages about many entities: statistical yearbooks (long documents), overviews and main pages."""

from murk.envs.seeds import Draws
from murk.envs.worlds.invented import sites
from murk.envs.worlds.invented.entities import EDITIONS, NEWEST, Entity, World
from murk.envs.worlds.invented.truths import Claim, claims
from murk.envs.worlds.invented.writer import Page, Writer, day_in

COUNTED = ("population", "mayor", "elevation", "area")
FILED = ("employees", "revenue", "chief_executive")


def report(world: World, region: Entity, edition: int) -> Page:
    """The statistical yearbook of a region for one edition: a page of summary, some a town, and annexes."""
    write = Writer(world, region, world.language(region), world.draws(region, f"report {edition}"))
    book, year = write.book["report"], str(EDITIONS[edition])
    title = book["title"].format(s=write.name, y=year)
    towns = world.towns_of(region)
    intro = [text.format(s=write.name, y=year) for text in book["intros"]]
    sheets = [f"# {title}\n\n## {book['summary']}\n\n{write.joined(intro)}\n\n{_chapter(write, 3)}"]
    sheets.append(f"## {book['table'].format(s=write.name, y=year)}\n\n{_table(write, towns, edition)}")
    for town in towns:
        sheets += _town(write, town, edition)
    sheets.append(f"## {book['method']}\n\n{_chapter(write, 4)}")
    definitions = "\n".join(f"- {text}" for text in book["definitions"])
    sheets.append(f"## {book['annex']}\n\n{definitions}\n\n{write.link(region)}")
    starts = [0]
    for sheet in sheets[:-1]:
        starts.append(starts[-1] + len(sheet) + 2)
    date = report_date(world, region, edition)
    return write.page(sites.report(world, region, edition), title, "\n\n".join(sheets), date, tuple(starts))


def report_date(world: World, region: Entity, edition: int) -> int:
    """When a yearbook was captured, as YYYYMMDD: in the last months of its year."""
    return day_in(world.draws(region, f"report date {edition}"), edition, 9)


def reported(world: World, entity: Entity, edition: int) -> set[tuple[str, int]]:
    """What the yearbook of an edition states about a town, or a firm that sits in one."""
    names = COUNTED if entity.kind == "town" else FILED
    return {(c.relation, c.edition) for c in _of(world, entity, names, edition)}


def _chapter(write: Writer, count: int) -> str:
    themes = write.draws.sample(write.book["report"]["themes"], count)
    chosen = (write.draws.sample(theme, 4 + write.draws.below(3)) for theme in themes)
    return "\n\n".join(write.joined([write.put(text, write.name) for text in theme]) for theme in chosen)


def _of(world: World, entity: Entity, names: tuple[str, ...], edition: int) -> list[Claim]:
    return [c for c in claims(world, entity) if c.relation in names and c.edition in (-1, edition)]


def _table(write: Writer, towns: list[Entity], edition: int) -> str:
    labels = [write.label(name) for name in ("population", "elevation", "area")]
    rows = [f"| | {' | '.join(labels)} |", "| --- | --- | --- | --- |"]
    for town in towns:
        known = {c.relation: c for c in _of(write.world, town, COUNTED, edition)}
        cells = [write.value(known[name], town) for name in ("population", "elevation", "area")]
        rows.append(f"| {write.link(town)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _town(write: Writer, town: Entity, edition: int) -> list[str]:
    """The sheets about one town: itself, and the firms in it where there are any."""
    world, book, draws = write.world, write.book["report"], write.draws
    heading = book["town"].format(s=write.voice.name(town))
    told = [write.say(c, about=town) for c in _of(world, town, COUNTED, edition)]
    sheets = [f"## {heading}\n\n{write.paragraphs(draws.sample(told, 9))}\n\n{_chapter(write, 2)}"]
    firms = world.dwellers(town, "firm")
    if firms:
        lines = [
            write.joined([write.say(c, about=firm) for c in draws.sample(_of(world, firm, FILED, edition), 9)])
            for firm in firms
        ]
        sheets.append(f"### {heading}: {book['economy']}\n\n" + "\n\n".join([*lines, _chapter(write, 1)]))
    return sheets


def overview(world: World, entity: Entity) -> Page:
    """A list of the articles that concern a region or a country."""
    language = world.language(entity)
    write = Writer(world, entity, language, world.draws(entity, "overview"))
    title = write.book["index"]["title"].format(s=write.name)
    members = world.towns_of(entity) if entity.kind == "region" else world.regions_of(entity)
    lines = []
    for member in members:
        lines.append(f"- {write.link(member)}")
        if entity.kind == "region":
            lines += [f"    - {write.link(e)}" for kind in ("person", "firm") for e in world.dwellers(member, kind)]
        else:
            lines.append(f"    - [{write.voice.name(member)}]({sites.overview(world, member)})")
    text = "\n\n".join([f"# {title}", write.pick("index", "intro"), write.link(entity), "\n".join(lines)])
    own = f"[{write.name}]({sites.article(world, entity, language)})"
    return write.page(sites.overview(world, entity), title, f"{text}\n\n{own}", EDITIONS[NEWEST] * 10_000 + 1_101)


def front(world: World, language: str) -> Page:
    """The encyclopedia's main page in a language."""
    write = Writer(world, Entity("country", 0), language, Draws(world.seed, "front", language))
    name = write.book["sites"]["encyclopedia"]
    countries = (Entity("country", i) for i in range(min(200, world.count("country"))))
    lines = [f"- [{write.voice.name(c)}]({sites.overview(world, c)})" for c in countries]
    title = write.book["index"]["front"].format(s=name)
    text = "\n\n".join([f"# {title}", write.book["index"]["front_intro"], "\n".join(lines)])
    return write.page(sites.front(language), title, text, EDITIONS[NEWEST] * 10_000 + 1_101)
