"""The pool `local`: episodes side by side in this process, without Ray."""

import asyncio
import contextlib
from typing import Any

from murk.rollout.backlog import Backlog, Flight
from murk.rollout.engine import Engine
from murk.rollout.outcome import Load, Outcome


class LocalPool:
    """Runs what a backlog holds in an event loop of its own, which turns while `advance` waits.

    Args:
        engine: Runs the episodes.
        backlog: What to run; it may grow at any time.
        concurrency: Episodes at a time, from 1.
    """

    def __init__(self, engine: Engine, backlog: Backlog, concurrency: int) -> None:
        self._engine, self._backlog, self._room = engine, backlog, concurrency
        self._waiting: list[Flight] = []
        self._running = 0
        self._ended: asyncio.Queue[tuple[Flight, Outcome | BaseException]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner = asyncio.Runner()

    def advance(self, seconds: float = 1.0) -> list[Outcome]:
        """Waits until episodes end, at most so many seconds; gives those that have ended for good.

        Raises:
            OSError: the disk is full or fails.
            KeyboardInterrupt: the user stopped the run; what was finished is kept.
        """
        return self._runner.run(self._advance(seconds))

    def load(self) -> Load:
        """How busy it is."""
        return Load(len(self._backlog) + len(self._waiting), self._running, 1, self._backlog.retried)

    def update(self, weights: Any, version: int) -> None:
        """Gives new weights to the policies that take them."""
        self._engine.update(weights, version)

    def close(self) -> None:
        """Gives up what is running, and ends the threads."""
        with contextlib.suppress(RuntimeError):  # a Ctrl-C at the wrong moment leaves the loop a call to stop early
            self._runner.get_loop().run_until_complete(asyncio.sleep(0))
        self._runner.close()
        self._engine.close()

    async def _advance(self, seconds: float) -> list[Outcome]:
        self._fill()
        if not self._running:
            return []
        try:
            async with asyncio.timeout(seconds):  # `wait_for` would now and then swallow a Ctrl-C
                ended = [await self._ended.get()]
        except TimeoutError:
            return []
        while not self._ended.empty():
            ended.append(self._ended.get_nowait())
        final = []
        for flight, outcome in ended:
            self._running -= 1
            if isinstance(outcome, BaseException):
                raise outcome
            if self._backlog.ended(flight, outcome):
                final.append(outcome)
        self._fill()
        return final

    def _fill(self) -> None:
        while self._running < self._room:
            if not self._waiting:
                self._waiting, _ = self._backlog.take(idle=not self._running)
            if not self._waiting:
                return
            task = asyncio.get_running_loop().create_task(self._run(self._waiting.pop(0)))
            self._running += 1
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, flight: Flight) -> None:
        try:
            self._ended.put_nowait((flight, await self._engine.run(flight)))
        except Exception as error:
            self._ended.put_nowait((flight, error))
