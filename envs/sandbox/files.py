"""The files of a workspace: into a sandbox as a tar archive, and back as changes, with nothing trusted on the way."""

import base64
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping

from murk.envs.sandbox.limits import SandboxLimits

TIME = 946_684_800
"""The time of every file that is put in: 2000-01-01, in seconds since 1970."""

Change = tuple[str, str | None]

_DEPTH, _PATH_BYTES, _NAME_BYTES = 32, 1_024, 255
_NOTES = 20
_PAGE = 4_096
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_path(path: str) -> None:
    """Raises ValueError unless the path is relative, plain and of a length that every filesystem takes."""
    parts = path.split("/")
    try:
        longest = max(len(part.encode()) for part in parts)
        whole = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError(f"path {path!r} is not Unicode text") from None
    if "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"path {path!r} is absolute, or has an empty part, '.', '..' or NUL")
    if longest > _NAME_BYTES or whole > _PATH_BYTES or len(parts) > _DEPTH:
        raise ValueError(f"path {path[:80]!r} is too long or too deep")


def check_files(files: Mapping[str, bytes]) -> None:
    """Raises ValueError where a path is odd, or a file stands where another path needs a folder."""
    for path in files:
        check_path(path)
    for folder in _folders(files):
        if folder in files:
            raise ValueError(f"{folder!r} is both a file and a folder")


def room(files: Mapping[str, bytes]) -> int:
    """Bytes that the files take in a filesystem in memory, which counts whole pages."""
    return sum(-(-len(content) // _PAGE) * _PAGE for content in files.values())


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of the files and their folders; the same bytes for the same files in any order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as archive:
        for path in sorted({*files, *_folders(files)}):
            entry = tarfile.TarInfo(f"./{path}")
            entry.mtime = TIME
            content = files.get(path)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            else:
                entry.size, entry.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(content or b""))
    return buffer.getvalue()


def changes(folder: int, before: Mapping[str, bytes], limits: SandboxLimits) -> tuple[list[Change], list[str]]:
    """What differs in a folder, and notes on what was not taken from it.

    No process may be left that writes there. Files that were there before come first, then new ones by path, until
    the limits are reached; a file whose new content is not taken stays as it was before.

    Args:
        folder: A descriptor of the folder, owned by the caller.
        before: The files that were put in.
        limits: Of which `files`, `kept_file_bytes` and `kept_bytes` hold here.
    """
    os.fchmod(folder, 0o755)  # the command may have locked it, and an ordinary user with it
    sizes, notes = _survey(folder)
    found: list[Change] = [(path, None) for path in before if path not in sizes]
    count = total = 0
    for path in sorted(sizes, key=lambda path: (path not in before, path)):
        size, old = sizes[path], before.get(path)
        if size > limits.kept_file_bytes:
            notes.append(f"{_named(path)} was not kept: it has {size} bytes; allowed are {limits.kept_file_bytes}")
            continue
        if count == limits.files or total + size > limits.kept_bytes:
            notes.append(f"{_named(path)} was not kept: the workspace is full")
            continue
        count, total = count + 1, total + size
        content = _read(folder, path, size)
        if content != old:
            found.append((path, base64.b64encode(content).decode()))
    more = [f"{len(notes) - _NOTES} more were not kept"] if len(notes) > _NOTES else []
    return sorted(found, key=lambda change: change[0]), notes[:_NOTES] + more


def _folders(files: Mapping[str, bytes]) -> set[str]:
    return {path[: slash.start()] for path in files for slash in re.finditer("/", path)}


def _survey(folder: int) -> tuple[dict[str, int], list[str]]:
    """Regular files with their sizes, and a note on each thing that is none."""
    sizes: dict[str, int] = {}
    notes: list[str] = []
    for path, status in _walk(folder, "", 1):
        kind = stat.S_IFMT(status.st_mode)
        try:
            check_path(path)
        except ValueError:
            notes.append(f"{_named(path)} was not kept: its path is too long, too deep or not Unicode")
            continue
        if kind == stat.S_IFREG:
            sizes[path] = status.st_size
        elif kind != stat.S_IFDIR:
            notes.append(f"{_named(path)} was not kept: {_KINDS.get(kind, 'not a file')}")
    return sizes, notes


def _walk(folder: int, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, sorted by name; symbolic links are not followed.

    A folder deeper than `_DEPTH` is named and not entered. Descriptors are held one per level, so at most `_DEPTH`.
    """
    for name in sorted(os.listdir(folder)):
        path = prefix + name
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        yield path, status
        if stat.S_ISDIR(status.st_mode) and depth <= _DEPTH:
            below = _open(folder, name, status, os.O_DIRECTORY)
            try:
                yield from _walk(below, path + "/", depth + 1)
            finally:
                os.close(below)


def _open(folder: int, name: str, status: os.stat_result, flags: int = 0) -> int:
    needed = 0o500 if stat.S_ISDIR(status.st_mode) else 0o400
    if status.st_mode & needed != needed:  # what the command locked against itself is locked against its user: us
        os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)


def _read(folder: int, path: str, size: int) -> bytes:
    status = os.stat(path, dir_fd=folder, follow_symlinks=False)
    file = _open(folder, path, status)
    with open(file, "rb") as stream:
        return stream.read(size)


def _named(path: str) -> str:
    name = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return name if len(name) <= 80 and name.isprintable() else ascii(name[:80])
