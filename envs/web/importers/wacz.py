"""WACZ: a zip of WARC files with a list of pages and digests (specs.webrecorder.net/wacz).

Nothing is unpacked to disk, so names in the zip cannot lead anywhere.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

from murk.envs.web.importers import Limits, Raw, Skip
from murk.envs.web.importers.streams import as_stream
from murk.envs.web.importers.warc import read_warc

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_ENTRIES = 100_000


class WaczImporter:
    """Reads `.wacz`."""

    def accepts(self, path: Path, head: bytes) -> bool:
        return path.is_file() and path.name.endswith(".wacz")

    def read(self, path: Path, limits: Limits) -> Iterator[Raw | Skip]:
        try:
            with zipfile.ZipFile(path) as archive:
                yield from _archive(archive, limits)
        except _ZIP_ERRORS as error:
            yield Skip("broken-zip", f"{path.name}: {str(error)[:150]}")


def _archive(archive: zipfile.ZipFile, limits: Limits) -> Iterator[Raw | Skip]:
    if len(archive.infolist()) > _ENTRIES:
        yield Skip("oversized", f"{len(archive.infolist())} entries")
        return
    digests = _digests(archive, limits)
    if isinstance(digests, Skip):
        yield digests
        return
    members = [m for m in archive.infolist() if m.filename.startswith("archive/") and not m.is_dir()]
    if not members:
        yield Skip("no-archive", "no WARC file under archive/")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if name in seen or ".." in name.split("/"):
            yield Skip("bad-path", name[:200])
            continue
        seen.add(name)
        if member.file_size > max(limits.record_bytes, limits.ratio * member.compress_size):
            yield Skip("zip-bomb", f"{name[:200]}: {member.compress_size} bytes declare {member.file_size}")
            continue
        try:
            yield from _member(archive, member, digests.get(name), limits)
        except _ZIP_ERRORS as error:
            yield Skip("broken-zip", f"{name[:100]}: {str(error)[:150]}")


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, digest: str | None, limits: Limits
) -> Iterator[Raw | Skip]:
    """Captures of one WARC file, if its digest is the one declared."""
    if digest is not None:
        actual = sha256()
        with archive.open(member) as file:
            while block := file.read(1 << 20):
                actual.update(block)
        if actual.hexdigest() != digest:
            yield Skip("wrong-digest", member.filename[:200])
            return
    with closing(archive.open(member)) as file:
        stream, problems = as_stream(cast(BinaryIO, file), limits)
        yield from read_warc(stream, limits)
        yield from problems


def _digests(archive: zipfile.ZipFile, limits: Limits) -> dict[str, str] | Skip:
    """Declared sha256 by path: as `hash: "sha256:..."` or, before WACZ 1.1, in `stats`."""
    try:
        info = archive.getinfo("datapackage.json")
    except KeyError:
        return Skip("not-wacz", "no datapackage.json")
    if info.file_size > limits.record_bytes:
        return Skip("oversized", "datapackage.json")
    try:
        data = json.loads(archive.read(info))
        resources: list[dict[str, Any]] = data["resources"]
        return {r["path"]: _sha256(r) for r in resources if _sha256(r)}
    except (*_ZIP_ERRORS, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Skip("not-wacz", f"datapackage.json: {type(error).__name__}")


def _sha256(resource: dict[str, Any]) -> str:
    kind, _, value = str(resource.get("hash", "")).rpartition(":")
    if not value and resource.get("hashing") == "sha256":
        kind, value = "sha256", str(resource["stats"]["hash"])
    return value.lower() if kind == "sha256" else ""
