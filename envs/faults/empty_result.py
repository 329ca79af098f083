"""`empty_result`: a search finds nothing, or a page has no links, as if there were none."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.records import Call, Hits, LinkList, Links, Request, Response, Search, World


@dataclass(frozen=True, slots=True)
class EmptyResult:
    """An empty list in the place of results."""

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Search, Links)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if isinstance(raw, Hits):
            return replace(raw, hits=())
        return replace(raw, links=()) if isinstance(raw, LinkList) else raw
