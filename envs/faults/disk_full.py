"""`disk_full`: what should be written finds no room."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.records import Call, Failure, FileOp, Request, Response, World
from murk.envs.workspace import FILE_SECONDS

_SAYINGS = (
    "[Errno 28] No space left on device: '{path}'",
    "cannot {action} {path}: no space left on device",
    "no room for {path}: the workspace is full",
    "[Errno 122] Disk quota exceeded: '{path}'",
    "{path} is unchanged: the volume has no free blocks",
)


@dataclass(frozen=True, slots=True)
class DiskFull:
    """Writing, appending and patching fail and change nothing; reading goes on."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (FileOp,)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        if not isinstance(request, FileOp) or request.action not in ("write", "append", "patch"):
            return inner.answer(request, call)
        said = draw.pick(_SAYINGS, "saying").format(path=request.path[:80], action=request.action)
        return Failure("disk_full", 507, said, cost=FILE_SECONDS)
