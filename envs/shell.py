"""The worlds that answer `Run` over the files of the workspace: a sandbox, or the record of one."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from murk.envs.codec import encode
from murk.envs.errors import ReplayDiverged
from murk.envs.records import Call, Completed, Failure, Request, Response, Run, World, not_here
from murk.envs.sandbox import Sandbox
from murk.envs.sandbox.files import named
from murk.envs.workspace import Workspace, clean_path

COMPARED = ("exit_code", "stdout", "stderr", "changes", "notes", "cost")
NOTES = 5


class Shell:
    """Runs commands for one episode; the sandbox may be shared with others."""

    def __init__(self, sandbox: Sandbox, workspace: Workspace) -> None:
        self._sandbox, self._workspace = sandbox, workspace

    def answer(self, request: Request, call: Call) -> Response:
        """Runs a command and applies its changes to the workspace; what does not fit there is told in the notes."""
        if not isinstance(request, Run):
            return not_here(request)
        done = _run(request, self._sandbox, self._workspace)
        return _applied(done, self._workspace) if isinstance(done, Completed) else done


@dataclass(frozen=True, slots=True)
class Difference:
    """What was not as recorded when a command ran again.

    Attributes:
        key: Key of the request.
        field: One of `COMPARED`, or `failure` where it was refused only once.
        recorded: The field as recorded; for `failure` its message, or None where there was none.
        found: The field as it is now.
    """

    key: str
    field: str
    recorded: Any
    found: Any


class RecordedShell:
    """Answers commands as they were answered when the episode was recorded, and applies the changes they made.

    Args:
        answers: Request keys and responses of the commands, in their order.
        workspace: Files of the episode.
        sandbox: Where each command is run again, over the same files, to be compared; None for nowhere.

    Attributes:
        differences: How what ran again differs from the record, which counts all the same.
    """

    def __init__(
        self, answers: Iterable[tuple[str, Completed | Failure]], workspace: Workspace, sandbox: Sandbox | None = None
    ) -> None:
        self._answers, self._workspace, self._sandbox = list(answers), workspace, sandbox
        self._next = 0
        self.differences: list[Difference] = []

    def answer(self, request: Request, call: Call) -> Response:
        """Answers the next command.

        Raises:
            ReplayDiverged: it is not the command that was recorded next.
        """
        if not isinstance(request, Run):
            return not_here(request)
        if self._next >= len(self._answers):
            raise ReplayDiverged(f"command {self._next + 1} was not recorded: {request.command[:200]!r}")
        key, done = self._answers[self._next]
        if key != request.key:
            raise ReplayDiverged(f"command {self._next + 1} is {request.key[:200]}, but {key[:200]} was recorded")
        self._next += 1
        if self._sandbox is not None:
            found = _run(request, self._sandbox, self._workspace)
            if isinstance(found, Completed):
                found = _applied(found, self._workspace.copy())
            self.differences += _differences(key, done, found)
        return _applied(done, self._workspace) if isinstance(done, Completed) else done


class KeptShell:
    """Keeps what another shell answers, for a replay.

    Args:
        shell: The other one.
        commands: Gets request key and encoded response of each command.
    """

    def __init__(self, shell: World, commands: list[tuple[str, dict[str, Any]]]) -> None:
        self._shell, self._commands = shell, commands

    def answer(self, request: Request, call: Call) -> Response:
        """Answers as the other shell does."""
        response = self._shell.answer(request, call)
        self._commands.append((request.key, encode(response)))
        return response


def _run(request: Run, sandbox: Sandbox, workspace: Workspace) -> Completed | Failure:
    """Runs a command over the files as they are, and leaves them so."""
    folder = clean_path(request.cwd)
    if folder is None:
        return Failure("refused", 400, f"the folder {request.cwd[:80]!r} is not in the workspace")
    try:
        return sandbox.run(request.command, workspace.files, request.timeout, folder, request.env)
    except ValueError as error:
        return Failure("refused", 400, str(error)[:300])


def _differences(key: str, recorded: Completed | Failure, found: Completed | Failure) -> list[Difference]:
    if isinstance(recorded, Completed) and isinstance(found, Completed):
        pairs = [(name, getattr(recorded, name), getattr(found, name)) for name in COMPARED]
    else:
        pairs = [("failure", getattr(recorded, "message", None), getattr(found, "message", None))]
    return [Difference(key, name, old, new) for name, old, new in pairs if old != new]


def _applied(done: Completed, workspace: Workspace) -> Completed:
    """Keeps the changes of a command, those that make room first; tells of those that the workspace refuses.

    Only what was kept stays in the record, so that a replay keeps the same, and refused files fill no memory.
    """
    changes = [(path, None if content is None else base64.b64decode(content)) for path, content in done.changes]
    before = workspace.files
    order = sorted(changes, key=lambda one: (one[1] is not None, len(one[1] or b"") > len(before.get(one[0], b""))))
    problems: dict[str, str] = {}
    for path, data in order:
        if problem := workspace.change(path, data):
            problems[path] = problem
    kept = [(path, content) for path, content in done.changes if path not in problems]
    notes = [f"{named(path)} was not kept: {problem}" for path, problem in problems.items()]
    more = [f"{len(notes) - NOTES} more were not kept"] if len(notes) > NOTES else []
    return replace(done, changes=tuple(kept), notes=(*done.notes, *notes[:NOTES], *more))
