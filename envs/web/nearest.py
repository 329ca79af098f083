"""Which recorded requests come nearest to one that was not recorded, and what differs."""

import heapq
import json
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

from murk.envs.records import Links, Open, Search, WebRequest
from murk.envs.web.text import clean, words
from murk.envs.web.urls import dated, spellings

SHOWN = 3
MAX_COMPARED = 10_000
_MAX_KEY = 4_000
_MAX_TEXT = 150
_MAX_WORDS = 8

_Known = TypeVar("_Known")


class Nearest:
    """Compares by shared words. At most `MAX_COMPARED` recorded requests and as many pages are looked at.

    Args:
        keys: WebRequest keys of a recording, which nobody has checked.
        urls: Addresses of the pages that can be opened.
    """

    def __init__(self, keys: Iterable[str], urls: Iterable[str]) -> None:
        requests = [_parse(key) for key in islice(keys, MAX_COMPARED)]
        searches = [found for found in requests if isinstance(found, Search)]
        opened = [found.url for found in requests if isinstance(found, Open)]
        self._searches = [(found, set(words(found.query))) for found in searches]
        known = dict.fromkeys([*opened, *islice(urls, MAX_COMPARED)])
        self._urls = [(url, set(words(url))) for url in known]

    def explain(self, request: WebRequest) -> str:
        """Says that a request was not recorded, names up to `SHOWN` that were, and how it differs from each."""
        kind = type(request).__name__.lower()
        if isinstance(request, Search):
            asked, near = request.query, self._near_searches(request)
        else:
            asked, near = request.url, self._near_pages(request)
        return f"not recorded: {kind} {_quote(asked)}. Nearest recorded: {'; '.join(near) or 'nothing like it'}."

    def _near_searches(self, request: Search) -> list[str]:
        near = _most_alike(set(words(request.query)), self._searches)
        return [f"{_quote(found.query)} ({_search_gap(request, found)})" for found in near]

    def _near_pages(self, request: Open | Links) -> list[str]:
        address, date = dated(request.url)
        url = next(iter(spellings(address)), address)
        near = _most_alike(set(words(url)), self._urls)
        return [f"{_quote(found)} ({_url_gap(url, found, request.at or date)})" for found in near]


def _most_alike(asked: set[str], known: list[tuple[_Known, set[str]]]) -> list[_Known]:
    """Those with the largest share of words in common (Jaccard), the earlier of two equals; none without any."""
    scored = ((-len(asked & held) / len(asked | held), i) for i, (_, held) in enumerate(known) if asked & held)
    return [known[i][0] for _, i in heapq.nsmallest(SHOWN, scored)]


def _search_gap(asked: Search, found: Search) -> str:
    mine, theirs = words(asked.query), words(found.query)
    parts = [f"this one adds {_list(mine, theirs)}"] if set(mine) - set(theirs) else []
    parts += [f"this one lacks {_list(theirs, mine)}"] if set(theirs) - set(mine) else []
    if asked.shelf != found.shelf:
        parts.append(f"on shelf {_quote(found.shelf)}, not {_quote(asked.shelf)}")
    return ", ".join(parts) or "the same words written otherwise"


def _url_gap(asked: str, found: str, at: str | None) -> str:
    mine, theirs = _split(asked), _split(found)
    parts = [f"other {name}" for name in mine if mine[name] != theirs[name]]
    return ", ".join([*parts, *([f"not at {_quote(at)}"] if at else [])]) or "the same address"


def _split(url: str) -> dict[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return dict.fromkeys(("scheme", "host", "path", "query"), url)
    return {"scheme": parts.scheme, "host": parts.netloc, "path": parts.path, "query": parts.query}


def _list(these: list[str], without: list[str]) -> str:
    only = [word for word in dict.fromkeys(these) if word not in without]
    return " ".join(_quote(word) for word in only[:_MAX_WORDS]) + (" ..." if len(only) > _MAX_WORDS else "")


def _quote(text: str) -> str:
    flat = " ".join(clean(text[:_MAX_KEY]).split())
    return f'"{flat[:_MAX_TEXT]}..."' if len(flat) > _MAX_TEXT else f'"{flat}"'


def _parse(key: str) -> Search | Open | None:
    """The request of a key, where that can be told."""
    try:
        kind, *rest = json.loads(key) if len(key) <= _MAX_KEY else [""]
    except (ValueError, TypeError, RecursionError):
        return None
    if len(rest) != 2 or not isinstance(rest[1] if kind == "search" else rest[0], str):
        return None
    if kind == "search" and isinstance(rest[0], str):
        return Search(rest[1], shelf=rest[0])
    return Open(rest[0]) if kind == "open" else None
