"""Snapshots travel to the nodes of a cluster: once, whole, verified, and nowhere else than they should."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from murk.envs.errors import SnapshotError, UsageError
from murk.envs.web.manifest import NAME, _sealed, read_manifest, verify
from murk.envs.web.snapshot import Snapshot
from murk.rollout.nodes import local_snapshot

# Copies a snapshot when told to, and tells how often it has opened the source's text, and which file it uses.
ASKER = """
import sys
from pathlib import Path
from murk.rollout.nodes import local_snapshot
source, folder = sys.argv[1:]
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
sys.stdin.readline()
copy = local_snapshot("file://" + source, folder=Path(folder))
print(opened.count(source + "/text.bin"), (copy / "text.bin").stat().st_ino)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def source(vale_dir: Path, tmp_path: Path) -> Path:
    """A snapshot of one's own, to be damaged."""
    return Path(shutil.copytree(vale_dir, tmp_path / "source"))


def begun(source: Path, cache: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", ASKER, str(source), str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def forge(source: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes a manifest and seals it as an attacker would."""
    manifest = json.loads((source / NAME).read_bytes())
    del manifest["seal"]
    change(manifest)
    (source / NAME).write_bytes(_sealed(manifest))


def names(folder: Path) -> set[str]:
    return {path.name.partition(".")[2] for path in folder.iterdir()}


def test_a_path_is_given_as_it_is(vale_dir: Path, cache: Path, tmp_path: Path) -> None:
    digest = read_manifest(vale_dir)["content_digest"]
    assert local_snapshot(str(vale_dir), digest, cache) == local_snapshot(str(vale_dir), "", cache) == vale_dir
    assert not cache.exists()
    with pytest.raises(UsageError, match="the run is on a snapshot with " + "0" * 64):
        local_snapshot(str(vale_dir), "0" * 64)
    with pytest.raises(UsageError, match="no snapshot"):
        local_snapshot(str(tmp_path / "absent"))
    with pytest.raises(SnapshotError):
        local_snapshot(str(tmp_path), digest)


def test_a_url_is_copied_once_and_used(vale_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(f"{vale_dir}/", "/bucket/vale/", recursive=True)
    monkeypatch.setenv("MURK_CACHE", str(tmp_path / "cache"))
    digest = read_manifest(vale_dir)["content_digest"]
    copy = local_snapshot("memory://bucket/vale/", digest)
    assert copy.parent == tmp_path / "cache"
    assert copy.name.startswith(digest)
    assert verify(copy) == []
    assert Snapshot.open(copy).search("lighthouse") == Snapshot.open(vale_dir).search("lighthouse")
    memory.rm("/bucket/vale/text.bin")
    assert local_snapshot("memory://bucket/vale", digest) == copy
    with pytest.raises(UsageError, match="content digest"):
        local_snapshot("memory://bucket/vale", "0" * 64)
    (copy / "text.bin").unlink()
    with pytest.raises(UsageError, match=r"text\.bin: FileNotFoundError"):
        local_snapshot("memory://bucket/vale", digest)
    memory.put(f"{vale_dir}/text.bin", "/bucket/vale/text.bin")
    assert verify(local_snapshot("memory://bucket/vale", digest)) == []
    memory.rm("/bucket", recursive=True)


def test_eight_processes_make_one_copy(vale_dir: Path, cache: Path) -> None:
    processes = [begun(vale_dir, cache) for _ in range(8)]
    for process in processes:
        go(process)
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(count for count, _ in told) == ["0"] * 7 + ["1"]
    assert len({inode for _, inode in told}) == 1
    assert names(cache) == {"", "lock"}


def test_what_a_killed_process_leaves_is_cleared_away(source: Path, cache: Path, vale_dir: Path) -> None:
    (source / "text.bin").unlink()
    os.mkfifo(source / "text.bin")  # whose opening waits forever
    process = begun(source, cache)
    go(process)
    while not any(path.name != "text.bin" for path in cache.glob("*.partial/*")):
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (left,) = cache.glob("*.partial")
    (left / "rubbish").write_text("x")
    (source / "text.bin").unlink()
    shutil.copy(vale_dir / "text.bin", source)
    assert verify(local_snapshot(f"file://{source}", folder=cache)) == []
    assert names(cache) == {"", "lock"}


def test_a_damaged_source_leaves_nothing(source: Path, cache: Path) -> None:
    text = source / "text.bin"
    whole = text.read_bytes()
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], whole + b"\0"):
        text.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"damaged: text\.bin"):
            local_snapshot(f"file://{source}", folder=cache)
        assert names(cache) == {"lock"}
    text.write_bytes(whole)
    (source / "more").write_text("not named by the manifest")
    copy = local_snapshot(f"file://{source}", folder=cache)
    assert not (copy / "more").exists()


@pytest.mark.parametrize("name", ["../out", "..", ".", "", "/tmp/out", "a/b", "a\0b", "a\\b", NAME, "x" * 300])
def test_a_manifest_writes_nowhere_else(name: str, source: Path, cache: Path) -> None:
    (source.parent / "out").write_text("as it was")
    forge(source, lambda manifest: manifest["files"].update({name: {"bytes": 9, "sha256": "0" * 64}}))
    with pytest.raises(UsageError, match="not allowed"):
        local_snapshot(f"file://{source}", folder=cache)
    assert not cache.exists()
    assert (source.parent / "out").read_text() == "as it was"


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(content_digest="../../out"),
        lambda manifest: manifest.pop("content_digest"),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest["files"]["text.bin"].update(bytes=-5),
        lambda manifest: manifest["files"]["text.bin"].update(bytes=None),
    ],
)
def test_a_strange_manifest_is_refused(change: Callable[[dict[str, Any]], Any], source: Path, cache: Path) -> None:
    forge(source, change)
    with pytest.raises(UsageError, match=NAME):
        local_snapshot(f"file://{source}", folder=cache)
    assert not cache.exists()


def test_a_link_at_the_place_of_the_copy_is_not_followed(source: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    copy = local_snapshot(f"file://{source}", folder=cache)
    shutil.rmtree(copy)
    for place in (copy, copy.with_name(f"{copy.name}.partial")):
        place.symlink_to(tmp_path / "precious")
        with pytest.raises(UsageError, match="cannot keep"):
            local_snapshot(f"file://{source}", folder=cache)
        place.unlink()
    assert list((tmp_path / "precious").iterdir()) == []


def test_a_full_disk_is_told(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(UsageError, match="has 1 left"):
        local_snapshot(f"file://{source}", folder=cache)
    monkeypatch.undo()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        local_snapshot(f"file://{source}", folder=cache)
    assert names(cache) == {"lock"}


@pytest.mark.parametrize("url", ["nothing://x", "memory://absent", "file:///absent/snapshot"])
def test_what_cannot_be_read_is_one_clear_line(url: str, cache: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read {url}") as told:
        local_snapshot(url, folder=cache)
    assert "\n" not in str(told.value)
