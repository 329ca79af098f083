"""Whether a storm leaves a task solvable, and whether what it plants is met: scripted paths through a world.

A path is what a patient agent can do that is told where to look: open the gold page, again after failures and waits;
ask for other captures; search by the question, the page's title, and the subject with what is asked of it; open what
was found and what is linked. It ends where the evidence is shown in a way that a report can cite: by the gold page its
quote, by another page the claim, or either by a search result whose page can be opened, however little that shows.

Draws are keyed and no sequence, so a route that leads nowhere can be taken back: clock, calls and attempts are as they
were, and what counts is the path itself, not the looking for it. Only `onset` and `at_most` count what was taken back.
An exchange is a call, and so is a wait. Renamed arguments and fields are taken to be understood; no command is run.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from murk.envs.budget import Budget, Spending
from murk.envs.faults.claims import Claim, claims_of
from murk.envs.faults.content import ContentFault, Scene
from murk.envs.faults.faulty import FaultyWorld
from murk.envs.faults.injection import Injection
from murk.envs.faults.misinformation import Misinformation, is_about
from murk.envs.faults.restate import restated, value
from murk.envs.faults.rule import Rule, place_of
from murk.envs.faults.spam import Spam
from murk.envs.faults.storm import Storm
from murk.envs.records import Call, Failure, Hits, LinkList, Links, Open, Page, Request, Search
from murk.envs.seeds import derive
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.text import words

BUDGET = Budget(calls=50, seconds=3_600.0)
"""What a path may cost where nobody says more: the steps of an episode, and an hour of simulated time."""
TRIES, WAIT = 8, 30.0
"""How often one thing is asked for, and seconds by which waits grow from every second failure on, if none is told."""
FOUND, OPENED, CAPTURES = 10, 5, 4
"""Results of a search, pages opened of those, and other captures of a page that are asked for."""
SHELVES = ("web", "authority", "library")
SHORT, VERDICTS = 3, ("true", "false")
"""Answers of so few characters, and these, are no evidence where a page happens to hold them."""


@dataclass(frozen=True, slots=True)
class Way:
    """Whether the evidence of a task can be reached, and how.

    Attributes:
        task: Id of the task.
        solvable: None where the task names no gold page, so that nothing can be said.
        path: In words, one for each piece of evidence that is reached.
        calls: Tool calls of the path.
        seconds: Simulated seconds of the path.
        missing: The pieces of evidence that no path reaches, as `url: quote`.
        reason: Why the first of them is missing: `not in the snapshot`, `budget` (it cut a route short), the fault that
            struck most of the attempts to open its page, or `no path`. Empty for a task that is solvable.
    """

    task: str
    solvable: bool | None
    path: tuple[str, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    missing: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plant:
    """Something that a storm plants for a task.

    Attributes:
        fault: Name of the fault.
        unit: What was struck, as the draw was keyed: a claim, a page, a place in results.
        reached: Form and request of its first delivery; None where no scripted path met it.
    """

    fault: str
    unit: str
    reached: str | None


class _Spent(Exception):
    """The budget is spent."""


@dataclass
class _Walk:
    """A path through a world, with its clock."""

    world: FaultyWorld
    budget: Budget = field(default_factory=Budget)
    calls: int = 0
    seconds: float = 0.0
    over: bool = False
    attempts: dict[str, int] = field(default_factory=dict)
    how: str = ""
    struck: Counter[str] = field(default_factory=Counter)

    def ask(self, request: Request, enough: Callable[[Any], object]) -> Any:
        """The first answer that is enough; None where none comes. `how` then tells in words what it took, and `struck`
        how often each fault fired; not those that only add something, which hide nothing."""
        self.struck = Counter()
        waited, before, tool = 0.0, None, "links" if isinstance(request, Links) else "batch_web_surfer"
        for attempt in range(TRIES):
            number = self.attempts[request.key] = self.attempts.get(request.key, -1) + 1
            first = len(self.world.ledger.events)
            answer = self.world.answer(request, Call(tool, self.calls, 0, number, self.seconds))
            self.struck.update(e.fault for e in self.world.ledger.events[first:] if "canary" not in e.lie)
            self._spend(answer.cost)
            if enough(answer):
                self.how = f" at attempt {attempt + 1}" * bool(attempt) + f" after waiting {waited:g} s" * bool(waited)
                return answer
            if isinstance(answer, Failure):
                wait = answer.retry_after or attempt // 2 * WAIT
                waited += wait
                if wait:
                    self._spend(wait)
            elif answer == before:
                return None
            before = answer
        return None

    def tried(self, route: Callable[[], str | None]) -> str | None:
        """What a route says of itself; None where it leads nowhere, and then it is taken back."""
        mark = self.calls, self.seconds, dict(self.attempts)
        try:
            if said := route():
                return said
        except _Spent:
            self.over = True
        self.calls, self.seconds, self.attempts = mark
        return None

    def _spend(self, seconds: float) -> None:
        self.calls, self.seconds = self.calls + 1, round(self.seconds + seconds, 6)
        if self.budget.exceeded(Spending(self.calls, seconds=self.seconds)) is not None:
            raise _Spent


@dataclass(frozen=True, slots=True)
class _Gold:
    """A piece of evidence: a page with what it is to show.

    Attributes:
        texts: What its page shows, of which one is enough, or all if `whole`; none where the snapshot has no such page.
        claims: What another page about the same is to state.
    """

    url: str
    at: str | None
    title: str
    texts: tuple[str, ...]
    whole: bool
    claims: tuple[Claim, ...]

    def shown(self, url: str, title: str, text: str) -> bool:
        """Whether a page, or a part of it, shows the evidence."""
        page = Page(url, title, text)
        if place_of(url) == place_of(self.url) or (not self.claims and not self.whole and is_about(page, self.title)):
            flat = _flat(text)
            if (all if self.whole else any)(text in flat for text in self.texts):
                return True
        return bool(self.claims) and all(_states(page, claim) for claim in self.claims)

    @property
    def queries(self) -> list[str]:
        """What to search for besides the question."""
        about = [f"{claim.subject} {more}" for claim in self.claims for more in (claim.relation, claim.true)]
        return [self.title, *about]


def solvable(world: FaultyWorld, base: Snapshot, task: Task, budget: Budget = BUDGET) -> Way:
    """Whether and by which path the gold evidence of a task can be reached within a budget.

    That the script finds no path is no proof that there is none. What is found is an episode that can be had.

    Args:
        world: The task's world behind a storm, as a new episode has it.
        base: The snapshot behind it.
        task: With `gold`, and where known `claims` and `answer`.
        budget: Of which calls and seconds count; the task's own limits come first.

    Raises:
        UsageError: the task's own budget is wrong.
    """
    limits = Budget.of({"calls": budget.calls, "seconds": budget.seconds} | dict(task.budget))
    search = _Looking(_Walk(world, limits), task.question)
    path, missing, reason = [], [], ""
    pieces = _evidence(base, task)
    for piece in pieces:
        if said := search.find(piece):
            path.append(said)
        else:
            missing.append(f"{piece.url}: {piece.texts[0]}" if piece.texts and not piece.whole else piece.url)
            reason = reason or (search.reason if piece.texts else "not in the snapshot")
    walk = search.walk
    done = not missing if pieces else None
    return Way(task.id, done, tuple(dict.fromkeys(path)), walk.calls, walk.seconds, tuple(missing), reason)


@dataclass
class _Looking:
    """The search for a path: routes in their order, and what those that are kept have shown."""

    walk: _Walk
    question: str
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    visited: dict[str, None] = field(default_factory=dict)
    reason: str = ""

    def find(self, gold: _Gold) -> str | None:
        """How a piece of evidence is reached, in words; None where it is not."""
        self.visited, self.walk.over = {}, False
        if any(gold.shown(*page) for page in self.seen):
            return "shown by what was opened before"
        said = self.walk.tried(partial(self._open, gold, gold.url, gold.at))
        struck = self.walk.struck.most_common(1)
        said = said or next(filter(None, map(self.walk.tried, self._routes(gold))), None)
        self.reason = "budget" if self.walk.over else struck[0][0] if struck else "no path"
        return said

    def _routes(self, gold: _Gold) -> Iterator[Callable[[], str | None]]:
        for date in self._captures(gold):
            yield partial(self._open, gold, gold.url, date)
        for query in dict.fromkeys([self.question, *gold.queries]):
            for shelf in SHELVES:
                yield partial(self._search, gold, query, shelf)
        yield partial(self._links, gold)

    def _captures(self, gold: _Gold) -> Sequence[str]:
        """Other dates at which the page can be asked for, the newest first."""
        dates: list[str] = []

        def route() -> None:
            if page := self.walk.ask(Open(gold.url), lambda answer: isinstance(answer, Page)):
                dates.extend(date for date in reversed(page.captures) if date != gold.at)

        self.walk.tried(route)
        return dates[:CAPTURES]

    def _open(self, gold: _Gold, url: str, at: str | None = None) -> str | None:
        page = self.walk.ask(Open(url, at), lambda answer: isinstance(answer, Page) and gold.shown(*_parts(answer)))
        if page is None:
            return None
        self.seen.append(_parts(page))
        return "open" + (f" as of {at}" if at and at != gold.at else "") + self.walk.how

    def _cite(self, url: str) -> str | None:
        page = self.walk.ask(Open(url), lambda answer: isinstance(answer, Page))
        return f"open{self.walk.how}" if page else None

    def _search(self, gold: _Gold, query: str, shelf: str) -> str | None:
        answer = self.walk.ask(Search(query, FOUND, shelf), lambda answer: isinstance(answer, Hits) and answer.hits)
        where = f"{query!r}" + (f" on the shelf {shelf}" if shelf != "web" else "") + self.walk.how
        hits = answer.hits if answer else ()
        for rank, hit in enumerate(hits, 1):
            part = hit.url, hit.title, f"{hit.snippet}\n{hit.content}"
            if gold.shown(*part) and (said := self.walk.tried(partial(self._cite, hit.url))):
                self.seen.append(part)
                return f"shown by search result {rank} of {where}, {said}"
        for rank, hit in enumerate(hits[:OPENED], 1):
            if said := self._visit(gold, hit.url):
                return f"search result {rank} of {where}, {said}"
        return None

    def _links(self, gold: _Gold) -> str | None:
        answer = self.walk.ask(Links(gold.url, gold.at), lambda answer: isinstance(answer, LinkList))
        wanted = frozenset(words(" ".join([self.question, *gold.queries])))
        links = [link for link in (answer.links if answer else ()) if link.inside]
        links.sort(key=lambda link: -len(wanted.intersection(words(f"{link.text} {link.url}"))))
        how = self.walk.how
        for link in links[:OPENED]:
            if said := self._visit(gold, link.url):
                return f"links of {gold.url}{how}, {said} {link.url}"
        return None

    def _visit(self, gold: _Gold, url: str) -> str | None:
        """Opens a page that was not opened in vain before."""
        if url in self.visited or place_of(url) == place_of(gold.url):
            return None
        self.visited[url] = None
        return self.walk.tried(partial(self._open, gold, url))


def planted(storm: Storm, base: Snapshot, task: Task, seed: int) -> tuple[Plant, ...]:
    """What a storm plants for a task, and whether it is met by searching the question and the subjects, opening the
    gold pages, and opening the first results.

    Of injections those on the pages opened count, of spam the places in those results, of misinformation all claims
    that are struck, of other content faults what is met. Not counted are injections into commands.

    Args:
        storm: The storm.
        base: The snapshot behind it.
        task: With `gold`, and where known `claims`.
        seed: Of the run, as `Storm.around` takes it; of the samples of the task it is the first.
    """
    walk = _Walk(storm.around(base, base, seed, task, 0))
    claims = claims_of(_plain_scene(base, task), "auto", "")
    queries = dict.fromkeys([task.question, *(claim.subject for claim in claims if claim.subject)])
    pages = {(str(gold["url"]), gold.get("at")): None for gold in _golds(task)}
    for query in queries:
        hits = walk.ask(Search(query, FOUND), lambda answer: isinstance(answer, Hits) and answer.hits)
        pages |= {(hit.url, None): None for hit in (hits.hits[:OPENED] if hits else ())}
    for url, at in pages:
        walk.ask(Open(url, at), lambda answer: isinstance(answer, Page))
    reached: dict[tuple[str, str], str] = {}
    for event in walk.world.ledger.events:
        if event.kind == "content" and event.lie.get("shown") != "no":
            reached.setdefault((event.fault, event.unit), f"{event.lie.get('in', '')} of {event.key}")
    own = derive(seed, task.id) if storm.scope == "task" else derive(seed, task.id, 0)
    wanted: dict[tuple[str, str], None] = {}
    for name, rule in storm.rules.items():
        if isinstance(rule.fault, ContentFault):
            scene = Scene(task, base, base, rule, derive(own, name))
            wanted |= {(name, unit): None for unit in _struck(scene, list(queries), [url for url, _ in pages])}
    return tuple(Plant(*item, reached.get(item)) for item in dict.fromkeys([*wanted, *reached]))


def _struck(scene: Scene, queries: Sequence[str], urls: Sequence[str]) -> Iterator[str]:
    """The units of a content fault that are struck, as far as they concern these queries and pages."""
    fault = scene.rule.fault
    units: list[str] = []
    if isinstance(fault, Misinformation):
        units = [f"claim {claim.id}" for claim in claims_of(scene, fault.source, fault.path)]
    elif isinstance(fault, Spam) and "web" in (scene.rule.shelves or ("web",)):
        flat = [" ".join(query.casefold().split()) for query in queries]
        units = [f"place {place} {query}" for query in flat for place in range(FOUND)]
    elif isinstance(fault, Injection) and set(fault.places) != {"shell"}:
        held = [page.url for url in urls if (page := scene.page(url)) is not None]
        units = [f"page {url}" for url in dict.fromkeys(held) if scene.aims_at(url)]
    share = fault.share if isinstance(fault, Spam) else 1.0
    return (unit for unit in units if scene.struck(unit, share) is not None)


def _evidence(base: Snapshot, task: Task) -> list[_Gold]:
    scene, answer = _plain_scene(base, task), task.more.get("answer") or {}
    claims = claims_of(scene, "task", "")
    answers = [str(text) for text in (answer.get("value") or "", *(answer.get("aliases") or ()))]
    pieces = []
    for gold in _golds(task):
        url, at, quote = str(gold["url"]), gold.get("at"), _flat(str(gold.get("quote") or ""))
        page = scene.page(url, at)
        flat = _flat(page.text) if page else ""
        texts = (
            [quote] if quote else [a for a in map(_flat, answers) if len(a) > SHORT and a.casefold() not in VERDICTS]
        )
        texts = [text for text in texts if text in flat]
        whole = not texts and not quote and page is not None
        if whole and page is not None:
            texts = [_flat(part) for part in page.text.split("\n\n")]
        own = [claim for claim in claims if claim.url == url and not claim.sentence and _in_quote(claim, quote)]
        title = page.title.split(" - ")[0].strip() if page else ""
        pieces.append(_Gold(url, at, title, tuple(texts), whole, tuple(own)))
    return pieces


def _golds(task: Task) -> list[dict[str, Any]]:
    return [gold for gold in task.more.get("gold") or () if gold.get("url")]


def _plain_scene(base: Snapshot, task: Task) -> Scene:
    """The world as it truly is."""
    return Scene(task, base, base, Rule(Misinformation()), 0)


def _in_quote(claim: Claim, quote: str) -> bool:
    found = value(claim.true, claim.false)
    return found is not None and (not quote or found.pattern.search(quote) is not None)


def _states(page: Page, claim: Claim) -> bool:
    """Whether a page states a claim: by the rule of misinformation, it would be altered."""
    found = value(claim.true, claim.false)
    about = is_about(page, claim.subject)
    return found is not None and restated(page.text, found, claim.subject, claim.relation, about) != page.text


def _parts(page: Page) -> tuple[str, str, str]:
    return page.url, page.title, page.text


def _flat(text: str) -> str:
    return " ".join(text.split())
