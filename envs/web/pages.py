"""The pages and captures of a snapshot: what `build` wrote, memory-mapped, and how a page is found."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import SnapshotError
from murk.envs.web.authority import LIFT
from murk.envs.web.columns import Strings, load_array
from murk.envs.web.document import Document
from murk.envs.web.urls import key64, spellings

_Ints = NDArray[np.int64]


class Pages:
    """Columns by capture and by page, as described in `build`.

    Attributes:
        texts, titles: By capture.
        urls: By page.
        dates: By capture, int64 as YYYYMMDDhhmmss.
        tiers: Authority tier by page, uint8.
        long: Whether the page is a long document, by page, uint8.
    """

    def __init__(self, folder: Path) -> None:
        self.texts = Strings(folder, "text")
        self.titles = Strings(folder, "title")
        self.urls = Strings(folder, "url")
        self.dates: _Ints = load_array(folder, "dates", np.int64)
        self.tiers: NDArray[np.uint8] = load_array(folder, "pages.tier", np.uint8)
        self.long: NDArray[np.uint8] = load_array(folder, "pages.long", np.uint8)
        self._links = Strings(folder, "links")
        self._breaks = Strings(folder, "breaks")
        self._hosts = Strings(folder, "hosts")
        self._page_hosts = load_array(folder, "pages.host", np.int32)
        self._captures = load_array(folder, "pages.captures", np.int64)
        self._starts = load_array(folder, "pages.capture_starts", np.int64)
        self._keys = load_array(folder, "pages.keys", np.uint64)
        self._by_key = load_array(folder, "pages.by_key", np.int64)
        self.on_host = lru_cache(maxsize=256)(self._on_host)
        self._check(folder)

    def __len__(self) -> int:
        return len(self.tiers)

    def find(self, url: str) -> int | None:
        """Number of the page with a canonical URL."""
        key = np.uint64(key64(url))
        place = int(self._keys.searchsorted(key))
        while place < len(self._keys) and self._keys[place] == key:
            page = int(self._by_key[place])
            if self.urls[page] == url:
                return page
            place += 1
        return None

    def locate(self, address: str, limit: int | None) -> tuple[int, int] | None:
        """Page and capture that an address means: the newest capture, or the newest up to a date, else the oldest."""
        page = self.find(address)  # most addresses are spelled as the snapshot has them
        if page is None:
            page = next((found for url in spellings(address) if (found := self.find(url)) is not None), None)
        if page is None:
            return None
        captures = self.captures_of(page)
        if limit is None:
            return page, captures[-1]
        return page, next((c for c in reversed(captures) if int(self.dates[c]) <= limit), captures[0])

    def captures_of(self, page: int) -> list[int]:
        """Captures of a page, oldest first."""
        found: list[int] = self._captures[int(self._starts[page]) : int(self._starts[page + 1])].tolist()
        return found

    def newest(self, pages: _Ints) -> _Ints:
        """Newest capture of each page."""
        newest: _Ints = self._captures[self._starts[pages + 1] - 1]
        return newest

    def links(self, capture: int) -> list[tuple[str, str]]:
        """Targets and texts of the links of a capture."""
        return [(target, text) for target, text in json.loads(self._links.data(capture))]

    def page_number(self, capture: int, position: int) -> int:
        """The page of a long document, from 1, on which a byte position lies."""
        return max(1, bisect_right(json.loads(self._breaks.data(capture)), position))

    def documents(self) -> Iterator[Document]:
        """All captures, page by page, each page's oldest first."""
        for page in range(len(self)):
            for capture in self.captures_of(page):
                data, breaks = self.texts.data(capture), json.loads(self._breaks.data(capture))
                sizes = (len(data[a:b].decode("utf-8", "replace")) for a, b in pairwise(breaks))
                yield Document(
                    self.urls[page],
                    self.titles[capture],
                    data.decode("utf-8", "replace"),
                    tuple(self.links(capture)),
                    int(self.dates[capture]),
                    tuple(accumulate(sizes, initial=0)) if breaks else (),
                )

    def _on_host(self, site: str) -> NDArray[np.bool_]:
        """Which pages lie on a host or its subdomains, shape (pages,)."""
        on = [host == site or host.endswith("." + site) for host in self._hosts]
        pages: NDArray[np.bool_] = np.array(on, np.bool_)[self._page_hosts]
        return pages

    def _check(self, folder: Path) -> None:
        """Cheap checks that the files belong together; `verify` reads every byte."""
        pages, captures = len(self), len(self.dates)
        agree = {
            "text": len(self.texts) == captures,
            "title": len(self.titles) == captures,
            "links": len(self._links) == captures,
            "breaks": len(self._breaks) == captures,
            "url": len(self.urls) == pages,
            "pages.captures": len(self._captures) == captures,
            "pages.capture_starts": len(self._starts) == pages + 1 and are_bounds(self._starts, captures),
            "pages.keys": len(self._keys) == len(self._by_key) == pages,
            "pages.host": len(self._page_hosts) == len(self.long) == pages,
            "pages.tier": not pages or int(self.tiers.max()) in LIFT,
        }
        for name, right in agree.items():
            if not right:
                raise SnapshotError(f"{name} of {folder} does not fit the other files: it is damaged.")


def are_bounds(starts: _Ints, total: int) -> bool:
    """Whether numbers ascend from 0 to a total, as the bounds of adjacent ranges do."""
    return bool(len(starts) and starts[0] == 0 and starts[-1] == total and (starts[1:] >= starts[:-1]).all())
