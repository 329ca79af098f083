"""The pools `ray` and `cluster`: Ray actors that run what a backlog holds, one of which may die at any time.

The driver gives each worker as much as it can run and no more, asks it what has ended, and hires another where one has
died. What was in flight on a dead worker goes back to the backlog, which bounds how often.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from murk.envs.errors import RunStopped
from murk.rollout.backlog import Backlog, Flight
from murk.rollout.build import Crew
from murk.rollout.cluster import connect
from murk.rollout.journal import read_lines
from murk.rollout.outcome import Load, Outcome
from murk.rollout.worker import Report, Worker

POLL = 1.0
LONG = 60.0
FALSE_STARTS = 8


@dataclass(slots=True)
class _Member:
    """A worker as the driver knows it.

    Attributes:
        node: Where it has to live; None for anywhere.
        poll: The question that it is to answer next.
        asked: When it was asked, on the monotonic clock.
        journal: Name of its journal; empty where it keeps none.
        known: Bytes of the journal whose episodes it has told of, some time ago and lately.
        update: The answer to new weights, before which it gets no work; None where it has those that there are.
        back: The answer to a request to give flights back; None where there is none.
        began: Whether it has ever answered.
        alone: Whether nothing else may run on it at present.
    """

    actor: Any
    node: str | None
    poll: Any
    asked: float
    journal: str = ""
    known: tuple[int, int] = (0, 0)
    update: Any = None
    back: Any = None
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
        UsageError: there is no cluster, or no place in it for a worker.
    """

    def __init__(self, crew: Crew, job: Mapping[str, Any], backlog: Backlog) -> None:
        self._crew, self._backlog = crew, backlog
        self._ours = connect(crew)
        self._job, self._folder = ray.put(dict(job)), Path(job["folder"])
        self._told, self._began = False, time.monotonic()
        self._members: list[_Member] = []
        self._false_starts = 0
        self._weights: tuple[Any, int] | None = None
        self._hire()

    def advance(self, seconds: float = 1.0) -> list[Outcome]:
        """Waits until something happens, at most so many seconds; gives the episodes that have ended for good.

        Raises:
            OSError: the disk of the run's folder is full or fails.
            RunStopped: workers die before they have begun, again and again.
            Exception: a policy cannot take new weights.
        """
        self._fill()
        waiting = [(one.poll, one.update, one.back) for one in self._members]
        answers = [answer for three in waiting for answer in three if answer is not None]
        ray.wait(answers, num_returns=1, timeout=seconds)
        ready, _ = ray.wait(answers, num_returns=len(answers), timeout=0)
        for member in self._members:
            if member.update in ready:
                _updated(member)
            if member.back in ready:
                self._given_back(member)
        ended = [outcome for member in list(self._members) if member.poll in ready for outcome in self._heard(member)]
        for member in list(self._members):
            if member.began and time.monotonic() - member.asked > self._crew.silence:
                ended += self._lost(member, f"it was silent for {self._crew.silence:g} seconds")
        self._hire()
        self._tell_of_waiting()
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
            member.update = member.actor.update.remote(*self._weights)

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
            update = actor.update.remote(*self._weights) if self._weights else None
            self._members.append(_Member(actor, node, actor.poll.remote(0.0), time.monotonic(), update=update))

    def _fill(self) -> None:
        """Gives work to all who can take it, the least busy first: a bit more than they can run, so that none waits."""
        room = self._crew.concurrency + max(2, self._crew.concurrency // 4)
        free = [one for one in self._members if one.began and not one.alone and one.update is None]
        given: dict[int, list[Flight]] = {}
        while free:
            member = min(free, key=lambda one: len(one.flights))
            if len(member.flights) >= room:
                break
            flights, member.alone = self._backlog.take(idle=not member.flights)
            if not flights:
                break
            member.flights |= {flight.episode.id: flight for flight in flights}
            given.setdefault(id(member), []).extend(flights)
            free = [one for one in free if not one.alone]
        for member in self._members:
            if flights := given.get(id(member), []):
                member.actor.submit.remote(flights)
        if not len(self._backlog):
            self._steal(free)

    def _steal(self, free: list[_Member]) -> None:
        """Asks the busiest worker for flights that it has not begun, where another has places for them."""
        busiest = max(self._members, key=lambda one: len(one.flights))
        places = self._crew.concurrency
        spare = min(len(busiest.flights) - places, sum(max(0, places - len(one.flights)) for one in free))
        if spare > 0 and busiest.back is None:
            busiest.back = busiest.actor.give_back.remote(spare)

    def _given_back(self, member: _Member) -> None:
        """A worker has said which flights it gives back."""
        back, member.back = member.back, None
        try:
            names: list[str] = ray.get(back)
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
        member.journal, member.known = report.journal, (member.known[1], report.size)
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
        if not member.began:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                reason = why.strip().rpartition("\n")[2]
                raise RunStopped(f"{self._false_starts} workers died before they had begun: {reason[:500]}")
            return []
        alone = len(member.flights) == 1
        ended = list(self._kept(member))
        return ended + self._backlog.died(list(member.flights.values()), alone)

    def _kept(self, member: _Member) -> Iterator[Outcome]:
        """Episodes that a dead worker has kept without having told of them: they are not run again."""
        path = self._folder / "journal" / member.journal
        if not member.journal or not path.is_file():
            return
        for _, entry in read_lines(path, member.known[0]):
            flight = member.flights.pop(entry["row"]["id"], None) if entry else None
            if entry and flight:
                reward = (entry["score"] or {}).get("value")
                row, worker = entry["row"], member.journal.removesuffix(".jsonl")
                steps, spent = len(row["steps"]), json.loads(row["spending"])
                yield Outcome(flight.episode, row["status"], reward, None, steps, spent, worker, flight.attempts)

    def _tell_of_waiting(self) -> None:
        """Tells once if no worker finds a place for long: a cluster may grow, or it may never."""
        if self._told or any(one.began for one in self._members) or time.monotonic() - self._began < LONG:
            return
        self._told = True
        need, there = f"{self._crew.cpus:g} CPU and {self._crew.gpus:g} GPU", ray.cluster_resources()
        has = ", ".join(f"{there.get(name, 0):g} {name}" for name in ("CPU", "GPU"))
        print(f"murk: no worker has begun yet; each needs {need}, and the cluster has {has}.", file=sys.stderr)


def _updated(member: _Member) -> None:
    """A worker has answered to new weights; raises what its policy raised."""
    try:
        ray.get(member.update)
    except RayTaskError:
        raise
    except RayError:  # it will be found dead in a moment
        return
    member.update = None
