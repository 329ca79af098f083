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

GATHER = 0.05  # seconds in which more ends may come, so that short episodes do not cost an answer each


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says when it is asked.

    Attributes:
        outcomes: Episodes that have ended since it was asked before.
        failed: Why it cannot go on; None while it can.
        journal: Name of its journal; empty where it keeps none.
        size: Bytes of the journal. All that they hold has been told of, or will be with the next answer.
    """

    outcomes: Sequence[Outcome]
    failed: str | None = None
    journal: str = ""
    size: int = 0


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
        actor = ray.get_runtime_context().get_actor_id() or ""
        self._name = f"{socket.gethostname()}-{actor[:8]}-{os.getpid()}"
        folder = Path(job["folder"]) if job["folder"] and is_here(Path(job["folder"]), job["mark"]) else None
        self._store = Store(folder, self._name) if folder else None
        try:
            plan: Plan = plan_of(job, local_snapshot(job["snapshot"], job["digest"]))
            self._engine = Engine(plan, self._store.keep if self._store else None, patience, self._name)
        except Exception as error:  # of a type that may not travel
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
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
            ended = []
        await asyncio.sleep(GATHER if ended else 0)
        size = self._store.size() if self._store else 0
        while not self._ended.empty():
            ended.append(self._ended.get_nowait())
        failed = next((one for one in ended if isinstance(one, str)), None)
        outcomes = [one for one in ended if isinstance(one, Outcome)]
        return Report(outcomes, failed, f"{self._name}.jsonl" if self._store else "", size)

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
