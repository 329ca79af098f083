"""The worlds that answer `Run` over the files of the workspace: a sandbox, or the record of one."""

import base64
from collections.abc import Iterable
from dataclasses import replace

from murk.envs.errors import ReplayDiverged
from murk.envs.records import Call, Completed, Failure, Request, Response, Run, not_here
from murk.envs.sandbox import Sandbox
from murk.envs.workspace import Workspace, clean_path


class Shell:
    """Runs commands for one episode; the sandbox may be shared with others."""

    def __init__(self, sandbox: Sandbox, workspace: Workspace) -> None:
        self._sandbox, self._workspace = sandbox, workspace

    def answer(self, request: Request, call: Call) -> Response:
        """Runs a command and applies its changes to the workspace; what does not fit there is told in the notes."""
        if not isinstance(request, Run):
            return not_here(request)
        folder = clean_path(request.cwd)
        if folder is None:
            return Failure("refused", 400, f"the folder {request.cwd[:80]!r} is not in the workspace")
        try:
            done = self._sandbox.run(request.command, self._workspace.files, request.timeout, folder, request.env)
        except ValueError as error:
            return Failure("refused", 400, str(error)[:300])
        return _applied(done, self._workspace)


class RecordedShell:
    """Answers commands as they were answered when the episode was recorded, and applies the changes they made.

    Args:
        answers: Request keys and responses of the commands, in their order.
        workspace: Files of the episode.
    """

    def __init__(self, answers: Iterable[tuple[str, Completed | Failure]], workspace: Workspace) -> None:
        self._answers, self._workspace = list(answers), workspace
        self._next = 0

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
        return _applied(done, self._workspace) if isinstance(done, Completed) else done


def _applied(done: Completed, workspace: Workspace) -> Completed:
    """Keeps the changes of a command; notes those that the workspace refuses, once, however often it is replayed."""
    refused = [
        path
        for path, content in done.changes
        if not workspace.change(path, None if content is None else base64.b64decode(content))
    ]
    note = f"not kept, as the workspace has no room for them: {', '.join(refused[:5])}"
    return replace(done, notes=(*done.notes, note)) if refused and note not in done.notes else done
