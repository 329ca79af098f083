"""`slow`: the answer is right, and takes long."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.records import Call, FileOp, Links, Open, Request, Response, Run, Search, World


@dataclass(frozen=True, slots=True)
class Slow:
    """Half to one and a half of `seconds` of simulated time come on top."""

    seconds: float = 20.0

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links, Run, FileOp)

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 0.1, 3_600)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        more = draw.between(0.5 * self.seconds, 1.5 * self.seconds, "seconds")
        return replace(raw, cost=round(raw.cost + more, 6))
