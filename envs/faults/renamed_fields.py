"""`renamed_fields`: in mid-episode, the fields of a tool's JSON results get other names."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from murk.envs.faults import Draw, check_range
from murk.envs.faults.interface import Interface

NAMES: Mapping[str, tuple[str, ...]] = {
    "url": ("link", "href", "address"),
    "snippet": ("summary", "excerpt", "abstract"),
    "results": ("items", "hits", "documents"),
    "title": ("name", "heading", "headline"),
    "query": ("q", "search", "asked"),
    "cite": ("ref", "citation", "cite_key"),
    "content": ("body", "passage", "extract"),
    "date": ("published", "captured", "timestamp"),
    "text": ("label", "anchor", "link_text"),
    "spent": ("used", "consumed", "so_far"),
    "left": ("remaining", "available", "rest"),
}


@dataclass(frozen=True, slots=True)
class RenamedFields(Interface):
    """Some fields have another name, at least one.

    Attributes:
        share: About which share of them, above 0, to 1.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        Interface.__post_init__(self)
        check_range("share", self.share, 0.01, 1)

    def fields(self, draw: Draw) -> Mapping[str, str]:
        order = sorted(NAMES, key=lambda name: (draw.uniform("which", name), name))
        chosen = order[: ceil(self.share * len(order))]
        return {name: draw.pick(NAMES[name], "name", name) for name in chosen}
