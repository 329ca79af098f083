"""How a language names entities and words claims, from its phrase book `<language>.json`."""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from murk.envs.seeds import Draws
from murk.envs.worlds.invented.entities import EDITIONS, Entity, World
from murk.envs.worlds.invented.names import given, word
from murk.envs.worlds.invented.truths import Claim

_EITHER = re.compile("<([^<>]*)>")
_METRES = ("elevation", "length", "height")


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as a page writes it; see `Fact` for the fields."""

    text: str
    number: float | None = None
    unit: str | None = None
    aliases: tuple[str, ...] = ()


@lru_cache(maxsize=8)
def phrase_book(language: str) -> dict[str, Any]:
    """The phrases of a language."""
    book: dict[str, Any] = json.loads(Path(__file__).with_name(f"{language}.json").read_text("utf-8"))
    return book


def varied(phrase: str, draws: Draws) -> str:
    """A phrase with one alternative of each `<this|that>`."""
    return _EITHER.sub(lambda match: draws.pick(match[1].split("|")), phrase) if "<" in phrase else phrase


@dataclass(frozen=True)
class Voice:
    """A language telling of a world."""

    world: World
    language: str

    @cached_property
    def book(self) -> dict[str, Any]:
        """The phrases of this language."""
        return phrase_book(self.language)

    def name(self, entity: Entity) -> str:
        """The name of an entity."""
        return _name(self, entity)

    def surname(self, person: Entity) -> str:
        """The family name of a person, which no other person has."""
        return word("person", person.number, self.world.seed, self.language)

    def term(self, key: str) -> str:
        """A word of the book, or the key where the language needs no other."""
        return str(self.book["words"].get(key, key))

    def date(self, text: str) -> str:
        """A date `YYYY-MM-DD` in words; a year as it is."""
        if len(text) < 10:
            return text
        year, month, day = text.split("-")
        names = self.book["months"]
        return str(self.book["date"].format(year=year, month=names[int(month) - 1], day=int(day)))

    def number(self, value: float) -> str:
        """A number with the separators of the language."""
        text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text

    def show(self, entity: Entity, claim: Claim) -> Shown:
        """The value of a claim about an entity, as text."""
        value = claim.value
        if isinstance(value, Entity):
            return Shown(self.name(value))
        if isinstance(value, str):
            year = float(value) if value.isdigit() else None
            if claim.relation == "currency":
                return Shown(self.book["coins"][value])
            return Shown(self.date(value) if value[:1].isdigit() else self.term(value), year)
        units = self.book["units"]
        if claim.relation in _METRES or claim.relation == "aperture":
            if value >= 10_000:
                return self._measured(units["km"], value / 1000, "km", value, "m")
            return self._measured(units["metres"], round(value, 1), "m", round(value, 1), "m")
        if claim.relation == "area":
            return self._measured(units["km2"], value, "km2", value, "km2")
        if claim.relation == "pages":
            return self._measured(units["pages"], value, "pages", value, "pages")
        if claim.relation == "revenue":
            key = self.world.currency(self.world.home(entity))
            text = units["million"].format(n=self.number(value / self.book.get("million", 1_000_000)), c=self.term(key))
            return Shown(text, value, key, (f"{value:.0f}", f"{value:,.0f}"))
        return Shown(self.number(value), value, "people", (f"{value:.0f}", f"{value:,.0f}"))

    def _measured(self, pattern: str, value: float, short: str, number: float, unit: str) -> Shown:
        text = self.number(value)
        return Shown(pattern.format(n=text), number, unit, (text, f"{value:g} {short}"))

    def mention(self, entity: Entity, draws: Draws) -> str:
        """A short way to name an entity that has been introduced."""
        pattern = draws.pick(self.book["mentions"][entity.kind])
        return str(pattern.format(**_parts(self, entity), name=self.name(entity), variety=self.variety(entity)))

    def variety(self, entity: Entity) -> str:
        """The common noun of an entity: bridge, marathon, town."""
        key = self.world.variety(entity)
        return str(self.book["kinds"].get(key, key))


def _parts(voice: Voice, entity: Entity) -> dict[str, str]:
    world, kind = voice.world, entity.kind
    parts = {"word": word(kind, entity.number, world.seed, voice.language)}
    if kind == "person":
        parts["given"] = given(world.draws(entity, "given").below(1 << 20), voice.language)[0]
    if kind == "work":
        parts["noun"] = voice.book["nouns"][world.draws(entity, "noun").below(len(voice.book["nouns"]))]
    if kind == "event":
        parts["year"] = world.held_on(entity)[:4]
    return parts


@lru_cache(maxsize=1 << 16)
def _name(voice: Voice, entity: Entity) -> str:
    titles = voice.book["titles"]
    key = voice.world.sector(entity) if entity.kind == "firm" else voice.world.variety(entity)
    pattern = titles.get("work" if entity.kind == "work" else key)
    if isinstance(pattern, list):
        pattern = pattern[voice.world.draws(entity, "title").below(60) % len(pattern)]
    return str(pattern.format(**_parts(voice, entity)))


def year_of(claim: Claim) -> int:
    """The year for which a claim is stated: its edition's, or the newest."""
    return EDITIONS[claim.edition]
