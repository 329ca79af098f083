"""The snapshot of a run on each node of a cluster: fetched once, whole and verified, shared by all processes there."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from murk.envs.errors import SnapshotError, UsageError
from murk.envs.web.manifest import NAME, read_manifest, verify

_BLOCK = 8 << 20
_MAX_MANIFEST = 16 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"\w[\w.-]{0,199}", re.ASCII)


def local_snapshot(source: str, digest: str = "", folder: Path | None = None) -> Path:
    """A folder on this node's disk that holds a snapshot.

    A path is given back as it is. What an fsspec URL names (`s3://bucket/world`, `gs://`, `file:///`) is copied once
    per node; other processes that ask meanwhile wait. Only files that its manifest names are copied, and nothing is
    used before it has been verified. A copy whose process was killed is cleared away by the next.

    Args:
        source: A path or a URL.
        digest: Content digest that the snapshot must have; empty for any.
        folder: Where copies lie, each under its content digest; `$MURK_CACHE` or else `~/.cache/murk/snapshots` by
            default.

    Raises:
        UsageError: there is no such snapshot, it cannot be read, is damaged or another one, or the disk is full.
    """
    if "://" not in source:
        if not Path(source).exists():
            raise UsageError(f"there is no snapshot {source}; allowed are the path of a folder, or a URL.")
        if digest:
            _check(source, str(read_manifest(Path(source)).get("content_digest")), digest)
        return Path(source)
    remote = _Remote(source)
    _check(source, remote.content_digest, digest)
    folder = folder or Path(os.environ.get("MURK_CACHE") or Path.home() / ".cache" / "murk" / "snapshots")
    # Two snapshots of one content may differ in vectors, so the manifest has its part in the name.
    copy = folder / f"{remote.content_digest}-{sha256(remote.manifest).hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(copy.with_name(f"{copy.name}.lock")):
            if not _is_whole(copy, remote.manifest):
                _fetch(remote, copy)
    except OSError as error:
        raise UsageError(f"cannot keep a copy of {source} in {folder}: {error}.") from error
    return copy


class _Remote:
    """A snapshot behind a URL: what its manifest says, and its files as streams.

    Raises:
        UsageError: it cannot be read, or its manifest names what no snapshot has.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        with self._reading(source):
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(source)
        self.manifest = b"".join(self.blocks(NAME, _MAX_MANIFEST))
        try:
            told = json.loads(self.manifest)
            self.content_digest = str(told["content_digest"])
            self.sizes = {str(name): int(entry["bytes"]) for name, entry in told["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{NAME} of {source} is damaged: {error!r}.") from None
        if not _DIGEST.fullmatch(self.content_digest):
            raise UsageError(f"{NAME} of {source} has the content digest {self.content_digest[:80]!r}: it is damaged.")
        for name, size in self.sizes.items():
            if not _FILE.fullmatch(name) or name == NAME or size < 0:
                raise UsageError(
                    f"{NAME} of {source} names a file {name[:80]!r} of {size} bytes, which is not allowed."
                )

    def blocks(self, name: str, limit: int) -> Iterator[bytes]:
        """The bytes of a file, at most so many."""
        address = f"{self._root.rstrip('/')}/{name}"
        with self._reading(f"{self.source.rstrip('/')}/{name}"):
            file = self._files.open(address, "rb")
        with file:
            while limit > 0:
                with self._reading(f"{self.source.rstrip('/')}/{name}"):
                    block = file.read(min(_BLOCK, limit))
                if not block:
                    return
                limit -= len(block)
                yield block

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Tells any failure as one to read; each kind of storage has exceptions of its own."""
        try:
            yield
        except Exception as error:
            raise UsageError(f"cannot read {what}: {type(error).__name__}: {str(error)[:300]}.") from error


def _check(source: str, found: str, wanted: str) -> None:
    if wanted not in ("", found):
        raise UsageError(f"{source} has the content digest {found}; the run is on a snapshot with {wanted}.")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file, waiting for it. The system frees it when a process dies, however it dies."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_whole(copy: Path, manifest: bytes) -> bool:
    """Whether a copy is there with all its files; it has been verified when it was made."""
    try:
        read_manifest(copy)
        return (copy / NAME).read_bytes() == manifest
    except SnapshotError:
        return False


def _fetch(remote: _Remote, copy: Path) -> None:
    """Copies a snapshot: into a folder of its own first, which gets its name when all is there and right."""
    partial = copy.with_name(f"{copy.name}.partial")
    for old in (partial, copy):
        if old.exists():
            shutil.rmtree(old)
    needed, free = sum(remote.sizes.values()) + len(remote.manifest), shutil.disk_usage(copy.parent).free
    if needed > free:
        raise UsageError(f"{remote.source} needs {needed:,} bytes, and the disk of {copy.parent} has {free:,} left.")
    partial.mkdir()
    try:
        for name, size in remote.sizes.items():
            _write(partial / name, remote.blocks(name, size + 1))
        _write(partial / NAME, iter([remote.manifest]))
        if wrong := verify(partial):
            raise UsageError(f"{remote.source} is damaged: {wrong[0]}")
        partial.rename(copy)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    with path.open("xb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())  # a copy that is in its place is on the disk, even if the machine loses power
