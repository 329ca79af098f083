"""`bad_gateway`: 502, with a page where data was expected."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "The proxy got no valid answer from the server behind it.",
    "The origin of {host} closed the connection while sending its headers.",
    "The host is reachable but its application does not respond.",
    "An upstream server answered in a way that could not be read.",
    "Error while talking to the backend of {host}.",
)


@dataclass(frozen=True, slots=True)
class BadGateway:
    """A proxy fails, within seconds."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        said = http_error(request, draw, 502, _SAYINGS, forms=("html",))
        return Failure("server_error", 502, said, cost=draw.between(0.2, 10.0, "cost"))
