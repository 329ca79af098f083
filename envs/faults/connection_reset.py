"""`connection_reset`: the connection breaks before an answer has come."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import who
from murk.envs.records import Call, Failure, Links, Open, Request, Response, Search, World

_SAYINGS = (
    "no connection to {host}: [Errno 104] Connection reset by peer",
    "connection to {host} was closed before a response was received",
    "{host} disconnected without sending a response",
    "the TLS connection to {host} was terminated: unexpected EOF while reading",
    "no connection to {host}: [Errno 32] Broken pipe",
    "stream 1 to {host} was reset by the remote end (REFUSED_STREAM)",
)


@dataclass(frozen=True, slots=True)
class ConnectionReset:
    """The connection is reset, within seconds."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search, Open, Links)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        said = draw.pick(_SAYINGS, "saying").format(host=who(request))
        return Failure("unreachable", 0, said, cost=draw.between(0.05, 2.0, "cost"))
