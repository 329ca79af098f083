"""A request cache on diskcache that a stranger may have filled.

diskcache's own disks unpickle whatever a row says is pickled, read whatever file a row names, and delete that file when
the row is replaced (CVE-2025-69872, without a fixed release). `SafeDisk` keeps text and bytes in the database and knows
nothing else; `open_cache` looks at a database before diskcache does, which turns its settings into attributes and
pragmas.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import diskcache

from murk.envs.errors import UsageError

_RAW = 1  # diskcache's mode of a value that lies in the database as it is
_SETTINGS: dict[str, Any] = {
    **diskcache.DEFAULT_SETTINGS,
    "eviction_policy": "none",
    "size_limit": 1 << 50,
    "disk_min_file_size": 1 << 50,
    "disk_pickle_protocol": 0,
}
_COUNTERS = ("count", "size", "hits", "misses")
_TRIGGERS = ("count_insert", "count_delete", "size_insert", "size_update", "size_delete")
_SCHEMA = {
    ("table", "Settings"),
    ("index", "sqlite_autoindex_Settings_1"),
    ("table", "Cache"),
    ("index", "Cache_key_raw"),
    ("index", "Cache_expire_time"),
    *(("trigger", f"Settings_{name}") for name in _TRIGGERS),
}


class SafeDisk(diskcache.Disk):  # type: ignore[misc]
    """Keeps values of type `str` and `bytes` under plain keys, all in the database.

    Anything else, pickled or in a file, is refused with a `UsageError`, when it is written as when it is read.
    """

    def put(self, key: Any) -> tuple[Any, bool]:
        if type(key) not in (str, bytes, int, float):
            raise UsageError(f"a cache key is text, not {type(key).__name__}")
        if isinstance(key, str):  # an agent's words may hold half a surrogate pair, which SQLite cannot store
            key = key.encode("utf-8", "backslashreplace").decode("utf-8")
        if isinstance(key, int) and not -(1 << 63) <= key < 1 << 63:
            raise UsageError("a cache key that is a number has 64 bits at most")
        stored, _ = super().put(key)
        return stored, True

    def get(self, key: Any, raw: Any) -> Any:
        if not raw or type(key) not in (str, bytes, int, float):
            raise self._foreign("a key that is not plain")
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, Any]:
        if read or type(value) not in (str, bytes):
            raise UsageError(f"a cache keeps text and bytes, not {type(value).__name__}")
        return 0, _RAW, None, value

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> Any:
        if read or mode != _RAW or filename is not None or type(value) not in (str, bytes):
            raise self._foreign("a value that is pickled or in a file")
        return value

    def filename(self, key: Any = None, value: Any = None) -> tuple[str, str]:
        raise UsageError("a cache keeps no files")

    def remove(self, file_path: Any) -> None:
        """Does nothing: diskcache asks for this with the file that a row names, and no row of ours names one."""

    def _foreign(self, what: str) -> UsageError:
        return UsageError(f"the cache {self._directory} holds {what}, which murk never writes: delete that folder.")


class _Closing:
    """Closes a connection when it is let go itself, as the values of a thread are at the thread's end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # another thread may not close it: it goes as it would have
            self.connection.close()


class _Cache(diskcache.Cache):  # type: ignore[misc]
    """Closes each thread's connection with the thread; diskcache leaves that to the garbage collector, of which Python
    3.13 warns."""

    @property
    def _con(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._con
        last = getattr(self._local, "closing", None)
        if last is None or last.connection is not connection:
            self._local.closing = _Closing(connection)
        return connection


def open_cache(folder: Path) -> diskcache.Cache:
    """Opens a cache folder, made if it is missing. Nothing is evicted; keys are to be `str`.

    Raises:
        UsageError: the folder cannot be used, or holds a database that `open_cache` has not made.
    """
    path = str(folder.absolute())
    if os.path.expandvars(path) != path:  # diskcache would expand it, and use another folder than the one named
        raise UsageError(f"a cache folder may not have the name of a variable in its path: {path}")
    try:
        if (folder / "cache.db").exists():
            _inspect(folder.absolute() / "cache.db")
        return _Cache(path, disk=SafeDisk, **_SETTINGS)
    except (sqlite3.Error, diskcache.Timeout, OSError) as error:
        raise UsageError(f"cannot use {path} as a cache: {error}.") from error


def _inspect(database: Path) -> None:
    """Refuses a database with settings or objects that differ from those of `open_cache`."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=60)) as db:
        schema = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        strange = [name for kind, name, sql in schema if (kind, name) not in _SCHEMA or "VIRTUAL" in str(sql).upper()]
        if not strange and ("table", "Settings") in {(kind, name) for kind, name, _ in schema}:
            rows = db.execute("SELECT key, value FROM Settings").fetchall()
            strange = [key for key, value in rows if not _is_ours(key, value)]
    if strange:
        raise UsageError(f"{database} is not a cache that murk has made (see {str(strange[0])[:80]!r}): delete it.")


def _is_ours(key: Any, value: Any) -> bool:
    return type(value) is int if key in _COUNTERS else key in _SETTINGS and value == _SETTINGS[key]
