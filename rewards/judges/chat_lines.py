"""Connections to one server, kept open between requests, in whichever event loop asks.

httpcore's own pool looks at every connection for each request, which at 1,000 of them costs more than the requests.
Here the connection used last is used next, and no other is looked at.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from murk.envs.errors import UsageError

MAX_BYTES = 8 << 20
IDLE = 4.0  # seconds; uvicorn, which serves most models, hangs up after five, and a request must not cross with that


class TooLong(Exception):
    """The server sent more than anyone would read."""


@dataclass(slots=True)
class _Kept:
    """What belongs to one event loop."""

    places: asyncio.Semaphore
    idle: list[Any] = field(default_factory=list)
    guard: AsyncGenerator[None, None] | None = None


class Lines:
    """Connections to the server of an address.

    Args:
        url: What is posted to.
        places: Requests at a time in one event loop.

    Attributes:
        timed_out: Exceptions of a time-out on the way.
        failed: Exceptions of a server that cannot be reached, hangs up, or does not speak HTTP.

    Raises:
        UsageError: httpcore is not installed.
    """

    def __init__(self, url: str, places: int) -> None:
        try:
            import anyio
            import httpcore
        except ImportError as error:
            raise UsageError(f"a served model needs httpcore: pip install 'murk-gym[judge]' ({error}).") from None
        del anyio
        self._httpcore: Any = httpcore
        self._url, self._places = httpcore.URL(url), places
        self._ssl = httpcore.default_ssl_context() if url.startswith("https:") else None
        self._loops: dict[asyncio.AbstractEventLoop, _Kept] = {}
        self.timed_out: tuple[type[Exception], ...] = (TimeoutError, httpcore.TimeoutException)
        self.failed: tuple[type[Exception], ...] = (httpcore.NetworkError, httpcore.ProtocolError, OSError)

    def place(self) -> asyncio.Semaphore:
        """A context that waits until fewer than all places are taken."""
        return self._kept().places

    async def send(self, headers: Mapping[str, str], content: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Posts; returns status, headers with names in lower case, and body.

        Raises:
            TooLong: the body has more than `MAX_BYTES`.
            Exception: one of `timed_out` or `failed`.
        """
        kept = self._kept()
        if kept.guard is None:
            kept.guard = self._guard()
            await anext(kept.guard)
        line, raw = await self._line(kept), bytearray()
        try:
            async with line.stream("POST", self._url, headers=list(headers.items()), content=content) as response:
                async for part in response.aiter_stream():
                    raw += part
                    if len(raw) > MAX_BYTES:
                        raise TooLong(f"the server sent more than {MAX_BYTES} bytes")
        except BaseException:
            await line.aclose()
            raise
        kept.idle.append(line)
        return response.status, {name.lower(): value for name, value in response.headers}, bytes(raw)

    async def hang_up(self) -> None:
        """Closes the connections of this loop that are not in use."""
        idle = self._kept().idle
        while idle:
            await idle.pop().aclose()

    def _kept(self) -> _Kept:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = _Kept(asyncio.Semaphore(self._places))
        return self._loops[loop]

    async def _line(self, kept: _Kept) -> Any:
        while kept.idle:
            line = kept.idle.pop()
            if line.is_available() and not line.has_expired():
                return line
            await line.aclose()
        origin = self._url.origin
        return self._httpcore.AsyncHTTPConnection(origin, ssl_context=self._ssl, keepalive_expiry=IDLE)

    async def _guard(self) -> AsyncGenerator[None, None]:
        """Hangs up when the loop ends: `asyncio.run` closes the generators that are left."""
        try:
            yield
        finally:
            await self.hang_up()
            del self._loops[asyncio.get_running_loop()]
