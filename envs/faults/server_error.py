"""`server_error`: 500."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "Something went wrong on our side.",
    "An unexpected condition kept {host} from fulfilling the request.",
    "Unhandled exception while the request was processed.",
    "The application behind {host} stopped with an error.",
    "Could not get a connection from the database pool.",
    "The page you asked for could not be put together.",
)


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server fails, within seconds."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        said = http_error(request, draw, 500, _SAYINGS)
        return Failure("server_error", 500, said, cost=draw.between(0.2, 4.0, "cost"))
