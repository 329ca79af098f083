"""Questions that take more than one page: hops over a thing that is only described, comparisons, counts, histories."""

import re
from collections.abc import Sequence

from murk.rollout.policies.asking import Steps
from murk.rollout.policies.language import WEAK, in_words, key, names, numbers, stems
from murk.rollout.policies.pages import best, lines, unfolded
from murk.rollout.policies.questions import entities_of, understand, wanted_of
from murk.rollout.policies.reports import cited, phrase
from murk.rollout.policies.research import LABELLED, Research, Statement, Thing
from murk.rollout.policies.results import Opened
from murk.rollout.policies.segments import Riddle, asks_when_first, parts_of, riddle_in, role_in
from murk.rollout.policies.values import items_of, measure, number_of

MAX_MEMBERS = 60


class Detective(Research):
    """Research that hops and compares."""

    def report(self) -> Steps[str]:
        """The report, by the kind of question."""
        if self.question.kind != "claim" and (riddle := riddle_in(self.question.text)):
            several = riddle.noun.endswith("s") and (self.question.direction != 0 or self.question.kind == "count")
            members = (yield from self.members(riddle)) if several else []
            if len(members) > 1:
                rest = f"{self.question.text[: riddle.start]} {self.question.text[riddle.end :]}"
                return (yield from self.compare(members[:MAX_MEMBERS], wanted_of(rest, entities_of(rest))))
            yield from self.solve(riddle)
        role = role_in(self.question.text, self.question.entities) if self.question.kind in ("fact", "count") else None
        if role and stems(self.question.text.replace(role[0], " ")) - WEAK:  # else the part itself is asked for
            yield from self.follow(*role)
        question = self.question
        if question.kind == "claim":
            return (yield from self.claim())
        if asks_when_first(question.text):
            return (yield from self.history())
        if question.kind == "report":
            return (yield from self.overview())
        several = self.parts.direction != 0 or question.kind == "count"
        things = [Thing(name) for name in question.entities]
        if self.parts.inner:
            things = yield from self.things_meant()
            if not things and self.asker.troubles:
                return self.nothing()
        elif question.kind != "choice" and several:
            listed = yield from self.listed(things)
            things, several = listed or things, bool(listed)
        if len(things) > 1 and several:
            return (yield from self.compare(things[:MAX_MEMBERS], self.parts.wanted))
        return (yield from self.fact(things, self.parts.wanted))

    def things_meant(self) -> Steps[list[Thing]]:
        """What the inner part of a question means: members of a list, or the one thing that fits."""
        inner, entities = self.parts.inner, self.parts.inner_entities
        wanted = wanted_of(inner, entities)
        about = yield from self.pages_about([Thing(name) for name in entities], " ".join(sorted(wanted)))
        own = {name: [page for page in pages if key(page.name) == key(name)] for name, pages in about.items()}
        lists = []
        for name, pages in own.items():
            chosen, _ = self.choose(self.statements(pages, wanted, name, inner))
            if chosen is not None and chosen.score >= LABELLED:
                lists.append(items_of(chosen.line))
        if lists:
            return self.selected(lists)
        for pages in own.values():
            for page in pages:
                if members := list_of(page):
                    return members
        return []

    def selected(self, lists: Sequence[Sequence[tuple[str, str, float | None]]]) -> list[Thing]:
        """Members that all lists have; only the foremost where the inner part asks for it."""
        common = [item for item in lists[0] if all(key(item[0]) in [key(i[0]) for i in other] for other in lists[1:])]
        common = [item for item in common if key(item[0]) not in map(key, self.parts.inner_entities)]
        sized = [item for item in common if item[2] is not None]
        if self.parts.inner_direction and sized:
            common = [max(sized, key=lambda item: self.parts.inner_direction * (item[2] or 0.0))]
        return [Thing(name, url) for name, url, _ in common]

    def members(self, riddle: Riddle) -> Steps[list[Thing]]:
        """Things whose own pages say what a question says of them."""
        wanted = wanted_of(riddle.relation, ())
        hits = yield from self.asker.search(
            [f'"{riddle.value}" {riddle.relation}', f"{riddle.value} {riddle.noun}"], 25
        )
        told = {hit.url: tells(unfolded(hit.snippet), wanted, riddle.value)[0] for hit in hits}
        likely = sorted((url for url in told if told[url]), key=lambda url: -told[url])
        pages = yield from self.asker.open(likely[:12], self.question.at)
        telling = [page for page in pages if tells(page.text, wanted, riddle.value)[0] > 1]
        found = [page.name for page in telling if len(names(page.name)) == 1 and names(page.name)[0] == page.name]
        return [Thing(name) for name in dict.fromkeys(found) if key(name) != key(riddle.value)]

    def solve(self, riddle: Riddle) -> Steps[None]:
        """Puts the name of a thing in the place of what the question says of it."""
        wanted, named = wanted_of(riddle.relation, ()), stems(riddle.value)
        queries = [f'"{riddle.value}" {riddle.relation}', f"{riddle.relation} {riddle.value}"]
        hits = yield from self.asker.search(queries, 25)
        told = [tells(unfolded(hit.snippet), wanted, riddle.value)[0] for hit in hits]
        ranked = sorted(range(len(hits)), key=lambda i: (-told[i], i))
        own_page = [hit.url for hit in hits if key(Opened("", hit.title).name) == key(riddle.value)][:1]
        pages = yield from self.asker.open([*own_page, *(hits[i].url for i in ranked[:8])], self.question.at)
        scores = [tells(page.text, wanted, riddle.value) for page in pages]
        score, row = max(scores, key=lambda told: told[0], default=(0.0, ""))
        name = (row or pages[scores.index((score, row))].name) if score > LABELLED else ""
        if not name:
            own = [page for page in pages if key(page.name) == key(riddle.value)]
            lines_of_it = [match.line for page in own for match in best(page.text, wanted, named, 3)]
            others = [n for line in lines_of_it for n in names(line.text) if key(n) != key(riddle.value)]
            name = others[0] if others else pages[0].name if pages else riddle.value
        text = self.question.text
        self.question = understand(f"{text[: riddle.start]}{name}{text[riddle.end :]}", self.question.at)
        self.parts = parts_of(self.question)

    def follow(self, span: str, part: str, name: str) -> Steps[None]:
        """Puts the name of what plays a part in something into the question, if a page names it."""
        wanted = wanted_of(part, ())
        about = yield from self.pages_about([Thing(name)], part)
        said, _ = self.choose(self.statements(about.get(name, []), wanted, name, part))
        if said is None:
            return
        linked = [text for text, _ in said.line.links]
        others = [other for other in [*linked, *entities_of(said.line.text)] if not stems(other) & stems(name)]
        if others:
            text = self.question.text.replace(span, others[0])
            self.question = understand(text, self.question.at)
            self.parts = parts_of(self.question)

    def history(self) -> Steps[str]:
        """A report on the first or last capture of a page that gives a value."""
        things = [Thing(name) for name in self.question.entities]
        about = yield from self.pages_about(things, " ".join(sorted(self.question.wanted)))
        found = [(name, page) for name, pages in about.items() for page in pages]
        if not found:
            return self.nothing()
        subject, page = max(found, key=lambda entry: len(entry[1].captures))
        value = [name for name in self.question.entities if name != subject]
        dates = sorted(
            {*page.captures, page.date} - {""},
            reverse=bool(re.search(r"\b(?:last|latest|newest)\b", self.question.text)),
        )
        for date in dates[:12]:
            for then in (yield from self.asker.open([page.url], date)):
                said, _ = self.choose(self.statements([then], self.question.wanted, subject, self.question.text))
                if said and all(stems(name) <= stems(said.line.words) for name in value) and then.date == date:
                    return cited(f"{in_words(date)}: {self.sentence(said, subject, self.question.wanted)}", then)
        return self.nothing()

    def listed(self, things: Sequence[Thing]) -> Steps[list[Thing]]:
        """Members of the set that a name in the question stands for, if its page is a list."""
        about = yield from self.pages_about(things, " ".join(sorted(self.question.wanted)))
        for name, pages in about.items():
            for page in pages:
                if key(page.name) == key(name) and (members := list_of(page)):
                    return members
        return []

    def compare(self, things: Sequence[Thing], wanted: frozenset[str]) -> Steps[str]:
        """A report on which of several things has the most or least, or how many pass a limit."""
        about = yield from self.pages_about(things, " ".join(sorted(wanted)), all_of_them=True)
        known: list[tuple[float, str, Statement]] = []
        missing = []
        for thing in things:
            chosen, _ = self.choose(self.statements(about.get(thing.name, []), wanted, thing.name, self.parts.outer))
            number = number_of(chosen.line) if chosen and chosen.score >= LABELLED - 0.45 else None
            if chosen is None or number is None:
                missing.append(thing.name)
            else:
                known.append((number, thing.name, chosen))
        if not known:
            return self.nothing()
        if self.question.kind == "count":
            return self.counted(known, missing)
        direction = self.parts.direction or 1
        known.sort(key=lambda entry: -direction * entry[0])
        number, name, said = known[0]
        what = phrase(said.line, wanted) or "value"
        most = "highest" if direction > 0 else "lowest"
        sentences = [cited(f"{name} has the {most} {what}: {_number(said)}", said.page)]
        for _, other, second in known[1:3]:
            sentences.append(cited(f"For {other} it is {_number(second)}", second.page))
        if missing:
            sentences.append(f"I found no figure for {', '.join(missing[:8])}.")
        return " ".join(sentences)

    def counted(self, known: Sequence[tuple[float, str, Statement]], missing: Sequence[str]) -> str:
        """A report on how many pass the limit that the question names."""
        given = numbers(self.parts.outer)
        limit = given[-1][0] if given else None
        below = re.search(r"\b(?:less|fewer|below|under|smaller|lower|shorter|at most)\b", self.parts.outer)
        passed = [entry for entry in known if limit is None or (entry[0] < limit if below else entry[0] > limit)]
        shown = ", ".join(name for _, name, _ in passed[:20])
        pages = [said.page for _, _, said in passed[:6]] or [known[0][2].page]
        return cited(f"{len(passed)}: {shown}" if passed else "None, 0", *pages)


def tells(text: str, wanted: frozenset[str], value: str) -> tuple[float, str]:
    """How well a line tells that something wanted has a value, 0 where none names it wholly; and for a row of a table
    of what it tells that, else an empty text."""
    named, low = stems(value), value.lower()
    found = [
        (
            match.score + 2.0 * len(named) / max(1, len(stems(match.line.text))),
            match.line.label if match.line.raw.startswith("|") else "",
        )
        for match in best(text, wanted, named, 8)
        if (named and named <= stems(match.line.words)) or low in match.line.words.lower()
    ]
    return max(found, key=lambda told: told[0], default=(0.0, ""))


def list_of(page: Opened) -> list[Thing]:
    """What a page lists, if it is a list of links and little else."""
    every = list(lines(page.text))
    linked = [link for line in every if len(line.words) < 80 for link in line.links[:1]]
    if len(linked) < 4 or len(linked) < 0.6 * len(every):
        return []
    return [Thing(text, url) for text, url in dict.fromkeys(linked) if not text[:1].islower()]


def _number(said: Statement) -> str:
    return measure(said.line.text) or said.value
