"""`swapped_page`: another page of the world comes under the address that was asked for."""

from dataclasses import dataclass, replace
from typing import ClassVar

from murk.envs.faults import Draw, Told
from murk.envs.faults.rule import place_of
from murk.envs.records import Call, Hits, LinkList, Links, Open, Page, Request, Response, Search, World


@dataclass(frozen=True, slots=True)
class SwappedPage:
    """Title and text are those of a page that the right one links to, or else of one that its title finds."""

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Open,)

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response | Told:
        raw = inner.answer(request, call)
        if not isinstance(raw, Page):
            return raw
        near = _near(raw, call, inner)
        other = inner.answer(Open(draw.pick(near, "page")), call) if near else raw
        if not isinstance(other, Page) or other.text == raw.text:
            return raw
        swapped = replace(raw, title=other.title, text=other.text)
        return Told(swapped, truth={"page": raw.url}, lie={"page": other.url})


def _near(page: Page, call: Call, inner: World) -> list[str]:
    """Addresses of other pages near a page."""
    linked = inner.answer(Links(page.url), call)
    urls = [link.url for link in linked.links if link.inside] if isinstance(linked, LinkList) else []
    urls = [url for url in urls if place_of(url) != place_of(page.url)]
    if urls:
        return urls
    found = inner.answer(Search(page.title), call)
    urls = [hit.url for hit in found.hits] if isinstance(found, Hits) else []
    return [url for url in urls if place_of(url) != place_of(page.url)]
