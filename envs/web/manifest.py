"""The manifest: what a snapshot is, and the digest of every file, so that any flipped byte is found."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from murk.envs.errors import SnapshotError
from murk.envs.web.columns import check_regular

NAME = "manifest.json"
FORMAT = "murk-snapshot"
VERSION = 1
_MAX_BYTES = 16 << 20


def write_manifest(folder: Path, info: dict[str, Any]) -> None:
    """Writes the manifest over all files that are in the folder."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in sorted(folder.iterdir())
    }
    (folder / NAME).write_bytes(_sealed({"format": FORMAT, "version": VERSION, **info, "files": files}))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads a manifest and checks that every file is there with its size; their digests are `verify`'s business.

    Raises:
        SnapshotError: no snapshot, one of another version, or one with a file missing, changed in size or foreign.
    """
    path = folder / NAME
    if not folder.is_dir():
        raise SnapshotError(f"{folder} is not a folder.")
    if not path.is_file():
        raise SnapshotError(f"{folder} is not a snapshot: it has no {NAME}.")
    check_regular(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        manifest = json.loads(path.read_bytes())
        kind, version, files = manifest["format"], manifest["version"], manifest["files"]
        sizes = {str(name): int(entry["bytes"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{NAME} of {folder} is damaged: {error}.") from None
    if kind != FORMAT or version != VERSION:
        raise SnapshotError(f"{folder} has format {kind!r} version {version!r}; this murk reads {FORMAT} {VERSION}.")
    seal = manifest.pop("seal", None)
    if _sealed(manifest) != path.read_bytes():
        raise SnapshotError(f"{NAME} of {folder} is damaged: its seal is {seal}, not that of its content.")
    for name, size in sizes.items():
        if Path(name).name != name:
            raise SnapshotError(f"{NAME} names the file {name!r}, which is outside the snapshot.")
        check_regular(folder / name)
        if (folder / name).stat().st_size != size:
            raise SnapshotError(f"{name} has {(folder / name).stat().st_size} bytes, not {size}: it is damaged.")
    return dict(manifest)


def verify(folder: Path) -> list[str]:
    """Reads every byte and returns what is wrong, a line a file; empty where all is as it was built."""
    try:
        manifest = read_manifest(folder)
    except SnapshotError as error:
        return [str(error)]
    files = manifest["files"]
    wrong = [
        f"{name} does not have the digest of the manifest: it is damaged."
        for name, entry in sorted(files.items())
        if file_digest(folder / name) != entry.get("sha256")
    ]
    extra = sorted(path.name for path in folder.iterdir() if path.name != NAME and path.name not in files)
    return wrong + [f"{name} does not belong to the snapshot." for name in extra]


def _sealed(manifest: dict[str, Any]) -> bytes:
    """The bytes of a manifest, with the digest of its own content."""
    text = json.dumps(manifest, indent=1, sort_keys=True)
    sealed = manifest | {"seal": sha256(text.encode()).hexdigest()}
    return (json.dumps(sealed, indent=1, sort_keys=True) + "\n").encode()


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
