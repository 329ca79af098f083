"""The backlog of a run: what is still to be run, and what becomes of episodes whose worker died or that broke.

It knows neither workers nor Ray: the pools (`local`, `collect`) take from it and tell it how things ended.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from murk.rollout.build import Episode
from murk.rollout.outcome import Outcome

ALONE = 2
_FIRST = -(1 << 62)


@dataclass(slots=True)
class Flight:
    """An episode on its way.

    Attributes:
        episode: Which one.
        attempts: How often it has been begun.
        deaths: How many workers have died while they ran it.
        alone: How many of them ran nothing else.
    """

    episode: Episode
    attempts: int = 0
    deaths: int = 0
    alone: int = 0


class Backlog:
    """Groups of episodes that wait, the most urgent first.

    An episode that broke off with an error is run again, and one whose worker died as well, `retries` times each. After
    that an episode whose workers keep dying is a suspect: it runs alone on a worker, so that it takes nobody with it,
    and is given up when a second worker has died that ran nothing else. So nothing is blamed that only stood near.

    Args:
        retries: How often an episode is run again, from 0.
    """

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries
        self._groups: list[tuple[int, int, list[Flight]]] = []
        self._suspects: list[Flight] = []
        self._order = count()
        self.retried = 0

    def __len__(self) -> int:
        """Episodes that wait."""
        return sum(len(group) for _, _, group in self._groups) + len(self._suspects)

    def add(self, episodes: Iterable[Episode], priority: int = 0) -> None:
        """Adds a group, which one worker is to run.

        Args:
            priority: Groups with a smaller number come first; of equal ones the first added.
        """
        if flights := [Flight(episode) for episode in episodes]:
            heapq.heappush(self._groups, (priority, next(self._order), flights))

    def take(self, idle: bool) -> tuple[list[Flight], bool]:
        """The flights that a worker is to begin, and whether nothing else may run on it meanwhile.

        Args:
            idle: Whether it runs nothing at present; only then it may get a suspect.
        """
        if self._suspects and idle:
            taken, alone = [self._suspects.pop(0)], True
        elif self._groups:
            taken, alone = heapq.heappop(self._groups)[2], False
        else:
            return [], False
        for flight in taken:
            flight.attempts += 1
        return taken, alone

    def put_back(self, flights: Sequence[Flight]) -> None:
        """Takes back flights that were never begun: they come first, one by one."""
        for flight in flights:
            flight.attempts -= 1
            heapq.heappush(self._groups, (_FIRST, next(self._order), [flight]))

    def ended(self, flight: Flight, outcome: Outcome) -> bool:
        """Whether this is the end of an episode; if it broke off with an error, it may be begun again."""
        if outcome.status != "errored" or flight.attempts - flight.deaths > self._retries:
            return True
        self._again(flight)
        return False

    def died(self, flights: Sequence[Flight], alone: bool) -> list[Outcome]:
        """The worker of these flights has died; gives the ends of those that are given up."""
        given_up = []
        for flight in flights:
            flight.deaths += 1
            flight.alone += alone
            if flight.alone >= ALONE and flight.deaths > self._retries:
                told = f"{flight.deaths} workers died while they ran it, {flight.alone} of them running nothing else"
                end = Outcome(flight.episode, "errored", error=f"quarantined: {told}", attempts=flight.attempts)
                given_up.append(end)
            elif flight.deaths >= max(1, self._retries):
                self.retried += 1
                self._suspects.append(flight)
            else:
                self._again(flight)
        return given_up

    def _again(self, flight: Flight) -> None:
        self.retried += 1
        heapq.heappush(self._groups, (_FIRST, next(self._order), [flight]))
