"""Research without a model: finding pages about named things, reading values off them, and reporting what they say.

`react` and `careful` share it; `careful` overrides how pages are asked for and which of several statements is believed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from murk.rollout.policies.asking import Asker, Steps
from murk.rollout.policies.language import in_words, key, names, stems, years
from murk.rollout.policies.pages import Line, Match, best
from murk.rollout.policies.questions import Question, wanted_of
from murk.rollout.policies.reports import cited, phrase, shorten
from murk.rollout.policies.results import Found, Opened
from murk.rollout.policies.segments import Parts, parts_of
from murk.rollout.policies.values import measure, sort_of, value_of
from murk.rollout.policies.verdicts import agrees, support

_SINCE = re.compile(r"\bsince\b[^);,]*", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
LABELLED = 1.2
"""Score from which a line is labelled with what is asked for, rather than merely holding its words."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a page says about something: a line, its value, how well the line fits, and how little its date does."""

    page: Opened
    line: Line
    value: str
    score: float
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a question is about, with the address of its page where that is known."""

    name: str
    url: str = ""


class Research:
    """One question, from its words to a report.

    Args:
        question: What is asked.
        asker: How tools are asked.
        sources: Pages that are read about one thing.
    """

    def __init__(self, question: Question, asker: Asker, sources: int = 2) -> None:
        self.question, self.asker, self.sources = question, asker, sources
        self.parts: Parts = parts_of(question)
        self.last: Statement | None = None

    # Finding pages

    def pages_about(
        self, things: Sequence[Thing], words: str, all_of_them: bool = False
    ) -> Steps[dict[str, list[Opened]]]:
        """Pages about each thing by its name; only about those that have a page of their own, if any has one, unless
        `all_of_them` are needed."""
        unknown = [thing for thing in things if not thing.url]
        queries = [f"{thing.name} {words}" for thing in unknown] or ([words] if not things else [])
        if len(unknown) <= 3:
            queries += [thing.name for thing in unknown]
        hits = yield from self.asker.search(queries, 8)
        urls = {thing.name: [thing.url] if thing.url else self.titled(thing.name, hits) for thing in things}
        own = {key(Opened("", hit.title).name) for hit in hits}
        exact = {thing.name for thing in things if thing.url or key(thing.name) in own}
        if exact and not all_of_them:
            urls = {name: chosen for name, chosen in urls.items() if name in exact}
        if not things:
            urls[""] = [hit.url for hit in hits[: self.sources + 1]]
        wanted = [url for chosen in urls.values() for url in chosen]
        pages = yield from self.asker.open(wanted, self.question.at)
        had = [url for url in dict.fromkeys(wanted) if (url, self.question.at) in self.asker.pages]
        by_url = dict(zip(had, pages, strict=True))
        return {name: [by_url[url] for url in chosen if url in by_url] for name, chosen in urls.items()}

    def titled(self, name: str, hits: Sequence[Found]) -> list[str]:
        """Addresses of hits that are about a name by their titles, else of the first hits."""
        wanted = key(name)
        exact = [hit.url for hit in hits if key(Opened("", hit.title).name) == wanted]
        near = [hit.url for hit in hits if wanted and hit.url not in exact and wanted in key(hit.title)]
        rest = [hit.url for hit in hits if wanted and wanted in key(hit.snippet)]
        year = (self.question.at or "")[:4]
        then = [hit.url for hit in hits if year and hit.date[:4] == year and hit.url in {*near, *rest}]
        rest = rest[: 2 * (len(exact) < 2)]
        return list(dict.fromkeys([*then[:3], *exact[: self.sources], *near[:2], *rest]))[: self.sources + 3]

    def statements(self, pages: Iterable[Opened], wanted: frozenset[str], about: str, text: str) -> list[Statement]:
        """What pages say about what is wanted, the best line of each page."""
        sort = sort_of(text)
        found = []
        for page in pages:
            off = 0.0 if key(page.name) == key(about) else 0.3
            said = [self.statement(page, match, sort, off, about) for match in best(page.text, wanted, stems(about), 5)]
            found += sorted(said, key=lambda one: (one.doubt - one.score, -_year(one.line)))[:1]
        return found

    def statement(self, page: Opened, match: Match, sort: str, off: float, about: str = "") -> Statement:
        """What a line says, if a value of some sort is looked for."""
        value = value_of(match.line, sort)
        if sort in ("name", "person") and not (match.line.label or names_another(match.line, about)):
            off += 1.0
        if (sort == "number" and not measure(value)) or (sort == "date" and not _DIGIT.search(value)):
            off += 2.0
        return Statement(page, match.line, value, match.score - off, self.anachronism(page, match.line))

    def anachronism(self, page: Opened, line: Line) -> float:
        """How little the years in a line fit the date that is asked for; 0 where none is asked for, and for a page of
        that year, which speaks of its own time."""
        asked = int(self.question.at[:4]) if self.question.at else 0
        labelled, told = years(line.label), years(_SINCE.sub("", line.text))
        if not asked or page.date[:4] == str(asked) or not (labelled or told):
            return 0.0
        if asked in (labelled or told):
            return -0.5
        return (2.5 if labelled else 1.0) * (abs(asked - max(labelled or told)) > 1)

    def choose(self, statements: Sequence[Statement]) -> tuple[Statement | None, list[str]]:
        """The statement to believe, and remarks for the report; here the one that fits best."""
        ranked = sorted(enumerate(statements), key=lambda entry: (entry[1].doubt - entry[1].score, entry[0]))
        return (ranked[0][1] if ranked else None), []

    def fact(self, things: Sequence[Thing], wanted: frozenset[str]) -> Steps[str]:
        """A report on one value."""
        about = yield from self.pages_about(things, " ".join(sorted(wanted)))
        text = self.parts.outer
        found = [s for name, pages in about.items() for s in self.statements(pages, wanted, name, text)]
        chosen, remarks = self.choose(found)
        self.last = chosen
        if chosen is None:
            return self.nothing()
        subject = next((name for name, pages in about.items() if chosen.page in pages and name), chosen.page.name)
        return self.written(self.sentence(chosen, subject, wanted), chosen, remarks)

    def sentence(self, said: Statement, subject: str, wanted: frozenset[str]) -> str:
        """A statement in words."""
        if said.score < LABELLED or not (said.line.label or len(said.value) < 80):
            return shorten(said.line.words)
        what = phrase(said.line, wanted) or "answer"
        what = what if what[:2].isupper() else what[:1].lower() + what[1:]
        return f"The {what} of {subject} is {said.value}"

    def written(self, sentence: str, said: Statement, remarks: Sequence[str]) -> str:
        """A report: the answer with its citation, then remarks, then what could not be had."""
        return " ".join([cited(sentence, said.page), *remarks, *captured([said.page]), *self.asker.troubles[:3]])

    def nothing(self) -> str:
        """A report that found nothing."""
        return " ".join(["I found no source that answers this.", *self.asker.troubles[:3]])

    def claim(self) -> Steps[str]:
        """A report on whether something is so."""
        named = self.question.entities[:4]
        text = self.question.text[:300]
        hits = yield from self.asker.search([text, *named], 5)
        urls = [url for name in named for url in self.titled(name, hits)[:1]] + [hit.url for hit in hits[:2]]
        pages = yield from self.asker.open(list(dict.fromkeys(urls))[:4], self.question.at)
        claimed = self.question.wanted | self.question.about
        found = [(page, match.line) for page in pages for match in best(page.text, claimed, self.question.about, 4)]
        if not found:
            return "No. " + self.nothing()
        found.sort(key=lambda entry: -support(self.question, entry[1]))
        verdict = agrees(self.question, [line for _, line in found])
        page, line = found[0]
        also = [cited(f"I also read about {other.name}", other) for other in pages[:2] if other is not page]
        return " ".join([f"{'Yes' if verdict else 'No'}.", cited(shorten(line.words), page), *also])

    def pages_for_report(self, things: Sequence[Thing]) -> Steps[dict[str, list[Opened]]]:
        """Pages for a report on something."""
        return (yield from self.pages_about(things, " ".join(sorted(self.question.wanted))))

    def overview(self) -> Steps[str]:
        """A report with one sentence for each facet that is asked for."""
        things = [Thing(name) for name in self.question.entities[:4]]
        about = yield from self.pages_for_report(things[:1])
        sentences, used = [], []
        for facet in self.parts.facets:
            wanted = wanted_of(facet, self.question.entities)
            found = [s for name, pages in about.items() for s in self.statements(pages, wanted, name, facet)]
            chosen, remarks = self.choose(found)
            if chosen is None or chosen.score < 0.5:
                sentences.append(f"I could not verify {facet.strip()}.")
                continue
            subject = things[0].name if things else chosen.page.name
            used.append(chosen.page)
            sentences += [cited(self.sentence(chosen, subject, wanted), chosen.page), *remarks]
        if not sentences:
            return self.nothing()
        return " ".join([*dict.fromkeys(sentences), *captured(used), *self.asker.troubles[:3]])


def names_another(line: Line, about: str) -> bool:
    """Whether a sentence names something else than what it is about, by a link or a capital within it."""
    others = [text for text, _ in line.links] + names(line.text[1:])
    return any(not stems(other) & stems(about) for other in others)


def captured(pages: Sequence[Opened]) -> list[str]:
    """A sentence on when pages were captured; none where that is unknown."""
    dates = list(dict.fromkeys(in_words(page.date) for page in pages if page.date))
    return [f"This is as captured on {' and '.join(dates[:4])}."] if dates else []


def _year(line: Line) -> int:
    """The year in a line's label, so that of a series the newest is taken."""
    return max(years(line.label), default=0)
