"""`partial_output`: a command's output, or what is read from a file, breaks off with an error."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.records import Call, Completed, FileOp, Request, Response, Run, Text, World

_NOTES = (
    "the output broke off after {size} characters: broken pipe",
    "only {size} characters of the output arrived before the connection to the shell was lost",
    "output is not complete: reading from the pipe failed after {size} characters",
)
_ENDS = (
    "[Errno 5] Input/output error after {size} characters of {path}",
    "[reading {path} stopped after {size} characters: I/O error]",
    "read error: {path}: only {size} characters could be read",
)


@dataclass(frozen=True, slots=True)
class PartialOutput:
    """Output is cut and says so. `keep` is the largest share of it that is left, above 0 and below 1."""

    keep: float = 0.6

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Run, FileOp)

    def __post_init__(self) -> None:
        check_range("keep", self.keep, 0.01, 0.99)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        share = draw.uniform("keep") * self.keep
        if isinstance(raw, Completed) and raw.stdout:
            size = int(len(raw.stdout) * share)
            note = draw.pick(_NOTES, "note").format(size=size)
            return replace(raw, stdout=raw.stdout[:size], notes=(*raw.notes, note))
        if isinstance(raw, Text) and isinstance(request, FileOp) and request.action == "read" and raw.text:
            size = int(len(raw.text) * share)
            end = draw.pick(_ENDS, "end").format(size=size, path=request.path[:80])
            return replace(raw, text=f"{raw.text[:size]}\n{end}")
        return raw
