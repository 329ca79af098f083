"""What the operators of a query and the shelf leave of the pages."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from murk.envs.web.pages import Pages
from murk.envs.web.query import Query
from murk.envs.web.search import Index
from murk.envs.web.text import words

SHELVES = ("web", "authority", "library")
PHRASE_CHECKS = 2_000

_Mask = NDArray[np.bool_]


def allowed_pages(
    query: Query, shelf: str, pages: Pages, index: Index, passages: Callable[[NDArray[np.int64]], list[str]]
) -> _Mask | None:
    """Pages that a query may return, shape (pages,); None for all.

    Args:
        passages: Gives the texts of passages by their numbers.
    """
    if shelf == "web" and not (query.sites or query.phrases or query.without):
        return None
    allowed = np.ones(len(pages), np.bool_)
    if shelf == "authority":
        allowed &= pages.tiers > 0
    elif shelf == "library":
        allowed &= pages.long > 0
    if query.sites:
        allowed &= np.logical_or.reduce([pages.on_host(site) for site in query.sites])
    for word in query.without:
        allowed[index.pages_of(index.holding([word]))] = False
    for phrase in query.phrases:
        allowed &= _with_phrase(phrase, allowed, pages, index, passages)
    return allowed


def _with_phrase(
    phrase: tuple[str, ...],
    allowed: _Mask,
    pages: Pages,
    index: Index,
    passages: Callable[[NDArray[np.int64]], list[str]],
) -> _Mask:
    """Pages that hold the words one after another in a passage or in the title. At most `PHRASE_CHECKS` passages are
    read, so that a phrase of everyday words costs no more."""
    found = np.zeros(len(allowed), np.bool_)
    holding = index.holding(phrase)
    checks = 0
    wanted = "\n" + "\n".join(phrase) + "\n"
    for page, passage in zip(index.pages_of(holding).tolist(), holding.tolist(), strict=True):
        if found[page] or not allowed[page]:
            continue
        title = pages.titles[int(pages.newest(np.array(page)))]
        texts = (title, *passages(np.array([passage])))
        found[page] = any(wanted in "\n" + "\n".join(words(text)) + "\n" for text in texts)
        checks += 1
        if checks >= PHRASE_CHECKS:
            break
    return found
