"""A cache of retrievals on disk, which all episodes, runs and processes of a machine share.

It stands around the web, behind everything that belongs to one episode: its own memory and its faults. A response from
it is what the world itself would give, to the byte and with its cost in simulated seconds, so a trajectory is the same
with an empty cache, a full one and none. It changes only how long the machine takes, which pays for slow worlds.

Entries are JSON under a checksum that covers their key, too: what is damaged, misplaced or foreign counts as absent.
"""

import sqlite3
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import diskcache

from murk.envs.codec import canonical_json, encode
from murk.envs.errors import UsageError
from murk.envs.records import Call, DeskRequest, Failure, Hits, LinkList, Page, Request, Response, Search, World
from murk.envs.web.cache import open_cache
from murk.envs.web.replay import Replay, load_response
from murk.envs.web.snapshot import Snapshot

_BROKEN = (ValueError, UsageError, sqlite3.Error, diskcache.Timeout)

_open: WeakValueDictionary[Path, diskcache.Cache] = WeakValueDictionary()
_opening = Lock()


class Retrievals:
    """Answers searches, pages and links that were asked before, in any episode, from a folder; a `World`.

    Only successful responses are kept. A search that asked for more hits answers one that asks for fewer. Threads may
    share it; the counters are those of one episode.

    Args:
        world: The web. Snapshots and recordings are told apart by their content, their settings and murk's own code; of
            another world, the text `identity` tells.
        folder: Of the cache, on a local disk; made where it is missing. Worlds may share it.
        name: Tells this world from others, for one without `identity`.

    Attributes:
        world: The web.
        snapshot: The snapshot behind it, as `murk.envs.opening.base_of` looks for it.
        asked: Retrievals since `begin`.
        hit: Those of them that the cache answered.

    Raises:
        UsageError: the folder cannot be used, or the world has neither identity nor name.
    """

    def __init__(self, world: World, folder: Path, name: str = "") -> None:
        self.world, self.snapshot = world, getattr(world, "snapshot", world)
        known = _identity(world)
        if known is None and not name:
            raise UsageError(f"{world!r} has no identity to keep its answers by; give Retrievals a name for it.")
        self._whose = [name, known]
        self._cache = _shared(folder.absolute())
        self.begin()

    def __repr__(self) -> str:
        return f"Retrievals({self.world!r}, {self._cache.directory!r})"

    def begin(self) -> None:
        """An episode begins: the counters are 0."""
        self.asked = self.hit = 0

    def answer(self, request: Request, call: Call) -> Response:
        """Answers from the cache, and else from the world."""
        if isinstance(request, DeskRequest):
            return self.world.answer(request, call)
        self.asked += 1
        size = request.k if isinstance(request, Search) else 1
        key = self._key(request)
        kept = self._kept(key, request, size)
        if kept is not None:
            self.hit += 1
            return kept
        response = self.world.answer(request, call)
        if isinstance(response, Hits | Page | LinkList) and size > 0:
            self._keep(key, request, size, response)
        return response

    def _key(self, request: Request) -> str:
        # Beside its own key the query as it is written: a world may make something of its case, or of its length.
        written = request.query if isinstance(request, Search) else ""
        return _sha256(canonical_json([*self._whose, request.key, written]))

    def _kept(self, key: str, request: Any, size: int) -> Response | None:
        try:
            seal, kept, text = str(self._cache.get(key, "")).split(" ", 2)
            if seal != _seal(key, kept, text) or not 0 < size <= int(kept):
                return None
            response = load_response(text, request)
        except _BROKEN:
            return None
        if isinstance(response, Hits):
            return Hits(response.hits[:size], response.cost)
        return None if isinstance(response, Failure) else response

    def _keep(self, key: str, request: Any, size: int, response: Response) -> None:
        """Keeps a response, if it comes back from JSON as it was, and if the disk lets it."""
        text = canonical_json(encode(response))
        with suppress(*_BROKEN):
            if canonical_json(encode(load_response(text, request))) == text:
                self._cache.set(key, f"{_seal(key, str(size), text)} {size} {text}")


def _identity(world: World) -> list[Any] | None:
    """What the answers of a world depend on; None where it does not tell."""
    if isinstance(world, Replay):
        return ["replay", world.miss, _identity(world.snapshot)]
    if not isinstance(world, Snapshot):
        told = getattr(world, "identity", None)
        return [told] if isinstance(told, str) and told else None
    # Not the content digest alone: tiers of authority, vectors and the index are files of their own.
    files = _sha256(canonical_json(world.info))
    rerank = [world.rerank.name, world.rerank.top, world.rerank.weight] if world.rerank else None
    return ["snapshot", files, world.authority, rerank, _code()]


@cache
def _code() -> str:
    """Digest of the code that answers, so that a change of it meets no answers of before."""
    return _sha256("".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))))


def _shared(folder: Path) -> diskcache.Cache:
    """The cache of a folder, one in a process: each thread that asks it holds a connection."""
    with _opening:
        found = _open.get(folder)
        if found is None:
            found = _open[folder] = open_cache(folder)
        return found


def _seal(key: str, size: str, text: str) -> str:
    return _sha256(f"{key} {size} {text}")


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
