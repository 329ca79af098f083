"""Content faults: what the world says is changed, not how it answers.

Such a fault looks at the task once, at the reset of an episode, and lays a `Layer` over the world: pages altered,
pages planted, words put in. Everything about the world then agrees by construction. Its units are claims, pages or
places in a result list rather than exchanges, and its draws are keyed in the same way: `u = H(seed, fault, unit)`.
Of a rule's settings it heeds `intensity`, `hosts` (of pages that may be altered) and, for spam, `shelves`.

The ledger gets an event for every exchange in which a lie was delivered: what is true, what was told, and `in` what it
was told: `hit`, `page`, `links` or `shell`; `shown` is `no` where a result is a planted page but what it shows does
not hold the lie itself; `rank` is its place in a result list, from 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import ClassVar, Protocol

from murk.envs.errors import UsageError
from murk.envs.faults import Draw, draw_of
from murk.envs.faults.faulty import Ledger, digest
from murk.envs.faults.rule import Rule
from murk.envs.records import Call, FaultEvent, Hit, LinkList, Links, Open, Page, Request, Response, Search, World
from murk.envs.seeds import derive
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.urls import host_of

KEPT = 16


@dataclass(frozen=True, slots=True)
class Lie:
    """What is untrue in a page, for the ledger.

    Attributes:
        unit: What was struck.
        draw: The unit's draw.
        truth: What is true, by name.
        lie: What is told instead, by name.
        marks: Texts by one of which the lie is told; where a response holds none of them, it does not show the lie.
    """

    unit: str
    draw: float
    truth: Mapping[str, str]
    lie: Mapping[str, str]
    marks: tuple[str, ...] = ()

    def shown_in(self, *texts: str) -> bool:
        """Whether one of the texts tells it."""
        flat = [" ".join(text.split()) for text in texts]
        return any(mark in text for mark in self.marks for text in flat)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A lie that is delivered, and how: `hit`, `page`, `links` or `shell`."""

    lie: Lie
    form: str
    shown: bool = True
    rank: int | None = None


class Witness(Protocol):
    """Takes down which lies an exchange delivers."""

    def __call__(
        self, request: Request, call: Call, raw: Response | None, response: Response, told: list[Delivered]
    ) -> None:
        """`raw` is what the world behind said; None where it was not asked."""


Layer = Callable[[World, Witness], World]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a content fault sees when an episode begins.

    Attributes:
        task: With its claims and gold pages.
        web: The world as the content faults laid so far leave it; what is asked of it costs the agent nothing.
        base: The snapshot behind it all.
        rule: Intensity, hosts and shelves of the fault.
        seed: Of the fault.
    """

    task: Task
    web: World
    base: Snapshot
    rule: Rule
    seed: int

    def struck(self, unit: str, chance: float = 1.0) -> Draw | None:
        """The draw of a unit that is struck, None for one that is not.

        Args:
            unit: Its name.
            chance: Chance that it is struck at intensity 1.
        """
        draw = draw_of(self.seed, unit)
        return replace(draw, value=draw.value / chance) if draw.value < self.rule.intensity * chance else None

    def aims_at(self, url: str) -> bool:
        """Whether a page lies on one of the hosts that the rule names."""
        return any(fnmatchcase(host_of(url), pattern.lower()) for pattern in self.rule.hosts or ("*",))

    def search(self, query: str, k: int = 10) -> tuple[Hit, ...]:
        """Pages about a query; none where the world fails."""
        found = self.web.answer(Search(query, k), Call())
        return getattr(found, "hits", ())

    def page(self, url: str, at: str | None = None) -> Page | None:
        """A page, None where there is none."""
        found = self.web.answer(Open(url, at), Call())
        return found if isinstance(found, Page) else None

    def links(self, url: str) -> LinkList:
        """The links of a page, none where it does not exist."""
        found = self.web.answer(Links(url), Call())
        return found if isinstance(found, LinkList) else LinkList(url, ())


class ContentFault:
    """A fault that changes what the world says; a base class. It strikes no exchange.

    Attributes:
        lasting: Whether its layers keep nothing of an episode, nor of the scene's `web`, so that one may be laid over
            all episodes that have the same task, faults and seed; the last `KEPT` are.
    """

    family: ClassVar[str] = "content"
    requests: ClassVar[tuple[type, ...]] = ()
    lasting: ClassVar[bool] = False

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        """Leaves the exchange as it is."""
        return inner.answer(request, call)

    def plan(self, scene: Scene) -> Layer | None:
        """What is laid over the world in this episode; None where nothing is struck."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Scribe:
    name: str
    intensity: float
    ledger: Ledger

    def __call__(
        self, request: Request, call: Call, raw: Response | None, response: Response, told: list[Delivered]
    ) -> None:
        if not told:
            return
        before, after = digest(raw) if raw is not None else "", digest(response)
        for item in told:
            self.ledger.events.append(self._event(request, call, item, before, after))

    def _event(self, request: Request, call: Call, item: Delivered, before: str, after: str) -> FaultEvent:
        lie = item.lie
        how = {"in": item.form, "shown": "yes" if item.shown else "no"}
        how |= {"rank": str(item.rank)} if item.rank is not None else {}
        place = self.name, "content", call.step, request.key, lie.unit, lie.draw, self.intensity
        return FaultEvent(*place, before, after, lie.truth, {**lie.lie, **how})


def content_world(
    inner: World, base: Snapshot, task: Task, rules: Mapping[str, Rule], seed: int, ledger: Ledger
) -> World:
    """A world behind the content faults among some rules, for one episode.

    Args:
        inner: What answers the agent.
        base: The snapshot behind it.
        task: Which claims are at stake.
        rules: Faults by name; those that are no content faults are passed over.
        seed: Of the episode's realisation of the faults.
        ledger: Gets an event for each lie that is delivered.

    Raises:
        UsageError: a rule has a setting that means nothing for a content fault.
    """
    planning: World = base
    behind: tuple[tuple[object, ...], ...] = ()
    for name in sorted(rules):
        rule = rules[name]
        if not isinstance(rule.fault, ContentFault):
            continue
        _check(name, rule)
        if rule.intensity == 0:
            continue
        behind += ((name, type(rule.fault), repr(rule)),)
        scene = Scene(task, planning, base, rule, derive(seed, name))
        layer = _kept(_Plan((base, repr(task), seed, behind), scene)) if rule.fault.lasting else rule.fault.plan(scene)
        if layer is not None:
            planning = layer(planning, _unseen)
            inner = layer(inner, _Scribe(name, rule.intensity, ledger))
    return inner


@dataclass(frozen=True, slots=True)
class _Plan:
    """A fault's plan for a task, named by all that it follows from."""

    name: tuple[object, ...]
    scene: Scene = field(compare=False)


@lru_cache(maxsize=KEPT)
def _kept(plan: _Plan) -> Layer | None:
    fault = plan.scene.rule.fault
    assert isinstance(fault, ContentFault)
    return fault.plan(plan.scene)


def _unseen(request: Request, call: Call, raw: Response | None, response: Response, told: list[Delivered]) -> None:
    """A witness of what is only planned."""


def _check(name: str, rule: Rule) -> None:
    if rule.schedule != "transient" or rule.onset or rule.at_most is not None or rule.tools:
        raise UsageError(f"fault {name}: schedule, onset, at_most and tools are not for content faults.")
