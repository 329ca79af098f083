"""The figures of a run while it goes on: what has ended, what it cost, how fast it goes. Nothing here prints or writes.

They are about the machine and what a person watches; no digest covers them.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from murk.rollout.outcome import Load, Outcome

WINDOW = 30.0
_ENOUGH = 10  # episodes that must have ended within the window before the estimate of the end trusts its pace
_ASKED, _HIT = "_asked", "_hit"


@dataclass(slots=True)
class Group:
    """Episodes of one policy under one storm at one intensity.

    Attributes:
        statuses: Count by status.
        rewards: Their sum.
        scored: Episodes that have a reward.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    rewards: float = 0.0
    scored: int = 0

    @property
    def mean(self) -> float | None:
        """Mean reward; None where no episode has one."""
        return self.rewards / self.scored if self.scored else None


class Rates(NamedTuple):
    """What happens in a second: episodes ended, tokens read and written, tool calls."""

    episodes: float
    tokens: float
    calls: float


class _Mark(NamedTuple):
    at: float
    episodes: int
    tokens: float
    calls: float


class Tally:
    """Collects outcomes and loads.

    Args:
        total: Episodes of the run.
        done: Those that were there before; they count for nothing but the share that is done.
        storm: Name of the run's storm.
        clock: Seconds that never go back.

    Attributes:
        groups: By policy, storm and intensity.
        sums: Of all that was spent, by name.
        episodes: Ended since the tally began.
        errors: Those of them that errored.
        tokens: As the budget counts them, or where it does not, read and written.
        calls: Of tools.
        load: The last that was heard.
    """

    def __init__(self, total: int, done: int = 0, storm: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.before, self.storm, self.clock = total, done, storm, clock
        self.groups: dict[tuple[str, str, float], Group] = {}
        self.sums: dict[str, float] = {}
        self.episodes = self.errors = 0
        self.tokens = self.calls = 0.0
        self.load = Load(total - done, 0, 0, 0)
        self._again = 0
        self._began = clock()
        self._marks = deque([_Mark(self._began, 0, 0.0, 0.0)])

    def add(self, outcome: Outcome) -> None:
        """An episode has ended."""
        episode, spent = outcome.episode, outcome.spending
        key = (episode.policy, self.storm, episode.intensity)
        if (group := self.groups.get(key)) is None:
            group = self.groups[key] = Group()
        group.statuses[outcome.status] = group.statuses.get(outcome.status, 0) + 1
        if outcome.reward is not None:
            group.rewards += outcome.reward
            group.scored += 1
        self.episodes += 1
        self.errors += outcome.status == "errored"
        self._again += outcome.attempts - 1
        for name, amount in spent.items():
            self.sums[name] = self.sums.get(name, 0.0) + amount
        tokens = spent.get("tokens")
        self.tokens += spent.get("tokens_in", 0.0) + spent.get("tokens_out", 0.0) if tokens is None else tokens
        self.calls += spent.get("calls", 0.0)
        self._mark()

    def hear(self, load: Load) -> None:
        """How busy the run is now."""
        self.load = load
        self._mark()

    @property
    def done(self) -> int:
        """Episodes that are done, those from before included."""
        return self.before + self.episodes

    @property
    def retried(self) -> int:
        """Episodes begun again: as the load said, or as the outcomes do, who may know of more by now."""
        return max(self.load.retried, self._again)

    @property
    def seconds(self) -> float:
        """Since the tally began."""
        return self.clock() - self._began

    def rates(self) -> Rates:
        """Over the whole run."""
        return self._since(_Mark(self._began, 0, 0.0, 0.0))

    def recent(self) -> Rates:
        """Over the last 30 seconds or so."""
        self._forget(self.clock())
        return self._since(self._marks[0])

    def left(self) -> float | None:
        """Seconds until the run is done, at the pace of late; None while there is no telling."""
        if self.done >= self.total:
            return 0.0
        recent = self.recent()
        enough = self.episodes - self._marks[0].episodes >= _ENOUGH
        pace = (recent if enough else self.rates()).episodes
        return (self.total - self.done) / pace if pace else None

    def _since(self, mark: _Mark) -> Rates:
        seconds = self.clock() - mark.at
        if seconds <= 0:
            return Rates(0.0, 0.0, 0.0)
        gained = (self.episodes - mark.episodes, self.tokens - mark.tokens, self.calls - mark.calls)
        return Rates(*(amount / seconds for amount in gained))

    def _mark(self) -> None:
        now = self.clock()
        if now - self._marks[-1].at >= 1.0:
            self._marks.append(_Mark(now, self.episodes, self.tokens, self.calls))
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Keeps one mark from before the window, so that the rates always span all of it."""
        while len(self._marks) > 1 and self._marks[1].at <= now - WINDOW:
            self._marks.popleft()


def caches(sums: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """What each cache was asked for, what it had, and the share of it; a cache is what counts `NAME_asked`.

    >>> caches({"retrievals_asked": 4.0, "retrievals_hit": 3.0, "tokens": 9.0})
    {'retrievals': {'asked': 4.0, 'hit': 3.0, 'rate': 0.75}}
    """
    found: dict[str, dict[str, float | None]] = {}
    for name in sorted(name.removesuffix(_ASKED) for name in sums if name.endswith(_ASKED)):
        asked, hit = sums[name + _ASKED], sums.get(name + _HIT, 0.0)
        found[name] = {"asked": asked, "hit": hit, "rate": round(hit / asked, 6) if asked else None}
    return found
