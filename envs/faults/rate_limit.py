"""`rate_limit`: 429, and when to ask again. In a window, all is refused until that time has come."""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from murk.envs.faults import Draw, check_range
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "Request rate of this client is above the limit of {host}.",
    "You have used up your requests for now.",
    "Quota for this interval exhausted, slow down.",
    "Too many requests came from your address in a short time.",
    "{host} limits how often it may be asked.",
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Too many requests. Under the schedule `window` the wait ends with the window.

    Attributes:
        seconds: About how many simulated seconds the wait is under other schedules, which do not enforce it.
    """

    seconds: float = 20.0

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)
    schedule: ClassVar[str] = "window"

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 1, 3_600)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        wait = wait_of(draw, call, self.seconds)
        said = http_error(request, draw, 429, _SAYINGS, {"Retry-After": str(wait)})
        return Failure("rate_limited", 429, said, float(wait), draw.between(0.05, 0.5, "cost"))


def wait_of(draw: Draw, call: Call, seconds: float) -> int:
    """Whole seconds to wait: to the end of the window, or else half to one and a half of `seconds`."""
    wait = draw.between(0.5, 1.5, "wait") * seconds if draw.until is None else draw.until - call.now
    return max(1, ceil(wait))
