"""The world that answers `Run`: a command in the sandbox, over the files of the workspace, which keep its changes."""

import base64
from dataclasses import replace

from murk.envs.records import Call, Failure, Request, Response, Run, not_here
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
        refused = [
            path
            for path, content in done.changes
            if not self._workspace.change(path, None if content is None else base64.b64decode(content))
        ]
        if not refused:
            return done
        note = f"not kept, as the workspace has no room for them: {', '.join(refused[:5])}"
        return replace(done, notes=(*done.notes, note))
