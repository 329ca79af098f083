"""The cache of completions: what a served model said is kept, so that a run can be repeated at no cost.

An entry is known by all that could change it: model, messages, sampling settings, seed and turn; never by a key or an
address. Failures are never kept.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from murk.envs.web.cache import open_cache
from murk.rollout.threads import Threads


class Completions:
    """JSON values by key, in a folder that processes may share.

    Args:
        folder: Of the cache; made where it is missing.

    Raises:
        UsageError: the folder cannot be used.
    """

    def __init__(self, folder: str | Path) -> None:
        self._cache = open_cache(Path(folder))
        self._thread = Threads(1)  # the database may have to wait for another process, and an event loop must not

    async def get(self, key: str) -> Any:
        """What is kept; None where there is nothing, or it cannot be read."""
        text = await self._thread.run(self._cache.get, key)
        try:
            return None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            return None

    async def put(self, key: str, value: Any) -> None:
        """Keeps a value, in the place of another where there is one."""
        await self._thread.run(self._cache.set, key, json.dumps(value))


def key_of(*parts: Any) -> str:
    """The key of a completion that these JSON values decide."""
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
