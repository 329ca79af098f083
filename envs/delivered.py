"""The pages delivered in an episode. Thousands of episodes run side by side, and page texts would fill the memory.

So a page that a world which never changes gave, and that reached the tool as it was, is not held: it is asked for again
when its text is needed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from murk.envs.records import Page, Request

MOST = 8  # deliveries of one page that are held, the latest
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

    def same(self, other: "Held") -> bool:
        """Whether another delivery is known to have been the same, at no cost."""
        return self._kept == other._kept

    def text(self) -> str:
        """Its text."""
        return self.page.text


class Delivered(Mapping[str, Page]):
    """Pages by canonical URL, in the order of their first delivery.

    A page is what was delivered of it: where that differed, as captures do, or what a fault had made of one, it is the
    latest with the text of all, one below the other, so that what the agent looks up later takes no evidence away.

    Args:
        again: Gives the page that is held by its request, for those that `unchanged` knows; None to hold all.
        unchanged: Whether a page is the very one that its world gave last.
    """

    def __init__(self, again: Again | None = None, unchanged: Callable[[Page], bool] = lambda page: False) -> None:
        self._again, self._unchanged = again, unchanged
        self._held: dict[str, list[Held]] = {}

    def add(self, page: Page, request: Request) -> Held:
        """A page has been delivered."""
        held = Held(page, request, self._again if self._unchanged(page) else None)
        others = self._held.get(page.url)
        if others is None:
            self._held[page.url] = [held]
        else:
            self._held[page.url] = [*(one for one in others if not one.same(held)), held][-MOST:]
        return held

    def __getitem__(self, url: str) -> Page:
        pages = [held.page for held in self._held[url]]
        texts: list[str] = []
        for page in pages:
            if not any(page.text in text for text in texts):
                texts = [*(text for text in texts if text not in page.text), page.text]
        return replace(pages[-1], text="\n\n".join(texts)) if len(pages) > 1 else pages[0]

    def __contains__(self, url: object) -> bool:
        return url in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
