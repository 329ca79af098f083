"""Threads that run blocking calls for an event loop, some of which may never come back.

The executor of the standard library waits for its threads when a process ends; one that hangs would keep it for ever.
These are daemons. A call that hangs is given up, and another thread takes the place of its own.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any


class Hung(Exception):
    """A call that did not come back in its time."""


@dataclass(slots=True)
class _Job:
    future: "asyncio.Future[Any]"
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    begun: float = 0.0
    given_up: bool = False


class Threads:
    """At most so many threads, begun as they are needed, which live as long as this.

    Commands of the sandbox end with the thread that began them, so that threads have to last.

    Args:
        limit: Number of threads, from 1; those lost to calls that hang do not count.
        patience: Seconds after which a call counts as hung; None for never.

    Attributes:
        lost: Number of calls that were given up.
    """

    def __init__(self, limit: int, patience: float | None = None) -> None:
        self._limit, self._patience = limit, patience
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._running: dict[int, _Job] = {}
        self._open = self._threads = self.lost = 0
        self._watch: asyncio.Task[None] | None = None

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in a thread, and gives what it gives.

        Raises:
            Hung: it took longer than the patience; it goes on in its thread, and its result is dropped.
        """
        loop = asyncio.get_running_loop()
        if self._patience is not None and (self._watch is None or self._watch.done()):
            self._watch = loop.create_task(self._look(self._patience))
        job = _Job(loop.create_future(), function, arguments)
        self._open += 1
        self._begin()
        self._jobs.put(job)
        try:
            return await job.future
        finally:
            self._open -= 1

    def close(self) -> None:
        """Ends the threads that wait; those at work end after their call."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _begin(self) -> None:
        """Begins a thread if there is more to do than there are threads."""
        if self._threads < min(self._open, self._limit):
            self._threads += 1
            threading.Thread(target=self._work, name="murk-call", daemon=True).start()

    def _work(self) -> None:
        me = threading.get_ident()
        while (job := self._jobs.get()) is not None:
            job.begun = time.monotonic()
            self._running[me] = job
            result, error = None, None
            try:
                result = job.function(*job.arguments)
            except (Exception, SystemExit) as raised:
                error = raised
            self._running.pop(me, None)
            if job.given_up:  # another thread has taken the place of this one
                return
            try:
                job.future.get_loop().call_soon_threadsafe(_settle, job.future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits for results any more
                return

    async def _look(self, patience: float) -> None:
        """Gives up calls that hang."""
        while True:
            await asyncio.sleep(min(1.0, patience / 4))
            now = time.monotonic()
            for job in [
                job for job in self._running.copy().values() if now - job.begun > patience and not job.given_up
            ]:
                job.given_up = True
                self._threads -= 1
                self.lost += 1
                self._begin()  # for what waits behind it
                _settle(job.future, None, Hung(f"a call did not come back within {patience:g} seconds"))


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration | SystemExit):  # a future takes no such exception, or it ends the loop
        future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
    else:
        future.set_exception(error)
