"""A page under way: sentences about an entity with links, and a note of what has been stated."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from murk.envs.seeds import Draws
from murk.envs.web.importers import Raw
from murk.envs.worlds.invented import sites
from murk.envs.worlds.invented.entities import EDITIONS, Entity, World
from murk.envs.worlds.invented.truths import Claim
from murk.envs.worlds.invented.voice import Voice, varied, year_of

_BESIDE_MARK = re.compile(" ?([，。：、；？！]) ?")
_FRAMED = 0.2
_LINK = re.compile(r"\[([^\]\n]+)\]\((https://[^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Page:
    """A finished page, and which claims about its subject it states truly."""

    raw: Raw
    language: str
    stated: frozenset[tuple[str, int]] = frozenset()


@dataclass
class Writer:
    """Writes one page about one entity in one language."""

    world: World
    entity: Entity
    language: str
    draws: Draws
    stated: set[tuple[str, int]] = field(default_factory=set)
    _linked: set[Entity] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.voice = Voice(self.world, self.language)
        self.book = self.voice.book
        self.name = self.voice.name(self.entity)

    def pick(self, *path: str) -> str:
        """One of the phrases at a place of the book, with the entity's name put in."""
        phrases = self.book
        for key in path:
            phrases = phrases[key]
        return self.put(self.draws.pick(list(phrases)), self.name)

    def put(self, phrase: str, subject: str, **slots: str | int) -> str:
        """A phrase with one of its alternatives each, and its slots filled, as a sentence."""
        text = varied(phrase, self.draws).format(s=subject, **slots)
        return _tidied(text[0].upper() + text[1:], self.language)

    def label(self, relation: str) -> str:
        """The noun phrase of a relation."""
        return str(self.book["relations"][relation]["phrase"])

    def link(self, entity: Entity) -> str:
        """The name of an entity, with a link to its article where the page has none yet."""
        name = self.voice.name(entity)
        if entity == self.entity or (entity in self._linked and self.language != "zh"):
            return name
        self._linked.add(entity)
        return f"[{name}]({sites.article(self.world, entity, self.language)})"

    def value(self, claim: Claim, about: Entity | None = None) -> str:
        """The value of a claim, linked where it is an entity."""
        if isinstance(claim.value, Entity):
            return self.link(claim.value)
        return self.voice.show(about or self.entity, claim).text

    def say(self, claim: Claim, short: bool = False, about: Entity | None = None) -> str:
        """A sentence that states a claim; `short` allows other words for the subject than its name."""
        about = about or self.entity
        if about == self.entity:
            self.stated.add((claim.relation, claim.edition))
        return self.word(claim, self.value(claim, about), short, about)

    def word(self, claim: Claim, value: str, short: bool = False, about: Entity | None = None) -> str:
        """A sentence that states some value for a claim's relation and year."""
        about = about or self.entity
        subject = self.voice.mention(about, self.draws) if short else self.link(about)
        value = _set_off(value, claim) if self.language == "zh" else value
        text = self.put(self.draws.pick(self.book["says"][claim.relation]), subject, v=value, y=year_of(claim))
        if self.draws.uniform() < _FRAMED:
            text = varied(self.draws.pick(self.book["frames"]), self.draws).format(t=text[:-1])
        return text

    def fill(self, count: int, *path: str, **slots: str | int) -> list[str]:
        """Some sentences that state nothing, each once."""
        phrases = self.book
        for key in path:
            phrases = phrases[key]
        chosen = self.draws.sample(list(phrases), count)
        return [self.put(text, self.voice.mention(self.entity, self.draws), **slots) for text in chosen]

    def joined(self, sentences: Sequence[str]) -> str:
        """Sentences one after the other."""
        return ("" if self.language == "zh" else " ").join(sentences)

    def mixed(self, *groups: Sequence[str]) -> list[str]:
        """All sentences in random order."""
        together = [text for group in groups for text in group]
        return self.draws.sample(together, len(together))

    def paragraphs(self, sentences: Sequence[str]) -> str:
        """Sentences in paragraphs of two to five."""
        out, at = [], 0
        while at < len(sentences):
            size = 2 + self.draws.below(4)
            out.append(self.joined(sentences[at : at + size]))
            at += size
        return "\n\n".join(out)

    def page(self, url: str, title: str, text: str, date: int, starts: tuple[int, ...] | None = None) -> Page:
        """Ends the page: `date` is YYYYMMDD, `starts` the offsets of the pages of a long document."""
        links = tuple(dict.fromkeys((href, label) for label, href in _LINK.findall(text)))
        raw = Raw(url, text, "text/markdown", "", date * 1_000_000, title, links, starts)
        return Page(raw, self.language, frozenset(self.stated))


def day_in(draws: Draws, edition: int, first: int = 1, last: int = 12) -> int:
    """A day of an edition's year as YYYYMMDD, from a first to a last month."""
    return EDITIONS[edition] * 10_000 + (first + draws.below(last - first + 1)) * 100 + 1 + draws.below(28)


def iso(day: int) -> str:
    """A day YYYYMMDD as `YYYY-MM-DD`."""
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"


def _set_off(value: str, claim: Claim) -> str:
    """A Chinese value apart from the text around it: numbers between spaces, words between quotation marks."""
    if isinstance(claim.value, Entity):
        return value
    return f" {value} " if value[0].isdigit() else f"“{value}”"


def _tidied(text: str, language: str) -> str:
    """Spanish contractions; no space beside a Chinese mark."""
    if language == "es":
        return text.replace(" de el ", " del ").replace(" a el ", " al ")
    return _BESIDE_MARK.sub(r"\1", text).strip() if language == "zh" else text
