"""A recording as a world: exact requests get the recorded answers, pages come from the captures."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from murk.envs.errors import SnapshotError, UnknownName
from murk.envs.records import (
    Call,
    DeskRequest,
    Failure,
    Hits,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Search,
    WebRequest,
    decode,
    not_here,
)
from murk.envs.web.nearest import Nearest
from murk.envs.web.snapshot import Snapshot
from murk.envs.web.text import clean
from murk.envs.web.urls import dated, spellings

MISSES = ("error", "empty", "search")
_ANSWERS: dict[type, tuple[type, ...]] = {
    Search: (Hits, Failure),
    Open: (Page, Failure),
    Links: (LinkList, Failure),
}


class Replay:
    """Answers from a snapshot with a recording; a `World`.

    Args:
        snapshot: What `record` made. One without a recording is replayed by its captures alone.
        miss: What a request meets that was not recorded: `error` (a failure of kind `not_recorded` that names the
            nearest recorded requests and what differs), `empty` (no hits, no links, no such page) or `search` (the
            frozen index answers).

    Raises:
        UnknownName: no such miss policy.
        SnapshotError: the recording is damaged; raised by `answer`, too, where a single exchange is.
    """

    def __init__(self, snapshot: Snapshot, miss: str = "error") -> None:
        if miss not in MISSES:
            raise UnknownName("miss policy", miss, MISSES)
        self.snapshot, self.miss = snapshot, miss
        try:
            self._recording = snapshot.recording
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise SnapshotError(f"the recording of {snapshot.folder} is damaged: {error}.") from error

    def __repr__(self) -> str:
        return f"Replay({self.snapshot!r}, miss={self.miss!r})"

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request as it was answered when it was recorded."""
        if isinstance(request, DeskRequest):
            return not_here(request)
        recorded = self._recorded(request)
        if recorded is not None:
            return recorded
        if isinstance(request, Search):
            return self._missed(request, call)
        address, date = dated(request.url)
        at = request.at or date
        opened = self._recorded(Open(address))
        if isinstance(opened, Failure) and at is None:
            return opened
        # A page behind a redirect is recorded as opened there, and captured at the address that answered.
        moved = replace(request, url=opened.url, at=at) if isinstance(opened, Page) else request
        response = self.snapshot.answer(moved, call)
        if isinstance(response, Failure) and response.kind == "not_found":
            return self._missed(request, call)
        return response

    def _recorded(self, request: WebRequest) -> Response | None:
        key = next((key for key in _keys(request) if key in self._recording), None)
        if key is None:
            return None
        try:
            response = load_response(self._recording[key], request)
        except ValueError as error:
            which = f"the answer to {clean(key)[:200]} in the recording of {self.snapshot.folder}"
            raise SnapshotError(f"{which} is damaged: {error}.") from error
        if isinstance(request, Search) and isinstance(response, Hits):
            return replace(response, hits=response.hits[: max(request.k, 1)])
        return response

    def _missed(self, request: WebRequest, call: Call) -> Response:
        if self.miss == "error":
            return Failure("not_recorded", 0, self._nearest.explain(request))
        if self.miss == "search" or isinstance(request, Open):
            return self.snapshot.answer(request, call)
        return Hits(()) if isinstance(request, Search) else LinkList(request.url, ())

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self._recording, self.snapshot.urls())


def load_response(text: str, request: WebRequest) -> Response:
    """Reads a stored response to a request.

    Raises:
        ValueError: the text is not the canonical JSON of a response, or of one that cannot answer such a request.
    """
    try:
        response = decode(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from None
    if type(response) not in _ANSWERS[type(request)]:
        raise ValueError(f"a {type(response).__name__} does not answer a {type(request).__name__}")
    for seconds in (response.cost, getattr(response, "retry_after", None) or 0.0):
        if not 0 <= seconds < math.inf:
            raise ValueError(f"it has {seconds} seconds")
    return response  # type: ignore[no-any-return]


def _keys(request: WebRequest) -> Iterator[str]:
    """The key of a request, then those of other spellings of its address."""
    yield request.key
    if not isinstance(request, Search):
        address, date = dated(request.url)
        for url in spellings(address):
            yield replace(request, url=url, at=request.at or date).key
