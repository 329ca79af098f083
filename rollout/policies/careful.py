"""`careful`: plans, retries, compares sources by host and date, checks what it found, and says what it could not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from murk.rollout.policies import Start
from murk.rollout.policies.asking import Steps
from murk.rollout.policies.hops import Detective
from murk.rollout.policies.language import years
from murk.rollout.policies.patience import PatientAsker
from murk.rollout.policies.questions import Question, understand
from murk.rollout.policies.research import LABELLED, Statement, Thing
from murk.rollout.policies.results import Found, Opened
from murk.rollout.policies.script import Ask, Script, ScriptedAgent, Tools
from murk.rollout.policies.values import same

FITTING = 0.3
"""Score from which a statement of the right time is preferred to one of another time that is labelled."""


@dataclass(frozen=True, slots=True)
class Careful:
    """Believes what good sources agree on.

    Attributes:
        sources: Pages that it reads about one thing.
        tries: Times that it asks for one thing at most.
        plan: Whether it writes a plan first.
    """

    sources: int = 4
    tries: int = 8
    plan: bool = True

    def begin(self, start: Start) -> ScriptedAgent:
        """Begins an episode."""
        arguments = Tools(start.tools).arguments
        return ScriptedAgent(start, lambda message: self._research(message, arguments))

    def _research(self, message: str, arguments: Mapping[str, Sequence[str]]) -> Script:
        question = understand(message)
        if self.plan:
            tasks = {"find": "find pages on " + (", ".join(question.entities) or "the question")}
            tasks |= {"compare": "compare what they say, by host and date", "report": "report with citations"}
            updates = {name: {"task": task[:300]} for name, task in tasks.items()}
            yield Ask("Make a plan.", [("todo", {"updates": updates})])
        asker = PatientAsker(tries=self.tries, arguments=arguments)
        return (yield from _CarefulResearch(question, asker, self.sources).report())


class _CarefulResearch(Detective):
    def __init__(self, question: Question, asker: PatientAsker, sources: int) -> None:
        super().__init__(question, asker, sources)
        self.patient = asker
        self.trusted: set[str] = set()
        self.newest = ""

    def pages_about(
        self, things: Sequence[Thing], words: str, all_of_them: bool = False
    ) -> Steps[dict[str, list[Opened]]]:
        """The same, and which of the hosts stand on the shelf of authorities."""
        queries = [f"{thing.name} {words}" for thing in things if not thing.url][:6]
        if queries:
            hits = yield from self.asker.search(queries, 6, "authority", "Ask the shelf of authorities.")
            self.trusted |= {Opened(hit.url).host for hit in hits}
        about = yield from super().pages_about(things, words, all_of_them)
        return {name: [*self.newer(pages), *pages] for name, pages in about.items()}

    def newer(self, pages: Sequence[Opened]) -> list[Opened]:
        """What searches showed of later captures than came."""
        shown = [self.patient.excerpt(page.url) for page in pages if not self.question.at]
        by_url = {excerpt.url: excerpt for excerpt in shown if excerpt is not None}
        return [by_url[page.url] for page in pages if page.url in by_url and by_url[page.url].date > page.date > ""]

    def pages_for_report(self, things: Sequence[Thing]) -> Steps[dict[str, list[Opened]]]:
        """The same; where pages cannot be had whole, each facet is searched for, so that excerpts hold it."""
        about = yield from super().pages_for_report(things)
        if self.patient.partial and things:
            queries = [f"{things[0].name} {facet}" for facet in self.parts.facets]
            yield from self.asker.search(queries, 4, thought="Pages are missing; search for each facet.")
            about = yield from super().pages_for_report(things)
        return about

    def titled(self, name: str, hits: Sequence[Found]) -> list[str]:
        """Hits about a name, authorities first, and at most two of a host, so that several hosts are heard."""
        known = sorted(self.asker.hits.values(), key=lambda hit: Opened(hit.url).host not in self.trusted)
        wider = list({hit.url: hit for hit in [*hits, *known]}.values())
        heard: Counter[str] = Counter()
        chosen = []
        for url in super().titled(name, wider):
            heard[Opened(url).host] += 1
            if heard[Opened(url).host] <= 2:
                chosen.append(url)
        return chosen

    def choose(self, statements: Sequence[Statement]) -> tuple[Statement | None, list[str]]:
        """The statement with the best standing; a remark where another source says something else."""
        about = [said for said in statements if said.doubt < 1 and said.score > FITTING]
        about = about or [said for said in statements if said.score >= LABELLED] or list(statements)
        self.newest = max([self.newest, *(said.page.date for said in about)])
        labelled = [said for said in about if said.score >= LABELLED] or about
        if not labelled:
            return None, []
        ranked = sorted(labelled, key=lambda said: -self.standing(said, labelled))
        best = ranked[0]
        others = [said for said in ranked[1:] if said.score >= LABELLED and not same(said.value, best.value)]
        hosts = dict.fromkeys(said.page.host for said in others if said.page.host != best.page.host)
        remarks = [f"{host} disagrees, and I did not rely on it." for host in list(hosts)[:2]]
        return best, remarks

    def standing(self, said: Statement, all_said: Sequence[Statement]) -> float:
        """How far a statement is to be believed: how well it fits, who says it, when, and who agrees."""
        agreeing = {other.page.host for other in all_said if same(other.value, said.value)}
        trusted = 0.6 * (said.page.host in self.trusted)
        dated = 0.4 * bool(said.page.date)
        return said.score - said.doubt + trusted + dated + 0.5 * (len(agreeing) - 1) - self.age(said)

    def age(self, said: Statement) -> float:
        """A malus for what is older than what is asked for: up to 0.5."""
        told = [year for year in years(f"{said.line.label} {said.line.text}") if year > 1900]
        told = told or [int(date[:4]) for date in [said.page.date] if date[:4].isdigit()]
        wanted = int((self.question.at or self.newest)[:4] or 0)
        return min(0.5, 0.1 * max(0, wanted - max(told))) if told and wanted else 0.0

    def fact(self, things: Sequence[Thing], wanted: frozenset[str]) -> Steps[str]:
        """The same, after looking whether the page still says what was read there."""
        text = yield from super().fact(things, wanted)
        said = self.last
        if said is not None and said.value in said.line.raw and 0 < len(said.value) <= 80:
            where = {"text": said.value, "url": said.page.url}
            if self.question.at:
                where["at"] = self.question.at
            (places,) = yield from self.asker.call("Check that the page says so.", [("find", where)])
            if places.startswith("0 places"):
                text += " When I checked, I could not find this on the page again."
        return text
