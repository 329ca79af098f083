"""The pages delivered in an episode. Thousands of episodes run side by side, and page texts would fill the memory.

So a page that a world which never changes gave, and that reached the tool as it was, is not held: it is asked for again
when its text is needed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from murk.envs.records import Page, Request

Again = Callable[[Request], Page]


class Held:
    """A page that was delivered: itself, or how to get it again."""

    __slots__ = ("_again", "_kept")

    def __init__(self, page: Page, request: Request, again: Again | None) -> None:
        self._kept: Page | Request = page if again is None else request
        self._again = again

    @property
    def page(self) -> Page:
        """The page as it was delivered."""
        if isinstance(self._kept, Page):
            return self._kept
        assert self._again is not None
        return self._again(self._kept)

    def text(self) -> str:
        """Its text."""
        return self.page.text


class Delivered(Mapping[str, Page]):
    """Pages by canonical URL, in the order of their first delivery.

    A page is what was delivered of it: where that were several captures, the latest delivery of each date counts, and
    the page has the text of all, one below the other, so that what the agent looks up later takes no evidence away.

    Args:
        again: Gives the page that is held by its request, for those that `unchanged` knows; None to hold all.
        unchanged: Whether a page is the very one that its world gave last.
    """

    def __init__(self, again: Again | None = None, unchanged: Callable[[Page], bool] = lambda page: False) -> None:
        self._again, self._unchanged = again, unchanged
        self._held: dict[str, dict[str, Held]] = {}

    def add(self, page: Page, request: Request) -> Held:
        """A page has been delivered."""
        held = Held(page, request, self._again if self._unchanged(page) else None)
        captures = self._held.get(page.url)
        if captures is None:
            self._held[page.url] = {page.date: held}
        else:
            captures[page.date] = held
        return held

    def __getitem__(self, url: str) -> Page:
        captures = [held.page for held in self._held[url].values()]
        if len(captures) == 1:
            return captures[0]
        return replace(captures[-1], text="\n\n".join(page.text for page in captures))

    def __contains__(self, url: object) -> bool:
        return url in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
