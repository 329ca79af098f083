"""A world in which some pages are altered and some are added, so that everything it says about them agrees.

An altered page is scored, shown and opened by its altered text; its own is hidden. Its score is that of the world
behind, scaled by what the change does to it under the statistics of the collection; where the world behind did not
find it, it is scored afresh. A planted page stands at the rank asked for in the results of queries about its subject.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from murk.envs.faults.content import Delivered, Lie, Witness
from murk.envs.records import Call, Hit, Hits, Link, LinkList, Links, Open, Page, Request, Response, Search, World
from murk.envs.web.query import Query, parse_query
from murk.envs.web.scoring import LoosePage, Statistics
from murk.envs.web.snapshot import LINKS_SECONDS, OPEN_SECONDS
from murk.envs.web.text import words
from murk.envs.web.urls import dated, host_of, parse_date, spellings

ABOUT = 2 / 3


@dataclass(frozen=True)
class Alteration:
    """A page whose captures are altered. What searches need of it is counted once, when it is first searched.

    Attributes:
        page: Its newest capture as it truly is.
        alter: Gives a capture as it is told; the capture itself where it holds nothing to alter.
        lies: What is untrue then.
        tier: Authority tier of the page.
        long: Whether it is a long document.
    """

    page: Page
    alter: Callable[[Page], Page]
    lies: tuple[Lie, ...]
    tier: int = 0
    long: bool = False

    @cached_property
    def true(self) -> LoosePage:
        """The newest capture as it truly is."""
        return LoosePage(self.page)

    @cached_property
    def told(self) -> LoosePage:
        """The newest capture as it is told."""
        return LoosePage(self.alter(self.page))

    def place(self, query: Query, weights: dict[str, float], mean: float, found: Hit | None) -> Hit | None:
        """The page as a result, None where it is none; `found` is what it was in the results of the world behind."""
        score, passage = self.told.score(weights, mean, self.tier)
        if (query.terms and not score) or not self.told.allows(query):
            return None
        true, _ = self.true.score(weights, mean, self.tier)
        if found is None and score <= true and self.true.allows(query):
            return None  # it was too far down, and still is
        if found is not None and true:
            score = found.score * score // true
        return self.told.hit(weights, passage, score, self.tier, found.page if found else None)


@dataclass(frozen=True)
class PlantedPage:
    """A page that the world does not have. What searches need of it is counted once, when it is first searched.

    Attributes:
        page: The page.
        links: Where it leads.
        subject: What queries are about that it answers.
        rank: Its place in their results, from 1; on no other shelf than `web`.
        lie: What is untrue on it.
    """

    page: Page
    links: tuple[Link, ...]
    subject: str
    rank: int
    lie: Lie

    @cached_property
    def text(self) -> LoosePage:
        """The page as searches see it."""
        return LoosePage(self.page)

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of its subject."""
        return frozenset(words(self.subject))

    @cached_property
    def stating(self) -> int | None:
        """The passage that tells the lie."""
        return self.text.stating(self.lie.marks)

    def hit(self, weights: dict[str, float], mean: float, score: int | None) -> Hit:
        """The page as a result: the passage that tells the lie where more is asked than the subject, else the best."""
        own, passage = self.text.score(weights, mean)
        if self.stating is not None and not self.words.issuperset(weights):
            passage = self.stating
        return self.text.hit(weights, passage, own if score is None else score)

    def answers(self, query: Query, shelf: str) -> bool:
        """Whether it is a result of a query."""
        if shelf != "web" or not _on_site(self.page.url, query):
            return False
        about = len(self.words.intersection(query.terms)) >= ABOUT * len(self.words) if query.terms else query.sites
        return bool(about) and self.text.allows(query)


