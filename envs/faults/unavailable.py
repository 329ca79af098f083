"""`unavailable`: 503, and when to ask again. In a window, all is refused until that time has come."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.faults.rate_limit import wait_of
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "{host} is down for maintenance and will be back shortly.",
    "The service is overloaded at the moment. Please come back later.",
    "No healthy upstream is left to serve this request.",
    "We are working on it. Please try again in a while.",
    "A new version of {host} is being rolled out.",
)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service is not available. Under the schedule `window` the wait ends with the window.

    Attributes:
        seconds: About how many simulated seconds the wait is under other schedules, which do not enforce it.
    """

    seconds: float = 30.0

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)
    schedule: ClassVar[str] = "window"

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 1, 3_600)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        wait = wait_of(draw, call, self.seconds)
        said = http_error(request, draw, 503, _SAYINGS, {"Retry-After": str(wait)})
        return Failure("server_error", 503, said, float(wait), draw.between(0.1, 3.0, "cost"))
