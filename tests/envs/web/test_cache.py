"""The request cache holds against a stranger who has filled it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import diskcache
import pytest

from murk.envs.errors import UsageError
from murk.envs.web.cache import SafeDisk, open_cache

MARK = "executed.txt"


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


def plant(folder: Path, statement: str, values: tuple[Any, ...] = ()) -> None:
    with closing(sqlite3.connect(folder / "cache.db")) as db, db:
        db.execute(statement, values)


def filled(folder: Path) -> Path:
    with closing(open_cache(folder)) as cache:
        cache["key"] = "value"
    return folder


def pickled(path: Path) -> bytes:
    """A pickle as diskcache itself would write it."""
    with closing(diskcache.Cache(str(path.parent / "maker"))) as cache:
        cache["trap"] = Trap(path)
        rows: list[tuple[bytes]] = cache._sql("SELECT value FROM Cache").fetchall()
        return rows[0][0]


def test_keeps_text_and_bytes_in_the_database(tmp_path: Path) -> None:
    long = "é" * 1_000_000
    with closing(open_cache(tmp_path / "c")) as cache:
        cache["a"], cache["b"], cache["\ud800"] = long, b"\x00\xff", "half"
        cache["a"] = long + "!"
    with closing(open_cache(tmp_path / "c")) as cache:
        assert (cache["a"], cache["b"], cache["\ud800"]) == (long + "!", b"\x00\xff", "half")
        assert cache.get("absent") is None
        assert sorted(cache)[:2] == ["\\ud800", "a"]
    assert [path.name for path in (tmp_path / "c").iterdir() if not path.name.startswith("cache.db")] == []


def test_nothing_is_evicted(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as cache:
        assert (cache.eviction_policy, cache.size_limit >= 1 << 40) == ("none", True)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["x"], {"x": 1}, object()])
def test_refuses_to_write_other_values(tmp_path: Path, value: object) -> None:
    with closing(open_cache(tmp_path)) as cache:
        with pytest.raises(UsageError, match="keeps text and bytes"):
            cache["key"] = value
        assert "key" not in cache


@pytest.mark.parametrize("key", [None, True, ("a",), object(), 1 << 70])
def test_refuses_other_keys(tmp_path: Path, key: object) -> None:
    with closing(open_cache(tmp_path)) as cache:
        with pytest.raises(UsageError, match="cache key"):
            cache[key] = "value"
        with pytest.raises(UsageError, match="cache key"):
            cache.get(key)


def test_refuses_file_handles(tmp_path: Path) -> None:
    with closing(open_cache(filled(tmp_path))) as cache:
        with (tmp_path / "cache.db").open("rb") as file, pytest.raises(UsageError, match="text and bytes"):
            cache.set("key", file, read=True)
        with pytest.raises(UsageError, match="never writes"):
            cache.read("key")


def test_the_trap_works(tmp_path: Path) -> None:
    """Without `SafeDisk` the planted pickle is executed: else the tests below would prove nothing."""
    filled(tmp_path)
    plant(tmp_path, "UPDATE Cache SET mode = 4, value = ?", (pickled(tmp_path / MARK),))
    with closing(diskcache.Cache(str(tmp_path))) as cache:
        cache.get("key")
    assert (tmp_path / MARK).exists()


def test_a_planted_pickle_is_not_executed(tmp_path: Path) -> None:
    filled(tmp_path)
    plant(tmp_path, "UPDATE Cache SET mode = 4, value = ?", (pickled(tmp_path / MARK),))
    with closing(open_cache(tmp_path)) as cache:
        with pytest.raises(UsageError, match="never writes"):
            cache.get("key")
        cache["key"] = "mended"
        assert cache["key"] == "mended"
    assert not (tmp_path / MARK).exists()


def test_a_planted_pickled_key_is_not_executed(tmp_path: Path) -> None:
    filled(tmp_path)
    plant(tmp_path, "UPDATE Cache SET raw = 0, key = ?", (pickled(tmp_path / MARK),))
    with closing(open_cache(tmp_path)) as cache:
        with pytest.raises(UsageError, match="never writes"):
            list(cache)
        with pytest.raises(UsageError, match="never writes"):
            cache.peekitem()
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("relative", [True, False])
def test_a_planted_file_name_is_neither_read_nor_deleted(tmp_path: Path, mode: int, relative: bool) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(pickled(tmp_path / MARK) if mode == 4 else b"secret")
    folder = filled(tmp_path / "cache")
    name = "../secret.txt" if relative else str(secret)
    plant(folder, "UPDATE Cache SET mode = ?, filename = ?, value = NULL", (mode, name))
    with closing(open_cache(folder)) as cache:
        with pytest.raises(UsageError, match="never writes"):
            cache.get("key")
        cache["key"] = "new"  # diskcache deletes the file of a row that it replaces
        plant(folder, "UPDATE Cache SET filename = ?", (name,))
        del cache["key"]
        cache["key"] = "again"
        plant(folder, "UPDATE Cache SET filename = ?, expire_time = 1", (name,))
        cache["other"] = "culls what has expired"
        cache.clear()
    assert secret.exists()
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("value", [7, 1.5, None])
def test_a_planted_value_of_another_type_is_refused(tmp_path: Path, value: object) -> None:
    filled(tmp_path)
    plant(tmp_path, "UPDATE Cache SET value = ?", (value,))
    with closing(open_cache(tmp_path)) as cache, pytest.raises(UsageError, match="never writes"):
        cache.get("key")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("disk_fetch", "x"),
        ("disk__directory", "/"),
        ("disk_min_file_size", 0),
        ("eviction_policy", "least-recently-used"),
        ("sqlite_temp_store_directory", "'/'"),
        ("sqlite_mmap_size", "1; DROP TABLE Cache"),
        ("get", "x"),
        ("count", "many"),
    ],
)
def test_planted_settings_are_refused(tmp_path: Path, key: str, value: object) -> None:
    filled(tmp_path)
    plant(tmp_path, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", (key, value))
    with pytest.raises(UsageError, match=f"not a cache that murk has made.*{key}"):
        open_cache(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW extra AS SELECT 1",
        "CREATE TRIGGER extra AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE TABLE extra (x)",
    ],
)
def test_planted_objects_are_refused(tmp_path: Path, statement: str) -> None:
    filled(tmp_path)
    plant(tmp_path, statement)
    with pytest.raises(UsageError, match=r"not a cache that murk has made.*extra"):
        open_cache(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"this is text" * 100)
    with pytest.raises(UsageError, match="cannot use"):
        open_cache(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot use"):
        open_cache(tmp_path / "file")


def test_a_folder_is_used_as_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE", "x")
    with pytest.raises(UsageError, match="variable"):
        open_cache(tmp_path / "$ELSEWHERE")
    assert not (tmp_path / "x").exists()


def test_two_at_once(tmp_path: Path) -> None:
    with closing(open_cache(tmp_path)) as one, closing(open_cache(tmp_path)) as two:
        one["key"] = "value"
        assert two["key"] == "value"


def test_the_disk_makes_no_file_names(tmp_path: Path) -> None:
    disk = SafeDisk(str(tmp_path))
    with pytest.raises(UsageError, match="no files"):
        disk.filename()
    disk.remove("x")


def test_a_thread_closes_its_connection_when_it_ends(tmp_path: Path) -> None:
    cache, held = open_cache(tmp_path / "cache"), list[sqlite3.Connection]()
    thread = Thread(target=lambda: held.append(cache._con))
    thread.start()
    thread.join()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        _ = held[0].in_transaction
    assert not cache._con.in_transaction  # that of this thread is open
    cache.close()
