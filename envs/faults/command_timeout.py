"""`command_timeout`: a shell command hangs until its time is up, and leaves nothing behind."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.records import Call, Completed, Request, Response, Run, World

_NOTES = (
    "killed: over the time limit of {seconds:g} s",
    "the command did not end within {seconds:g} s and was stopped",
    "timed out after {seconds:g} s",
)


@dataclass(frozen=True, slots=True)
class CommandTimeout:
    """A command times out, at the cost of all the time that it was allowed. It does not run."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Run,)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        if not isinstance(request, Run):
            return inner.answer(request, call)
        note = draw.pick(_NOTES, "note").format(seconds=request.timeout)
        return Completed(124, "", "", notes=(note,), cost=float(request.timeout))
