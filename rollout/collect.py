"""The pools `ray` and `cluster`: Ray actors that run what a backlog holds, one of which may die at any time.

The driver gives each worker as much as it can run and no more, asks it what has ended, and hires another where one has
died. What was in flight on a dead worker goes back to the backlog, which bounds how often.
"""

import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from murk.envs.errors import UsageError
from murk.rollout.backlog import Backlog, Flight
from murk.rollout.build import Crew
from murk.rollout.outcome import Load, Outcome
from murk.rollout.worker import Report, Worker

STORE_BYTES = 256 << 20
POLL = 1.0
FALSE_STARTS = 8


@dataclass(slots=True)
class _Member:
    """A worker as the driver knows it.

    Attributes:
        node: Where it has to live; None for anywhere.
        poll: The question that it is to answer next.
        asked: When it was asked, on the monotonic clock.
        began: Whether it has ever answered.
        alone: Whether nothing else may run on it at present.
    """

    actor: Any
    node: str | None
    poll: Any
    asked: float
    began: bool = False
    alone: bool = False
    flights: dict[str, Flight] = field(default_factory=dict)


class RayPool:
    """Runs what a backlog holds on Ray actors.

    Args:
        crew: How many there are, and what each may use.
        job: What `murk.rollout.build.job` gives.
        backlog: What to run; it may grow at any time.

    Raises:
        UsageError: there is no cluster at the address.
    """

    def __init__(self, crew: Crew, job: Mapping[str, Any], backlog: Backlog) -> None:
        self._crew, self._backlog = crew, backlog
        self._ours = connect(crew)
        self._job = ray.put(dict(job))
        self._members: list[_Member] = []
        self._false_starts = 0
        self._weights: tuple[Any, int] | None = None
        self._hire()

    def advance(self, seconds: float = 1.0) -> list[Outcome]:
        """Waits until something happens, at most so many seconds; gives the episodes that have ended for good.

        Raises:
            OSError: the disk of the run's folder is full or fails.
            RuntimeError: workers die before they have begun, again and again.
        """
        self._fill()
        polls = [member.poll for member in self._members]
        ray.wait(polls, num_returns=1, timeout=seconds)
        ready, _ = ray.wait(polls, num_returns=len(polls), timeout=0)
        ended = [outcome for member in list(self._members) if member.poll in ready for outcome in self._heard(member)]
        for member in list(self._members):
            if member.began and time.monotonic() - member.asked > self._crew.silence:
                ended += self._lost(member, f"it was silent for {self._crew.silence:g} seconds")
        self._hire()
        return ended

    def load(self) -> Load:
        """How busy it is."""
        flying, places = sum(len(one.flights) for one in self._members), self._crew.concurrency
        running = sum(min(len(one.flights), places) for one in self._members)
        return Load(len(self._backlog) + flying - running, running, len(self._members), self._backlog.retried)

    def update(self, weights: Any, version: int) -> None:
        """Gives new weights to the policies that take them, on all workers, those of the future as well."""
        self._weights = ray.put(weights), version
        for member in self._members:
            member.actor.update.remote(*self._weights)

    def close(self) -> None:
        """Ends the workers, and Ray where this began it."""
        for member in self._members:
            ray.kill(member.actor)
        self._members.clear()
        if self._ours:
            ray.shutdown()

    def _hire(self) -> None:
        """Makes as many workers as there should be while anything waits; the first ones in any case."""
        if self._members and not len(self._backlog):
            return
        crew, hosts = self._crew, [member.node for member in self._members]
        wanted: list[str | None] = [None] * ((crew.actors or 0) - hosts.count(None))
        if crew.per_host:
            alive = sorted(node["NodeID"] for node in ray.nodes() if node["Alive"])
            wanted = [node for node in alive for _ in range(crew.per_host - hosts.count(node))]
        for node in wanted:
            place = NodeAffinitySchedulingStrategy(node, soft=False) if node else "SPREAD"
            options = {"num_cpus": crew.cpus, "num_gpus": crew.gpus, "scheduling_strategy": place}
            actor = Worker.options(**options).remote(self._job, crew.concurrency, crew.patience)  # type: ignore[attr-defined]
            if self._weights:
                actor.update.remote(*self._weights)
            self._members.append(_Member(actor, node, actor.poll.remote(0.0), time.monotonic()))

    def _fill(self) -> None:
        """Gives work to all who can take it, the least busy first: a bit more than they can run, so that none waits."""
        room = self._crew.concurrency + max(2, self._crew.concurrency // 4)
        free = [one for one in self._members if one.began and not one.alone]
        while free:
            member = min(free, key=lambda one: len(one.flights))
            if len(member.flights) >= room:
                return
            flights, member.alone = self._backlog.take(idle=not member.flights)
            if not flights:
                break
            member.flights |= {flight.episode.id: flight for flight in flights}
            member.actor.submit.remote(flights)
            free = [one for one in free if not one.alone]
        if any(not one.flights for one in free):
            self._steal()

    def _steal(self) -> None:
        """Takes flights that have not begun from the busiest worker, for one that has nothing to do."""
        member = max(self._members, key=lambda one: len(one.flights))
        spare = len(member.flights) - self._crew.concurrency
        if spare <= 0:
            return
        try:
            names = ray.get(member.actor.give_back.remote(-(-spare // 2)), timeout=self._crew.silence)
        except RayError:  # it will be found dead in a moment
            return
        self._backlog.put_back([member.flights.pop(name) for name in names if name in member.flights])

    def _heard(self, member: _Member) -> list[Outcome]:
        """What a worker has answered; asks it again."""
        try:
            report: Report = ray.get(member.poll)
        except RayError as error:
            return self._lost(member, str(error))
        member.began, self._false_starts = True, 0
        member.poll, member.asked = member.actor.poll.remote(POLL), time.monotonic()
        final = []
        for outcome in report.outcomes:
            flight = member.flights.pop(outcome.episode.id, None)
            if flight is not None and self._backlog.ended(flight, outcome):
                final.append(outcome)
        member.alone = member.alone and bool(member.flights)
        if report.failed:
            raise OSError(report.failed)
        return final

    def _lost(self, member: _Member, why: str) -> list[Outcome]:
        """A worker has died, or is ended because it does not answer; gives the ends of episodes that are given up."""
        ray.kill(member.actor)
        self._members.remove(member)
        if member.began:
            return self._backlog.died(list(member.flights.values()), len(member.flights) == 1)
        self._false_starts += 1
        if self._false_starts >= FALSE_STARTS:
            raise RuntimeError(f"{self._false_starts} workers died before they had begun: {why}")
        return []


def connect(crew: Crew) -> bool:
    """Connects to the cluster at the crew's address, or begins one on this machine; whether it was begun here.

    Raises:
        UsageError: there is no cluster at the address.
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if crew.address is None:
        cores = max(os.cpu_count() or 1, math.ceil((crew.actors or crew.per_host or 1) * crew.cpus))
        ray.init(num_cpus=cores, include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
        return True
    try:
        ray.init(address=crew.address, **quiet)
    except ConnectionError as error:
        raise UsageError(f"no Ray cluster answers at address {crew.address!r}: {str(error)[:200]}.") from None
    return True
