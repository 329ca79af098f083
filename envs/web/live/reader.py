"""Makes live pages readable in one lasting worker process, within limits of time and memory."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import cast

from murk.envs.web.document import Document
from murk.envs.web.extract import pack, unpack
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.pool import Guard, Lost, guarded_map


class Reader:
    """`extract` for pages that come one by one, from any number of threads. Close it after use."""

    def __init__(self, guard: Guard | None = None) -> None:
        self._inbox: deque[bytes] = deque()
        replies = guarded_map("murk.envs.web.extract:work", self._items(), 1, guard)
        self._outbox = cast("Generator[bytes | Lost, None, None]", replies)
        self._lock = threading.Lock()

    def __call__(self, raw: Raw) -> Document | Skip:
        with self._lock:
            self._inbox.append(pack(raw))
            reply = next(self._outbox)
        return Skip(reply.reason, "extraction") if isinstance(reply, Lost) else unpack(reply)

    def close(self) -> None:
        """Ends the worker."""
        self._outbox.close()

    def _items(self) -> Iterator[bytes]:
        while True:
            yield self._inbox.popleft()
