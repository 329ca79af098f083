"""`blocked_host`: 403 or 451 for all pages of a host."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, World

_SAYINGS = {
    403: (
        "You do not have permission to see this page on {host}.",
        "Automated access to {host} is not allowed.",
        "Your address is on a list of blocked networks.",
        "This site is not offered in your region.",
        "Checking whether you are a person failed. Please enable JavaScript and cookies.",
    ),
    451: (
        "{host} is withheld in your country following a legal order.",
        "For legal reasons this content cannot be shown where you are.",
        "Blocked at the request of the rights holder.",
    ),
}


@dataclass(frozen=True, slots=True)
class BlockedHost:
    """A host refuses. Its pages may still be found by searches."""

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = (Open, Links)
    schedule: ClassVar[str] = "sticky"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        status = draw.pick((403, 403, 403, 451), "status")
        said = http_error(request, draw, status, _SAYINGS[status])
        return Failure("refused", status, said, cost=draw.between(0.1, 1.0, "cost"))
