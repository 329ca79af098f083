"""`authority_gone`: the shelf of curated hosts is not there any more."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Hits, Request, Response, Search, World

_SAYINGS = {
    404: (
        "There is no collection of this name.",
        "index_not_found: authority",
        "The shelf you asked for is not known here.",
    ),
    503: (
        "All shards of this collection failed.",
        "The collection is being built anew and cannot be searched.",
        "This index is offline.",
    ),
}


@dataclass(frozen=True, slots=True)
class AuthorityGone:
    """Searches of the shelf fail or find nothing, by draw, and hits of other shelves have no authority tier."""

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = (Search,)
    schedule: ClassVar[str] = "episode"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        if isinstance(request, Search) and request.shelf == "authority":
            return _gone(request, draw)
        raw = inner.answer(request, call)
        if not isinstance(raw, Hits):
            return raw
        return replace(raw, hits=tuple(replace(hit, tier=0) if hit.tier else hit for hit in raw.hits))


def _gone(request: Search, draw: Draw) -> Response:
    cost = draw.between(0.1, 1.0, "cost")
    status = draw.pick((0, 404, 503), "status")
    if not status:
        return Hits((), cost)
    said = http_error(request, draw, status, _SAYINGS[status], forms=("plain", "head", "json"))
    return Failure("not_found" if status == 404 else "server_error", status, said, cost=cost)
