"""`stale_capture`: an older capture of a page comes in the place of the one asked for."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw, Told
from murk.envs.records import Call, Links, Open, Page, Request, Response, World


@dataclass(frozen=True, slots=True)
class StaleCapture:
    """A cache that was not refreshed, for page and links alike. The page says of when it is, and nothing else does."""

    family: ClassVar[str] = "silent"
    requests: ClassVar[tuple[type, ...]] = (Open, Links)
    schedule: ClassVar[str] = "page"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response | Told:
        raw = inner.answer(request, call)
        if not isinstance(request, Open | Links):
            return raw
        page = raw if isinstance(raw, Page) else inner.answer(Open(request.url, request.at), call)
        older = [date for date in page.captures if date < page.date] if isinstance(page, Page) else []
        if not isinstance(page, Page) or not older:
            return raw
        date = draw.pick(older, "date")
        stale = inner.answer(type(request)(request.url, date), call)
        return Told(stale, truth={"date": page.date}, lie={"date": date}) if isinstance(stale, type(raw)) else raw
