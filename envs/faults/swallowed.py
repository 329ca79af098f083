"""`swallowed`: a search fails, and the tool gives an empty list in the place of the error, as the real one does."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.records import Call, Hits, Request, Response, Search, World


@dataclass(frozen=True, slots=True)
class Swallowed:
    """No hits, after the time that the failure took. `seconds` is the longest, in simulated seconds."""

    seconds: float = 30.0

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Search,)

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 0.1, 3_600)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        return Hits((), draw.between(0.1, self.seconds, "cost"))
