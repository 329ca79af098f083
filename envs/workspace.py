"""The files of an episode: a small file system in memory, and so by construction without a way out of it.

It answers `FileOp` requests. Files that tools lay aside (`lay_aside`) cost nothing until the workspace is first used.
"""

import posixpath
from collections import Counter
from collections.abc import Callable, Mapping

from murk.envs.patch import PatchRefused, apply_patch
from murk.envs.records import Call, Failure, FileOp, Request, Response, Text, not_here

FILE_SECONDS = 0.1
MAX_PATH, MAX_DEPTH = 240, 32
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
        self._total = 0
        self._folders: Counter[str] = Counter()  # of the files, each with how many are somewhere below it
        self._aside: dict[str, tuple[Callable[[], str], int]] = {}
        self._waiting = 0  # bytes that those may have at most
        self._laid: set[str] = set()  # files that hold what was laid aside, and nothing of the agent's

    @property
    def files(self) -> Mapping[str, bytes]:
        """All files, those laid aside included."""
        while self._aside:
            path, (text, size) = next(iter(self._aside.items()))
            del self._aside[path]
            self._waiting -= size
            if self._keep(path, text().encode("utf-8", "replace")) is None:
                self._laid.add(path)
        return self._files

    def lay_aside(self, path: str, text: Callable[[], str], size: int) -> str | None:
        """Keeps a text, asked for when it is needed, as a file in the place of what was laid aside there before.

        Args:
            path: Where it is to lie; where the agent has a file of its own there, a number is added to the name.
            text: Gives the text.
            size: Most bytes that it may have.

        Returns:
            Where it lies; None where there is no room for it.
        """
        name, number = path, 1
        while name in self._files and name not in self._laid:
            number += 1
            stem, ending = posixpath.splitext(path)
            name = f"{stem}-{number}{ending}"
        others = self._waiting - self._aside.get(name, (text, 0))[1]
        more = len(self._aside) - (name in self._aside)
        if size > self.file_bytes or self._problem(name, others + size, more):
            return name if self._laid_now(name, text) else None
        self._waiting = others + size
        self._aside[name] = text, size
        return name

    def _laid_now(self, name: str, text: Callable[[], str]) -> bool:
        """Keeps a text at once, whole or not at all: where room is scarce its true size counts, and no guess."""
        _ = self.files
        data = text().encode("utf-8", "replace")
        if len(data) > self.file_bytes or self._keep(name, data):
            return False
        self._laid.add(name)
        return True

    def change(self, path: str, data: bytes | None) -> str | None:
        """Sets or removes (None) a file as a shell command did.

        Returns:
            Why it is refused, in words; None where it is done.
        """
        if problem := path_problem(path):
            return problem
        _ = self.files
        if data is None:
            self._drop(_shortest(path))
            return None
        if len(data) > self.file_bytes:
            return f"it has {len(data)} bytes; allowed are {self.file_bytes}"
        return self._keep(_shortest(path), data)

    def copy(self) -> "Workspace":
        """Another one with the same files."""
        other = Workspace(self.patching, self.file_bytes, self.total_bytes, self.max_files)
        for path, data in self.files.items():
            other._keep(path, data)
        return other

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a `FileOp`; what cannot be done is a `Failure` in words for the agent."""
        if not isinstance(request, FileOp):
            return not_here(request)
        if problem := path_problem(request.path):
            return _refused(f"the path {request.path[:80]!r} is not allowed: {problem}")
        path = _shortest(request.path)
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
                text, where = apply_patch(before.decode(), request.anchor, request.content)
            except UnicodeDecodeError:
                return _refused(f"{path} is unchanged: it is no text in UTF-8, and only text can be patched")
            except PatchRefused as refused:
                return _refused(f"{path} is unchanged: {refused}")
            data, told = text.encode("utf-8", "replace"), f"patched {path} at {where}"
        if len(data) > self.file_bytes:
            return Failure("disk_full", 507, f"{path} would have {len(data)} bytes; allowed are {self.file_bytes}")
        if problem := self._keep(path, data):
            return Failure("disk_full", 507, f"no room for {path}: {problem}", cost=FILE_SECONDS)
        return Text(told, FILE_SECONDS)

    def _problem(self, path: str, size: int, more: int = 0) -> str | None:
        """Why a file of this size cannot be kept, with so many more files to come; None where it can."""
        if path == "." or path in self._folders:
            return "a folder has this name"
        for folder in _folders_of(path):
            if folder in self._files:
                return f"{folder} is a file and no folder"
        before = self._files.get(path)
        full = self._total - len(before or b"") + size > self.total_bytes
        many = len(self._files) + more + (before is None) > self.max_files
        return "the workspace is full" if full or many else None

    def _keep(self, path: str, data: bytes) -> str | None:
        problem = self._problem(path, len(data))
        if problem is None:
            self._drop(path)
            self._files[path] = data
            self._total += len(data)
            self._folders.update(_folders_of(path))
        return problem

    def _drop(self, path: str) -> None:
        self._laid.discard(path)
        data = self._files.pop(path, None)
        if data is not None:
            self._total -= len(data)
            for folder in _folders_of(path):
                self._folders[folder] -= 1
                if not self._folders[folder]:
                    del self._folders[folder]

    def _is_folder(self, path: str) -> bool:
        _ = self.files
        return path in self._folders


def clean_path(path: str) -> str | None:
    """A path within the workspace in its shortest form; None for one that is not allowed (`path_problem` says why).

    >>> clean_path("./notes//a.md"), clean_path("/workspace/a.md"), clean_path("../a"), clean_path("/etc/passwd")
    ('notes/a.md', 'a.md', None, None)
    """
    return None if path_problem(path) else _shortest(path)


def path_problem(path: str) -> str | None:
    """Why a path is not allowed, in words; None where it is.

    >>> path_problem("..a/..."), path_problem("a/../../b")
    (None, "it leads out of the workspace; use a relative path without '..'")
    """
    if not path:
        return "it is empty"
    if not path.isprintable():
        return "it has characters that cannot be printed"
    shortest = _shortest(path)
    if len(path) > MAX_PATH or len(shortest.encode("utf-8", "replace")) > MAX_PATH:
        return f"it is longer than {MAX_PATH} bytes"
    if shortest.startswith("/") or shortest.split("/", 1)[0] == "..":
        return "it leads out of the workspace; use a relative path without '..'"
    if shortest.count("/") > MAX_DEPTH:
        return f"it is deeper than {MAX_DEPTH} folders"
    return None


def _shortest(path: str) -> str:
    return posixpath.normpath(path.removeprefix("/workspace/") if path != "/workspace" else ".")


def _folders_of(path: str) -> list[str]:
    """The folders that a file lies in."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _part(path: str, data: bytes, offset: int, limit: int) -> str:
    text = data[offset : offset + limit].decode("utf-8", "replace")
    end = min(len(data), offset + limit)
    if offset == 0 and end == len(data):
        return text
    more = f"; read on with offset {end}" if end < len(data) else ""
    return f"{text}\n[{path}: bytes {min(offset, len(data))} to {end} of {len(data)}{more}]"


def _refused(message: str) -> Failure:
    return Failure("refused", 400, message, cost=FILE_SECONDS)
