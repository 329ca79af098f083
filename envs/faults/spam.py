"""Spam: pages made for a query take places in its results, lead to more of themselves, and can be opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from murk.envs.errors import UsageError
from murk.envs.faults import Draw
from murk.envs.faults.content import ContentFault, Delivered, Layer, Lie, Scene, Witness
from murk.envs.faults.writing import Style, blocks, cutting, some_links
from murk.envs.records import Call, Hit, Hits, Link, LinkList, Links, Open, Page, Request, Response, Search, World
from murk.envs.seeds import derive
from murk.envs.web.query import parse_query
from murk.envs.web.scoring import LoosePage, Statistics
from murk.envs.web.snapshot import LINKS_SECONDS, OPEN_SECONDS
from murk.envs.web.text import words
from murk.envs.web.urls import canonical_url, dated, spellings

SOURCES = 12
BEST = 3
SIBLINGS = 3
TITLE_WORDS = 4
SHOWN = 8_000
SHELF = "web"


@dataclass(frozen=True, slots=True)
class Spam(ContentFault):
    """Floods results with pages made for the query. The unit is a place in the results of a query.

    At intensity 1 a place is struck with chance `share`; the results that stood there move down. The shelves
    `authority` and `library`, and queries with `site:` have none. A page exists once a result or a
    link to it was delivered.

    Attributes:
        share: Share of the places that spam takes at intensity 1, above 0, to 1.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"share is {self.share}; allowed are numbers above 0, to 1.")

    def plan(self, scene: Scene) -> Layer:
        """The world with spam in its results."""

        def layer(inner: World, witness: Witness) -> World:
            return _Flooded(inner, scene, self.share, witness)

        return layer


@dataclass
class _Query:
    """What spam for a query is made from."""

    scene: Scene
    text: str
    hits: Sequence[Hit]
    _pages: dict[str, Page | None] = field(default_factory=dict)

    @cached_property
    def style(self) -> Style:
        return Style(self.hits)

    @cached_property
    def sources(self) -> Sequence[str]:
        """Pages to cut from: the results but the best, and no gold page."""
        gold = {str(entry.get("url")) for entry in self.scene.task.more.get("gold") or ()}
        urls = [hit.url for hit in self.hits]
        return [url for url in urls[BEST:] if url not in gold] or urls

    @cached_property
    def topic(self) -> str:
        """The rarest words, as they were written."""
        rare = set(list(Statistics.of(self.scene.base).weights(parse_query(self.text)))[:TITLE_WORDS])
        kept = [part.strip("\"'?!.,;:()") for part in self.text.split() if not rare.isdisjoint(words(part))]
        return " ".join(kept)[:90].strip()

    def page(self, url: str) -> Page:
        """A page to cut from."""
        if url not in self._pages:
            self._pages[url] = self.scene.page(url)
        return self._pages[url] or Page("https://invalid/", "", "")


@dataclass
class _SpamPage:
    """A page of spam: where it stands is its name, and all else follows from that."""

    query: _Query
    place: str
    draw: Draw

    @cached_property
    def site(self) -> str:
        return self.query.style.name(self.draw, "site")

    @cached_property
    def source(self) -> Page:
        return self.query.page(self.draw.pick(self.query.sources, "source"))

    @cached_property
    def topic(self) -> str:
        """The rarest words of the query, in the manner of a title."""
        plain = self.query.topic or self.source.title
        return plain.title() if self.source.title.istitle() else plain[:1].upper() + plain[1:]

    @cached_property
    def url(self) -> str:
        return canonical_url(self.query.style.url(self.draw, self.topic, self.site))

    @cached_property
    def page(self) -> Page:
        style, parts = self.query.style, blocks(self.source.text) or ("",)
        places = cutting(len(parts), int(self.draw.uniform("around") * len(parts)), self.draw)
        text = "\n\n".join(parts[place] for place in places)
        date = style.date(self.draw)
        title = style.title(self.draw, self.topic, self.site, self.source)
        return Page(self.url, title, text, date, (date,) if date else (), OPEN_SECONDS)

    @cached_property
    def children(self) -> list["_SpamPage"]:
        """The pages that it leads to, made in the same way."""
        return [_spam_page(self.query, f"{self.place}.{i}", self.draw.value) for i in range(SIBLINGS)]

    @property
    def links(self) -> LinkList:
        own = some_links(self.query.scene.links(self.source.url).links, self.page.text, self.draw)
        more = [Link(child.url, child.page.title, True) for child in self.children]
        at = int(self.draw.uniform("links") * (len(own) + 1))
        return LinkList(self.url, (*own[:at], *more, *own[at:]), LINKS_SECONDS)

    @property
    def lie(self) -> Lie:
        told = {"page": self.url, "title": self.page.title}
        return Lie(f"place {self.place} {self.query.text}", self.draw.value, {"source": self.source.url}, told)


def _spam_page(query: _Query, place: str, value: float) -> _SpamPage:
    return _SpamPage(query, place, Draw(derive(query.scene.seed, "page", query.text, place), value))


class _Flooded:
    """A world with spam in its results; a `World` of one episode."""

    def __init__(self, inner: World, scene: Scene, share: float, witness: Witness) -> None:
        self._inner, self._scene, self._share, self._witness = inner, scene, share, witness
        self._known: dict[str, _SpamPage] = {}

    def answer(self, request: Request, call: Call) -> Response:
        if isinstance(request, Search):
            return self._search(request, call)
        if not isinstance(request, Open | Links) or not self._known:
            return self._inner.answer(request, call)
        address, _ = dated(request.url)
        page = next((self._known[url] for url in spellings(address) if url in self._known), None)
        if page is None:
            return self._inner.answer(request, call)
        for child in page.children:
            self._known.setdefault(child.url, child)
        response: Response = page.page if isinstance(request, Open) else page.links
        self._witness(
            request, call, None, response, [Delivered(page.lie, "page" if isinstance(request, Open) else "links")]
        )
        return response

    def _search(self, request: Search, call: Call) -> Response:
        raw = self._inner.answer(request, call)
        asked = parse_query(request.query)
        shelves = self._scene.rule.shelves or (SHELF,)
        if not isinstance(raw, Hits) or not asked.terms or asked.sites or request.shelf not in shelves:
            return raw
        text = " ".join(request.query.casefold().split())
        struck = {place: d for place in range(request.k) if (d := self._struck(text, place)) is not None}
        if not struck:
            return raw
        query = _Query(self._scene, text, self._scene.search(request.query, SOURCES))
        if not query.hits:
            return raw
        hits, told = list(raw.hits), []
        weights = Statistics.of(self._scene.base).weights(asked)
        for place, draw in struck.items():
            page = _spam_page(query, str(place), draw.value)
            at = min(place, len(hits))
            score = hits[at].score if at < len(hits) else hits[-1].score if hits else 1
            loose = LoosePage(replace(page.page, text=page.page.text[:SHOWN]))
            hits.insert(at, loose.hit(weights, loose.likely(weights), score))
            self._known.setdefault(page.url, page)
            told.append(Delivered(page.lie, "hit", True, at + 1))
        answer = replace(raw, hits=tuple(hits[: request.k]))
        self._witness(request, call, raw, answer, [item for item in told if (item.rank or 0) <= request.k])
        return answer

    def _struck(self, query: str, place: int) -> Draw | None:
        return self._scene.struck(f"place {place} {query}", self._share)
