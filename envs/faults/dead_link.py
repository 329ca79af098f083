"""`dead_link`: 404 or 410 for a page, for good."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Links, Open, Request, Response, World

_SAYINGS = {
    404: (
        "There is no such page on {host}.",
        "The address may be mistyped, or the page has moved.",
        "We looked everywhere but this page cannot be found.",
        "The requested URL was not found on this server.",
        "No document of that name.",
    ),
    410: (
        "This page was taken down and will not come back.",
        "The article has been withdrawn.",
        "{host} has removed this content for good.",
        "The requested resource is no longer here, and there is no forwarding address.",
    ),
}


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A page is gone; its links, too."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Open, Links)
    schedule: ClassVar[str] = "page"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        status = draw.pick((404, 404, 404, 410), "status")
        said = http_error(request, draw, status, _SAYINGS[status])
        return Failure("not_found" if status == 404 else "refused", status, said, cost=draw.between(0.1, 1.0, "cost"))
