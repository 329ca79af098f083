"""The files of an episode: a small file system in memory, and so by construction without a way out of it.

It answers `FileOp` requests. Files that tools lay aside (`lay_aside`) cost nothing until the workspace is first used.
"""

import posixpath
from collections.abc import Callable, Mapping

from murk.envs.patch import PatchRefused, apply_patch
from murk.envs.records import Call, Failure, FileOp, Request, Response, Text, not_here

FILE_SECONDS = 0.1
MAX_PATH = 240
LIST_CAP = 200
ACTIONS = ("read", "write", "append", "patch", "list", "stat")


class Workspace:
    """Files of one episode, as bytes by path.

    Args:
        patching: Whether the action `patch` is offered; False for an ablation.
        file_bytes: Largest file.
        total_bytes: Largest sum of all files.
        max_files: Largest number of files.
    """

    def __init__(
        self, patching: bool = True, file_bytes: int = 8 << 20, total_bytes: int = 64 << 20, max_files: int = 2_000
    ) -> None:
        self.patching, self.file_bytes = patching, file_bytes
        self.total_bytes, self.max_files = total_bytes, max_files
        self._files: dict[str, bytes] = {}
        self._aside: dict[str, Callable[[], str]] = {}

    @property
    def files(self) -> Mapping[str, bytes]:
        """All files, those laid aside included."""
        while self._aside:
            path, text = next(iter(self._aside.items()))
            del self._aside[path]
            self._keep(path, text().encode("utf-8", "replace")[: self.file_bytes])
        return self._files

    def lay_aside(self, path: str, text: Callable[[], str]) -> None:
        """Keeps a text, asked for when it is needed, as a file; where there is no room left for it, it is not kept."""
        self._aside.setdefault(path, text)

    def change(self, path: str, data: bytes | None) -> bool:
        """Sets or removes (None) a file as a shell command did; False where it is refused for its path or size."""
        clean = clean_path(path)
        if clean is None or clean == ".":
            return False
        if data is None:
            _ = self.files
            self._files.pop(clean, None)
            return True
        return len(data) <= self.file_bytes and self._keep(clean, data)

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a `FileOp`; what cannot be done is a `Failure` in words for the agent."""
        if not isinstance(request, FileOp):
            return not_here(request)
        path = clean_path(request.path)
        if path is None:
            return _refused(f"the path {request.path[:80]!r} is not allowed: use a relative path without '..'")
        if request.action not in ACTIONS or (request.action == "patch" and not self.patching):
            allowed = [action for action in ACTIONS if action != "patch" or self.patching]
            return _refused(f"unknown action {request.action[:40]!r}; allowed are {', '.join(allowed)}")
        if request.action in ("write", "append", "patch"):
            return self._change(request, path)
        return self._look(request, path)

    def _look(self, request: FileOp, path: str) -> Response:
        if request.action == "list":
            return self._list(path)
        data = self.files.get(path)
        if data is None:
            kind = "a folder; use action 'list'" if self._is_folder(path) else "not there"
            return Failure("not_found", 404, f"{path} is {kind}", cost=FILE_SECONDS)
        if request.action == "stat":
            text = data.decode("utf-8", "replace")
            return Text(f"{path}: {len(data)} bytes, {text.count(chr(10)) + bool(text)} lines", FILE_SECONDS)
        return Text(_part(path, data, max(0, request.offset), max(1, request.limit)), FILE_SECONDS)

    def _list(self, path: str) -> Response:
        prefix = "" if path == "." else path + "/"
        found = sorted(name for name in self.files if name.startswith(prefix))
        if not found and path != ".":
            return Failure("not_found", 404, f"{path} is no folder of the workspace", cost=FILE_SECONDS)
        lines = [f"{name}  {len(self._files[name])} bytes" for name in found[:LIST_CAP]]
        if len(found) > LIST_CAP:
            lines.append(f"... and {len(found) - LIST_CAP} more files")
        return Text("\n".join(lines) or "(no files)", FILE_SECONDS)

    def _change(self, request: FileOp, path: str) -> Response:
        if path == "." or self._is_folder(path):
            return _refused(f"{path} is a folder, not a file")
        before = self.files.get(path)
        data = request.content.encode("utf-8", "replace")
        told = f"wrote {len(data)} bytes to {path}"
        if request.action == "append":
            data, told = (before or b"") + data, f"appended {len(data)} bytes to {path}"
        elif request.action == "patch":
            if before is None:
                return Failure("not_found", 404, f"{path} is not there, so it cannot be patched", cost=FILE_SECONDS)
            try:
                text, where = apply_patch(before.decode("utf-8", "replace"), request.anchor, request.content)
            except PatchRefused as refused:
                return _refused(f"{path} is unchanged: {refused}")
            data, told = text.encode("utf-8", "replace"), f"patched {path} at {where}"
        if len(data) > self.file_bytes:
            return Failure("disk_full", 507, f"{path} would have {len(data)} bytes; allowed are {self.file_bytes}")
        if not self._keep(path, data):
            return Failure("disk_full", 507, f"no room for {path}: the workspace is full", cost=FILE_SECONDS)
        return Text(told, FILE_SECONDS)

    def _keep(self, path: str, data: bytes) -> bool:
        total = sum(map(len, self._files.values())) - len(self._files.get(path, b"")) + len(data)
        if total > self.total_bytes or (path not in self._files and len(self._files) >= self.max_files):
            return False
        parents = posixpath.dirname(path)
        while parents:
            if parents in self._files:
                return False  # a file cannot be a folder, too
            parents = posixpath.dirname(parents)
        self._files[path] = data
        return True

    def _is_folder(self, path: str) -> bool:
        return any(name.startswith(path + "/") for name in self.files)


def clean_path(path: str) -> str | None:
    """A path within the workspace in its shortest form; None for one that leads out of it or is not printable.

    >>> clean_path("./notes//a.md"), clean_path("/workspace/a.md"), clean_path("../a"), clean_path("/etc/passwd")
    ('notes/a.md', 'a.md', None, None)
    """
    if not path or len(path) > MAX_PATH or not path.isprintable():
        return None
    path = path.removeprefix("/workspace/") if path != "/workspace" else "."
    shortest = posixpath.normpath(path)
    if shortest.startswith(("/", "..")) or len(shortest.encode("utf-8", "replace")) > MAX_PATH:
        return None
    return shortest


def _part(path: str, data: bytes, offset: int, limit: int) -> str:
    text = data[offset : offset + limit].decode("utf-8", "replace")
    end = min(len(data), offset + limit)
    if offset == 0 and end == len(data):
        return text
    more = f"; read on with offset {end}" if end < len(data) else ""
    return f"{text}\n[{path}: bytes {min(offset, len(data))} to {end} of {len(data)}{more}]"


def _refused(message: str) -> Failure:
    return Failure("refused", 400, message, cost=FILE_SECONDS)
