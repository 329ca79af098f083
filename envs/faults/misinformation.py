"""Misinformation: a claim is altered wherever it is stated, or pages that argue for the false one are planted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults import Draw
from murk.envs.faults.claims import SOURCES, Claim, claims_of
from murk.envs.faults.content import ContentFault, Layer, Lie, Scene, Witness
from murk.envs.faults.overlay import Alteration, Overlay, PlantedPage
from murk.envs.faults.pamphlet import Reword, pamphlets
from murk.envs.faults.restate import Value, restated, value
from murk.envs.records import Page, World
from murk.envs.web.scoring import Statistics
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.text import words
from murk.envs.web.urls import path_of

MODES = ("altered", "planted")


@dataclass(frozen=True, slots=True)
class Misinformation(ContentFault):
    """Tells false claims. The unit is a claim of the task.

    Altered are the pages that searches for the subject, the subject with the relation, and the subject with the true
    value find: where title or address name the subject, all captures wherever they state the claim; of other pages
    the lines that name the subject, where the newest capture has one.

    Attributes:
        mode: `altered` (in place) or `planted` (pages of its own).
        source: Where false claims come from: `task`, `auto` (the task's, else its gold evidence perturbed),
            `poisonedrag` or `creak`.
        path: The file of a published collection.
        count: Planted pages for a claim, at least 1.
        rank: Place of the first of them in results about the subject, from 1; the others follow.
        reach: Results of each search for pages to alter.
        writer: Address of an OpenAI-compatible server that words the false paragraph of planted pages anew; empty for
            the world's own words. Then `model` names the model, and `wordings` the folder that keeps what it said.
    """

    mode: str = "altered"
    source: str = "task"
    path: str = ""
    count: int = 1
    rank: int = 1
    reach: int = 10
    writer: str = ""
    model: str = ""
    wordings: str = ""

    lasting: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UnknownName("mode", self.mode, MODES)
        if self.source not in SOURCES:
            raise UnknownName("source of claims", self.source, SOURCES)
        if self.source in ("poisonedrag", "creak") and not self.path:
            raise UsageError(f"source {self.source} needs a path, the file of the collection.")
        for name in ("count", "rank", "reach"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; allowed are 1 and more.")
        self._reword()

    def _reword(self) -> Reword | None:
        if not self.writer:
            return None
        from murk.envs.web.live.writer import Writer

        return Writer(self.writer, self.model, self.wordings).reword

    def plan(self, scene: Scene) -> Layer | None:
        """The pages that lie about the claims that are struck."""
        claims = claims_of(scene, self.source, self.path)
        struck = [(claim, draw) for claim in claims if (draw := scene.struck(f"claim {claim.id}")) is not None]
        if self.mode == "planted":
            return _layer(scene.base, (), self._planted(scene, struck))
        return _layer(scene.base, self._alterations(scene, struck), ())

    def _alterations(self, scene: Scene, struck: Sequence[tuple[Claim, Draw]]) -> list[Alteration]:
        told: dict[str, tuple[Page, list[_Told]]] = {}
        for claim, draw in struck:
            found = value(claim.true, claim.false)
            if found is None or claim.sentence:
                continue
            for page in self._pages(scene, claim):
                lie = _lie(claim, draw.value, page.url)
                told.setdefault(page.url, (page, []))[1].append(_Told(claim, found, is_about(page, claim.subject), lie))
        made = []
        for page, items in told.values():
            alter = partial(_altered, items=tuple(items))
            earlier = page.captures[:-1] if any(item.about for item in items) else ()
            captures = [page, *(scene.page(page.url, at) or page for at in earlier)]
            changed = [item for item in items if any(_altered(capture, (item,)) != capture for capture in captures)]
            if changed and scene.aims_at(page.url):
                lies = tuple(item.lie for item in changed)
                made.append(Alteration(page, alter, lies, *scene.base.standing(page.url)))
        return made

    def _pages(self, scene: Scene, claim: Claim) -> list[Page]:
        """Pages that may state a claim, the newest capture of each."""
        queries = dict.fromkeys(f"{claim.subject} {more}".strip() for more in ("", claim.relation, claim.true))
        urls = [claim.url] if claim.url else []
        urls += [hit.url for query in queries if query for hit in scene.search(query, self.reach)]
        return [page for url in dict.fromkeys(urls) if (page := scene.page(url)) is not None]

    def _planted(self, scene: Scene, struck: Sequence[tuple[Claim, Draw]]) -> list[PlantedPage]:
        planted: list[PlantedPage] = []
        for claim, draw in struck:
            subject = claim.subject or scene.task.question
            for page, links in pamphlets(scene, claim, draw, self.count, self._reword()):
                rank = self.rank + sum(other.subject == subject for other in planted)
                planted.append(PlantedPage(page, links, subject, rank, _lie(claim, draw.value, page.url)))
        return planted


@dataclass(frozen=True, slots=True)
class _Told:
    claim: Claim
    value: Value
    about: bool
    lie: Lie


def is_about(page: Page, subject: str) -> bool:
    """Whether the title or the address of a page names a subject."""
    names = frozenset(words(subject))
    return bool(names) and any(names <= frozenset(words(text)) for text in (page.title, path_of(page.url)))


def _altered(page: Page, items: Sequence[_Told]) -> Page:
    title, text = page.title, page.text
    for item in items:
        about = (item.claim.subject, item.claim.relation, item.about)
        text = restated(text, item.value, *about)
        title = restated(title, item.value, *about) if item.value.distinct else title
    return page if (title, text) == (page.title, page.text) else Page(page.url, title, text, *_rest(page))


def _rest(page: Page) -> tuple[str, tuple[str, ...], float]:
    return page.date, page.captures, page.cost


def _lie(claim: Claim, draw: float, url: str) -> Lie:
    truth = {"claim": f"{claim.subject} - {claim.relation}".strip(" -"), "value": claim.true, "page": claim.url}
    told = {"claim": truth["claim"], "value": claim.false, "page": url}
    return Lie(f"claim {claim.id}", draw, truth, told, _marks(claim.false))


def _marks(false: str) -> tuple[str, ...]:
    """Texts by which a false value is recognised."""
    flat = " ".join(false.split())
    numbers = [n for n in re.findall(r"\d[\d,.]*\d", flat) if len(n) > 3]
    loud = [part for part in flat.split() if part.isupper() and part.isalpha() and len(part) > 3]
    return tuple(dict.fromkeys([flat, *numbers, *(n.replace(",", "") for n in numbers), *loud]))


def _layer(base: Snapshot, altered: Sequence[Alteration], planted: Sequence[PlantedPage]) -> Layer | None:
    if not altered and not planted:
        return None

    def layer(inner: World, witness: Witness) -> World:
        return Overlay(inner, Statistics.of(base), altered, planted, witness)

    return layer
