"""`timeout`: no answer comes, and the time is lost."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.faults.surface import who
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "{host} took more than {seconds:g} seconds",
    "read timed out after {seconds:g} s while waiting for {host}",
    "connect to {host} timed out ({seconds:g} s)",
    "no response from {host} within {seconds:g} s",
    "deadline of {seconds:g}s exceeded before {host} sent any headers",
)


@dataclass(frozen=True, slots=True)
class Timeout:
    """A request times out. `seconds` is the simulated time that it costs."""

    seconds: float = 30.0

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 0, 3_600)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        said = draw.pick(_SAYINGS, "saying").format(host=who(request), seconds=self.seconds)
        return Failure("timeout", 0, said, cost=float(self.seconds))