class Overlay:
    """A world with pages altered and planted; a `World`.

    Args:
        inner: The world behind.
        statistics: Of the collection behind it.
        altered: At most one for a page.
        planted: In the order in which those of equal rank stand.
        witness: Is told what is delivered.
    """

    def __init__(
        self,
        inner: World,
        statistics: Statistics,
        altered: Sequence[Alteration],
        planted: Sequence[PlantedPage],
        witness: Witness,
    ) -> None:
        self._inner, self._statistics, self._witness = inner, statistics, witness
        self._altered = {item.page.url: item for item in altered}
        self._planted = {item.page.url: item for item in sorted(planted, key=lambda item: item.rank)}

    def answer(self, request: Request, call: Call) -> Response:
        """Answers as the world behind would if its pages were so."""
        if isinstance(request, Search):
            return self._search(request, call)
        if not isinstance(request, Open | Links):
            return self._inner.answer(request, call)
        if (planted := self._planted_at(request)) is not None:
            return self._visit(request, call, planted)
        raw = self._inner.answer(request, call)
        if not isinstance(raw, Page) or raw.url not in self._altered:
            return raw
        item = self._altered[raw.url]
        page = item.alter(raw)
        if page != raw:
            told = [Delivered(lie, "page") for lie in item.lies if lie.shown_in(page.title, page.text)]
            self._witness(request, call, raw, page, told)
        return page

    def _planted_at(self, request: Open | Links) -> PlantedPage | None:
        if not self._planted:
            return None
        address, _ = dated(request.url)
        try:
            parse_date(request.at or "")
        except ValueError:
            return None  # the world behind says what is wrong with the date
        return next((self._planted[url] for url in spellings(address) if url in self._planted), None)

    def _visit(self, request: Open | Links, call: Call, planted: PlantedPage) -> Response:
        page: Page | LinkList = replace(planted.page, cost=OPEN_SECONDS)
        if isinstance(request, Links):
            page = LinkList(planted.page.url, planted.links, LINKS_SECONDS)
        form = "links" if isinstance(request, Links) else "page"
        self._witness(request, call, None, page, [Delivered(planted.lie, form, form == "page")])
        return page

    def _search(self, request: Search, call: Call) -> Response:
        raw = self._inner.answer(replace(request, k=request.k + len(self._altered)), call)
        query = parse_query(request.query)
        planted = [item for item in self._planted.values() if item.answers(query, request.shelf)]
        if not isinstance(raw, Hits) or not (self._altered or planted):
            return raw
        hits = self._with_altered(query, request.shelf, raw.hits)
        weights = self._statistics.weights(query) if planted else {}
        for item in planted:
            at = min(item.rank - 1, len(hits))
            score = hits[at].score if at < len(hits) else hits[-1].score if hits else None
            hits.insert(at, item.hit(weights, self._statistics.mean, score))
        answer = replace(raw, hits=tuple(hits[: request.k]))
        if told := self._told(answer.hits):
            self._witness(request, call, raw, answer, told)
        return answer

    def _with_altered(self, query: Query, shelf: str, hits: Sequence[Hit]) -> list[Hit]:
        """The results, those that are altered with their altered text and at its place."""
        found = {hit.url: place for place, hit in enumerate(hits)}
        kept = [(place, hit) for place, hit in enumerate(hits) if hit.url not in self._altered]
        weights = self._statistics.weights(query) if self._altered else {}
        for url, item in self._altered.items():
            if url not in found and not (query.terms and self._may_hold(item, query, shelf)):
                continue
            place = found.get(url, len(hits))
            hit = item.place(query, weights, self._statistics.mean, hits[place] if url in found else None)
            if hit is not None:
                at = next((i for i, (p, other) in enumerate(kept) if _comes_before(hit, place, other, p)), len(kept))
                kept.insert(at, (place, hit))
        return [hit for _, hit in kept]

    def _may_hold(self, item: Alteration, query: Query, shelf: str) -> bool:
        on_shelf = shelf == "web" or (item.tier > 0 if shelf == "authority" else item.long)
        return on_shelf and _on_site(item.page.url, query)

    def _told(self, hits: Sequence[Hit]) -> list[Delivered]:
        told = []
        for rank, hit in enumerate(hits, 1):
            shown = (hit.title, hit.snippet, hit.content)
            if hit.url in self._planted:
                lie = self._planted[hit.url].lie
                told.append(Delivered(lie, "hit", lie.shown_in(*shown), rank))
            elif hit.url in self._altered:
                lies = self._altered[hit.url].lies
                told += [Delivered(lie, "hit", True, rank) for lie in lies if lie.shown_in(*shown)]
        return told


def _comes_before(hit: Hit, place: int, other: Hit, other_place: int) -> bool:
    return hit.score > other.score or (hit.score == other.score and place < other_place)


def _on_site(url: str, query: Query) -> bool:
    host = host_of(url)
    return not query.sites or any(host == site or host.endswith("." + site) for site in query.sites)
