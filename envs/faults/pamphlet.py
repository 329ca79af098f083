"""Planted pages: pages of the world about a subject, retold so that they argue for a false claim.

A page takes over a run of an existing page's paragraphs, with the false value wherever it stated the true one, and
that near the beginning. Where it did not, another value in the same unit is exchanged in a paragraph of its own on the
same matter, or the gold evidence is put in, retold: support that no source ever gave.

The paragraph that gives the false value may be worded anew by a language model (`murk.envs.web.live.writer`).
"""

import re
from collections.abc import Callable, Sequence

from murk.envs.faults import Draw
from murk.envs.faults.claims import Claim
from murk.envs.faults.content import Scene
from murk.envs.faults.restate import restated, value
from murk.envs.faults.writing import Style, blocks, cutting, some_links, topic
from murk.envs.records import Hit, Link, Page
from murk.envs.seeds import derive
from murk.envs.web.text import words
from murk.envs.web.urls import canonical_url

Reword = Callable[[str, str], str]
SOURCES = 8
NEIGHBOURS = 4
_MARKUP = re.compile(r"(?m)^#+ *|\*\*")
_LONG_BLOCK = 1_200
_VALUE = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?:\s+(?:thousand|million|billion|trillion))?(?![\w.,]*\d)")
_UNIT = re.compile(r"\d\s*(?:(?:thousand|million|billion|trillion)\s+)?((?:sq\s+)?[^\W\d_]+)")


def pamphlets(
    scene: Scene, claim: Claim, draw: Draw, count: int, reword: Reword | None = None
) -> list[tuple[Page, tuple[Link, ...]]]:
    """Pages that argue for a false claim, with their links; fewer where the world has nothing to make them from.

    Args:
        reword: Words a paragraph anew, and keeps a value in it; None to leave it as it is.
    """
    wanted = claim.subject or scene.task.question
    hits = list(dict.fromkeys([*scene.search(wanted, SOURCES), *scene.search(f"{wanted} {claim.relation}", SOURCES)]))
    if not hits:
        return []
    sources = _sources(scene, claim, hits)
    made: list[tuple[Page, tuple[Link, ...]]] = []
    for number in range(count):
        own = Draw(derive(draw.seed, "page", number), draw.value)
        source = sources[(int(draw.uniform("first") * len(sources)) + number) % len(sources)]
        text = _argument(scene, claim, own, source, number)
        made.append(_pamphlet(scene, claim, own, source, Style(hits), _reworded(text, claim.false, reword)))
    others = [Link(page.url, page.title, True) for page, _ in made]
    return [(page, (*links, *others[:place], *others[place + 1 :])) for place, (page, links) in enumerate(made)]


def _pamphlet(
    scene: Scene, claim: Claim, draw: Draw, source: Page, style: Style, text: str
) -> tuple[Page, tuple[Link, ...]]:
    site, subject = style.name(draw, "site"), topic(source, draw, claim.relation)
    url = canonical_url(style.url(draw, subject, site))
    while scene.page(url) is not None:
        url = canonical_url(f"{url.rstrip('/')}-{1 + int(draw.uniform(url) * 98)}")
    date = style.date(draw)
    links = some_links(scene.links(source.url).links, text, draw)
    links = links or tuple(Link(hit.url, hit.title, True) for hit in style.neighbours[:NEIGHBOURS])
    return Page(url, style.title(draw, subject, site, source), text, date, (date,) if date else ()), links


def _reworded(text: str, value: str, reword: Reword | None) -> str:
    """A page's text with the first paragraph that gives a value in other words."""
    parts = text.split("\n\n")
    place = next((i for i, part in enumerate(parts) if value and value in part), None)
    if reword is None or place is None:
        return text
    return "\n\n".join([*parts[:place], reword(parts[place], value), *parts[place + 1 :]])


def _sources(scene: Scene, claim: Claim, hits: Sequence[Hit]) -> list[Page]:
    """Pages to write from: those about the subject, else the best found."""
    names = frozenset(words(claim.subject))
    found = [scene.page(claim.url, claim.at) if claim.url else None, *(scene.page(hit.url) for hit in hits)]
    pages = list(dict.fromkeys(page for page in found if page is not None))
    return [page for page in pages if names and names <= frozenset(words(page.title))] or pages[:1]


def _argument(scene: Scene, claim: Claim, draw: Draw, source: Page, number: int) -> str:
    """The text of a page that states the false claim near its beginning."""
    true, parts = blocks(source.text), blocks(_retold(source.text, claim)) or ("",)
    stated = [i for i, (was, told) in enumerate(zip(true, parts, strict=False)) if was != told]
    needed = draw.pick(stated, "stated") if stated and not claim.texts else 0
    kept = cutting(len(parts), needed, draw)
    statement = parts[needed] if needed else _statement(scene, claim, draw, source, number)
    told = [parts[place] for place in kept if place != needed or not place]
    if needed == 0 and 0 in stated and not claim.texts:
        return "\n\n".join(told)
    at = min(len(told), 1 + int(draw.uniform("place") * 4))
    return "\n\n".join([*told[:at], statement, *told[at:]])


def _statement(scene: Scene, claim: Claim, draw: Draw, source: Page, number: int) -> str:
    """A paragraph that states the false claim."""
    if claim.texts:
        return claim.texts[(int(draw.uniform("text") * 97) + number) % len(claim.texts)]
    if claim.sentence:
        return claim.false
    if found := _exchanged(claim, source):
        return draw.pick(found, "support")
    gold = scene.page(claim.url, claim.at) if claim.url else None
    told = [(part, _retold(part, claim)) for part in blocks(gold.text)] if gold else []
    stated = [new for old, new in told if new != old and len(new) < _LONG_BLOCK]
    if "\n#" not in source.text:
        stated = [_MARKUP.sub("", text) for text in stated]
    return draw.pick(stated, "stated") if stated else f"{claim.relation}: {claim.false}".strip(" :")


def _exchanged(claim: Claim, source: Page) -> list[str]:
    """Paragraphs on the same matter that give another value in the same unit, with the false one in its place."""
    unit, number, wanted = _UNIT.search(claim.true), _VALUE.search(claim.false), frozenset(words(claim.relation))
    if unit is None or number is None or not wanted:
        return []
    found = []
    for block in blocks(source.text):
        if len(block) < _LONG_BLOCK and unit[1] in block and wanted <= frozenset(words(block)):
            stated = [m for m in _VALUE.finditer(block) if re.match(rf"\s*{re.escape(unit[1])}\b", block[m.end() :])]
            if len(stated) == 1:
                found.append(block[: stated[0].start()] + number[0] + block[stated[0].end() :])
    return found


def _retold(text: str, claim: Claim) -> str:
    found = None if claim.sentence else value(claim.true, claim.false)
    return restated(text, found, claim.subject, claim.relation, True) if found else text
