"""The Ray actor: a thin shell around the engine. Only data crosses: settings come in, outcomes go out."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from murk.rollout.backlog import Flight
from murk.rollout.build import Plan, plan_of
from murk.rollout.engine import Engine
from murk.rollout.nodes import local_snapshot
from murk.rollout.outcome import Outcome
from murk.rollout.run import is_here
from murk.rollout.store import Store

GATHER = 0.02  # seconds in which more ends may come, so that short episodes do not cost an answer each


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says when it is asked.

    Attributes:
        outcomes: Episodes that have ended since it was asked before.
        failed: Why it cannot go on; None while it can.
    """

    outcomes: Sequence[Outcome]
    failed: str | None = None


@ray.remote
class Worker:
    """Runs episodes side by side on the node where it lives.

    Where it sees the run's folder, it keeps finished episodes there in a journal of its own; elsewhere their entries go
    to the driver with the outcomes.

    Args:
        job: What `murk.rollout.build.job` gives.
        concurrency: Episodes at a time.
        patience: Seconds for a step of an environment.
    """

    def __init__(self, job: Mapping[str, Any], concurrency: int, patience: float) -> None:
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        folder = Path(job["folder"]) if job["folder"] and is_here(Path(job["folder"]), job["mark"]) else None
        self._store = Store(folder, self._name) if folder else None
        plan: Plan = plan_of(job, local_snapshot(job["snapshot"], job["digest"]))
        self._engine = Engine(plan, self._store.keep if self._store else None, patience, self._name)
        self._version = 0
        self._slots = asyncio.Semaphore(concurrency)
        self._ended: asyncio.Queue[Outcome | str] = asyncio.Queue(2 * concurrency)  # full if the driver is slow
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, flights: Sequence[Flight]) -> None:
        """Takes flights on, in their order."""
        for flight in flights:
            task = asyncio.create_task(self._run(flight))
            self._waiting[flight.episode.id] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def poll(self, seconds: float) -> Report:
        """What has ended; it waits for the first end, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                ended = [await self._ended.get()]
        except TimeoutError:
            return Report(())
        await asyncio.sleep(GATHER)
        while not self._ended.empty():
            ended.append(self._ended.get_nowait())
        failed = next((one for one in ended if isinstance(one, str)), None)
        return Report([one for one in ended if isinstance(one, Outcome)], failed)

    async def give_back(self, count: int) -> list[str]:
        """Gives up to so many flights back that have not begun; their episodes' ids."""
        given = list(self._waiting)[max(0, len(self._waiting) - count) :]
        for name in given:
            self._waiting.pop(name).cancel()
        return given

    async def update(self, weights: Any, version: int) -> None:
        """Gives new weights to the policies that take them."""
        if version > self._version:  # they may come in another order than they were sent in
            self._version = version
            self._engine.update(weights, version)

    async def _run(self, flight: Flight) -> None:
        async with self._slots:
            del self._waiting[flight.episode.id]
            try:
                ended: Outcome | str = await self._engine.run(flight)
            except Exception as error:
                ended = f"{type(error).__name__}: {error}"
            await self._ended.put(ended)
