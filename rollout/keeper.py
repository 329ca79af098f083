"""The keeper: lets many episodes of an event loop keep their entries, and syncs together those that wait."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from murk.rollout.threads import Threads

Keep = Callable[..., None]


class Keeper:
    """Writes in a thread. Syncing takes long however little it is, so all that has come meanwhile is written at once.

    Args:
        keep: Keeps several entries, as `Store.keep` does; when it returns they survive a crash.
    """

    def __init__(self, keep: Keep) -> None:
        self._keep, self._thread = keep, Threads(1)
        self._waiting: list[tuple[Mapping[str, Any], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, entry: Mapping[str, Any]) -> None:
        """Keeps an entry.

        Raises:
            OSError: the disk is full or fails; nothing is kept of it.
        """
        loop = asyncio.get_running_loop()
        kept = loop.create_future()
        self._waiting.append((entry, kept))
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        await kept

    def close(self) -> None:
        """Ends the thread."""
        self._thread.close()

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: Exception | None = None
            try:
                await self._thread.run(self._keep, *(entry for entry, _ in batch))
            except Exception as raised:
                error = raised
            for kept in (kept for _, kept in batch if not kept.done()):
                if error is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(error)
