"""The live web as a world, and the caches that keep what it has answered."""

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Protocol

import diskcache

from murk.envs.codec import canonical_json, encode
from murk.envs.records import (
    Call,
    DeskRequest,
    Failure,
    Hits,
    Link,
    LinkList,
    Open,
    Page,
    Request,
    Response,
    Search,
    not_here,
)
from murk.envs.web.document import Document
from murk.envs.web.extract import extract
from murk.envs.web.importers import Raw, Skip
from murk.envs.web.live.engines import JsonEngine
from murk.envs.web.live.exchange import Fetched
from murk.envs.web.replay import load_response
from murk.envs.web.snapshot import LINKS_SECONDS, OPEN_SECONDS, SEARCH_SECONDS
from murk.envs.web.urls import dated, format_date, spellings

# What asking again would not change. `private_address` and `too_large` are not among them: the settings decide there.
DEFINITIVE = ("not_found", "refused", "blocked_by_robots", "bad_redirect", "unreadable")


class Pages(Protocol):
    """Where the live world gets its pages: a `Fetcher`, or a `KeptPages` around one."""

    def get(self, url: str) -> Fetched | Failure: ...


class KeptPages:
    """Fetches each page once: bodies, and failures that asking again would not change, are kept in a cache."""

    def __init__(self, pages: Pages, cache: diskcache.Cache) -> None:
        self._pages, self._cache = pages, cache

    def get(self, url: str) -> Fetched | Failure:
        key = canonical_json(["page", url])
        kept = _load_page(self._cache.get(key))
        if kept is not None:
            return kept
        answer = self._pages.get(url)
        if isinstance(answer, Fetched):
            self._cache[key] = canonical_json(asdict(answer) | {"body": base64.b64encode(answer.body).decode()})
        elif answer.kind in DEFINITIVE:
            self._cache[key] = canonical_json(encode(answer))
        return answer


class Live:
    """The live web: pages from `pages`, searches from `engine`; a `World`.

    Args:
        pages: Where pages come from.
        engine: Search engine; without one, a search is a failure.
        read: Makes a page readable. The default works in this process, without limits of time and memory; `Reader`
            has those.
    """

    def __init__(
        self, pages: Pages, engine: JsonEngine | None = None, read: Callable[[Raw], Document | Skip] = extract
    ) -> None:
        self._pages, self._engine, self._read = pages, engine, read

    @property
    def name(self) -> str:
        """Tells live worlds with different search engines apart."""
        return self._engine.name if self._engine else ""

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request from the live web."""
        if isinstance(request, DeskRequest):
            return not_here(request)
        if isinstance(request, Search):
            return replace(self._search(request), cost=SEARCH_SECONDS)
        address, date = dated(request.url)
        url = next(iter(spellings(address)), "")
        if not url or request.at or date:
            return Failure("bad_request", 400, "the live web has pages by http(s) address, as they are now")
        document = self.document(url)
        if isinstance(document, Failure):
            return replace(document, cost=LINKS_SECONDS)
        return as_page(document) if isinstance(request, Open) else _as_links(document)

    def document(self, url: str) -> Document | Failure:
        """A page made readable; its `url` is the address that answered, after redirects."""
        fetched = self._pages.get(url)
        if isinstance(fetched, Failure):
            return fetched
        document = self._read(as_raw(fetched))
        if isinstance(document, Skip):
            return Failure("unreadable", fetched.status, f"{document.reason}: {document.detail}"[:300])
        return document

    def _search(self, request: Search) -> Hits | Failure:
        if self._engine is None:
            return Failure("bad_request", 400, "the live web has no search engine configured")
        if request.shelf != "web":
            return Failure("bad_request", 400, "the live web has only one shelf: web")
        return self._engine.search(request.query, request.k)


class Recorder:
    """A live world that is asked each thing once; a `World`.

    Kept are hits, pages, links, and failures to open that asking again would not change. A search that failed is never
    kept: that tells of the engine's key or bill, not of the web.
    """

    def __init__(self, live: Live, cache: diskcache.Cache) -> None:
        self._live, self._cache = live, cache

    def answer(self, request: Request, call: Call) -> Response:
        """Answers from the cache, and else from the live world."""
        if isinstance(request, DeskRequest):
            return not_here(request)
        wanted = request.k if isinstance(request, Search) else 0
        key = canonical_json(["answer", self._live.name, request.key, wanted])
        try:
            return load_response(str(self._cache.get(key, "")), request)
        except ValueError:  # not there, or written by something else: then it is asked again
            response = self._live.answer(request, call)
        if not isinstance(response, Failure) or (not wanted and response.kind in DEFINITIVE):
            self._cache[key] = canonical_json(encode(response))
        return response


def as_raw(fetched: Fetched) -> Raw:
    """A fetched page as the importers deliver theirs."""
    return Raw(fetched.final_url, fetched.body, fetched.media, fetched.charset, fetched.date)


def as_page(document: Document) -> Page:
    """A live page as the answer to an `Open`."""
    date = format_date(document.date)
    return Page(document.url, document.title, document.text, date, (date,), OPEN_SECONDS)


def _as_links(document: Document) -> LinkList:
    return LinkList(document.url, tuple(Link(url, text, True) for url, text in document.links), LINKS_SECONDS)


def _load_page(text: object) -> Fetched | Failure | None:
    """Reads what `KeptPages` keeps; None where it is something else."""
    try:
        data = json.loads(str(text))
        if data.get("type"):
            response = load_response(str(text), Open(""))
            return response if isinstance(response, Failure) else None
        page = Fetched(**data | {"body": base64.b64decode(data["body"], validate=True)})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    texts = (page.url, page.final_url, page.media, page.charset)
    sound = all(type(t) is str for t in texts) and type(page.status) is int and type(page.date) is int
    return page if sound else None
