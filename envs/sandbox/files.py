"""The files of a workspace: into a sandbox as a tar archive, and back as changes, with nothing trusted on the way."""

import base64
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping

from murk.envs.sandbox.limits import SandboxLimits
from murk.envs.workspace import clean_path, path_problem

TIME = 946_684_800
"""The time of every file that is put in: 2000-01-01, in seconds since 1970."""

Change = tuple[str, str | None]

_NOTES, _NAME = 20, 80
_PAGE = 4_096
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_path(path: str) -> None:
    """Raises ValueError unless a workspace can have the path, in this form."""
    if problem := path_problem(path):
        raise ValueError(f"the path {path[:_NAME]!r} is not allowed: {problem}")
    if clean_path(path) != path:
        raise ValueError(f"the path {path[:_NAME]!r} is not in its shortest form")


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
    sizes: dict[str, int] = {}
    notes: list[str] = []
    for path, size, problem in _survey(folder):
        if problem:
            notes.append(f"{named(path)} was not kept: {problem}")
        else:
            sizes[path] = size
    found: list[Change] = [(path, None) for path in before if path not in sizes]
    count = total = 0
    for path in sorted(sizes, key=lambda path: (path not in before, path)):
        size, old = sizes[path], before.get(path)
        if size > limits.kept_file_bytes:
            notes.append(f"{named(path)} was not kept: it has {size} bytes; allowed are {limits.kept_file_bytes}")
            continue
        if count == limits.files or total + size > limits.kept_bytes:
            notes.append(f"{named(path)} was not kept: the workspace is full")
            continue
        count, total = count + 1, total + size
        content = _read(folder, path, size)
        if content != old:
            found.append((path, base64.b64encode(content).decode()))
    more = [f"{len(notes) - _NOTES} more were not kept"] if len(notes) > _NOTES else []
    return sorted(found, key=lambda change: change[0]), notes[:_NOTES] + more


def _folders(files: Mapping[str, bytes]) -> set[str]:
    return {path[: slash.start()] for path in files for slash in re.finditer("/", path)}


def _survey(folder: int, prefix: str = "") -> Iterator[tuple[str, int, str]]:
    """All files below a folder, sorted by name: path, size, and why it cannot be kept, if so.

    Symbolic links are not followed. A folder that no workspace can have is named and not entered, so that descriptors,
    held one per level, are few.
    """
    for name in sorted(os.listdir(folder)):
        path = prefix + name
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        problem = _problem(path)
        if problem or kind != stat.S_IFDIR:
            yield path, status.st_size, problem or _KINDS.get(kind, "")
            continue
        below = _open(folder, name, status, os.O_DIRECTORY)
        try:
            yield from _survey(below, path + "/")
        finally:
            os.close(below)


def _problem(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is no text in UTF-8"
    return path_problem(path) or ""


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


def named(path: str) -> str:
    """A path for a message: on one line, with odd characters escaped, and of a long one the beginning and the end."""
    name = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    name = name if len(name) <= _NAME else f"{name[: _NAME // 2]}...{name[-_NAME // 2 :]}"
    return name if name.isprintable() else ascii(name)
