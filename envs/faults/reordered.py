"""`reordered`: results come in another order than that of relevance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.records import Call, Hit, Hits, Request, Response, Search, World

_ORDERS: Mapping[str, Callable[[Hit], str | int]] = {
    "title": lambda hit: hit.title.casefold(),
    "date": lambda hit: hit.date,
    "address": lambda hit: hit.url,
    "worst first": lambda hit: hit.score,
}


@dataclass(frozen=True, slots=True)
class Reordered:
    """The same hits by title, date or address, the worst first, or mixed; the same way as long as the unit lasts."""

    family: ClassVar[str] = "interface"
    requests: ClassVar[tuple[type, ...]] = (Search,)
    schedule: ClassVar[str] = "sticky"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        raw = inner.answer(request, call)
        if not isinstance(raw, Hits):
            return raw
        order = draw.pick((*_ORDERS, "mixed"), "order")
        if order == "mixed":
            hits = sorted(raw.hits, key=lambda hit: draw.bits(request.key, hit.url))
        else:
            hits = sorted(raw.hits, key=lambda hit: (_ORDERS[order](hit), hit.url))
        return replace(raw, hits=tuple(hits))
