"""Requests to an OpenAI-compatible server: many at once, repeated where that may help, each within its time.

An event loop in a daemon thread of its own serves all judges of a process, so that callers may be in any thread, with
an event loop or without. httpcore, which it needs, comes with the extra `judge`.
"""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from murk.envs.errors import UsageError
from murk.envs.seeds import uniform
from murk.rewards.judges.chat_verdicts import Answer

MAX_BYTES = 8 << 20
_REFUSED = (400, 413, 422)
_AGAIN = (408, 409, 425, 429)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Service:
    """Where and how patiently to ask.

    Attributes:
        base_url: Address of the API, such as `http://127.0.0.1:8000/v1`.
        key_env: Name of the environment variable that holds the key; empty where none is needed.
        concurrency: Requests at a time, over all threads, from 1 to 1,000.
        timeout: Seconds that one request may take, from the connection to the last byte, up to 3,600.
        retries: How often a request that failed for the moment is made again, from 0 to 20.
        backoff: Seconds before the first retry, doubled for each further one, up to 600.
        max_wait: Longest wait in seconds that the server may ask for by Retry-After; beyond it the request has failed.

    Raises:
        UsageError: a value is outside of these, or the variable is not set or holds no key.
    """

    base_url: str
    key_env: str = ""
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 4
    backoff: float = 1.0
    max_wait: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(
                f"base_url of a judge is {self.base_url!r}; allowed: an address such as http://host:8000/v1."
            )
        bounds = {"concurrency": (1, 1_000), "timeout": (0.001, 3_600), "retries": (0, 20), "backoff": (0, 600)}
        for name, (low, high) in (bounds | {"max_wait": (0, 86_400)}).items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} of a judge is {getattr(self, name)!r}; allowed: {low} to {high}.")
        self.key()

    def key(self) -> str:
        """The key; never stored and never shown."""
        key = os.environ.get(self.key_env, "") if self.key_env else ""
        if self.key_env and not (key.strip() and key.isascii() and key.isprintable()):
            raise UsageError(f"the environment variable {self.key_env} holds no key (key_env of a judge).")
        return key.strip()


class Client:
    """Asks a service.

    Args:
        service: Where.
        read: Turns the JSON of a successful response into an answer; None where it is not what it should be.

    Raises:
        UsageError: httpcore is not installed.
    """

    def __init__(self, service: Service, read: Callable[[Any], Answer | None]) -> None:
        try:
            import anyio
            import httpcore
        except ImportError as error:
            raise UsageError(f"the judge 'chat' needs httpcore: pip install 'murk-gym[judge]' ({error}).") from None
        del anyio
        self._httpcore: Any = httpcore
        self._service, self._read = service, read
        self._places = asyncio.Semaphore(service.concurrency)
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if key := service.key():
            self._headers["authorization"] = f"Bearer {key}"

    def ask(self, bodies: Sequence[Mapping[str, Any]], done: Callable[[], None] = lambda: None) -> list[Answer]:
        """Posts to `/chat/completions`; answers in the order of the bodies, whatever happens.

        Args:
            done: Called after each one, in another thread.
        """
        return _run(self._all([json.dumps(body).encode() for body in bodies], done))

    async def _all(self, bodies: Sequence[bytes], done: Callable[[], None]) -> list[Answer]:
        async with self._httpcore.AsyncConnectionPool(max_connections=self._service.concurrency) as pool:

            async def one(body: bytes) -> Answer:
                async with self._places:  # kept while waiting, so that an overloaded server is asked less
                    answer = await self._patiently(pool, body)
                done()
                return answer

            return list(await asyncio.gather(*map(one, bodies)))

    async def _patiently(self, pool: Any, body: bytes) -> Answer:
        for attempt in range(self._service.retries + 1):
            answer, wait = await self._once(pool, body)
            if wait is None or wait > self._service.max_wait:
                break
            if attempt < self._service.retries:
                # The spread keeps requests that failed together from coming back together.
                pause = self._service.backoff * 2**attempt * (1 + uniform(attempt, body.decode()) / 2)
                await asyncio.sleep(max(wait, min(pause, self._service.max_wait)))
        return answer

    async def _once(self, pool: Any, body: bytes) -> tuple[Answer, float | None]:
        """An answer, and the least wait in seconds before asking again where that makes sense."""
        h, url = self._httpcore, f"{self._service.base_url.rstrip('/')}/chat/completions"
        try:
            async with (
                asyncio.timeout(self._service.timeout),
                pool.stream("POST", url, headers=list(self._headers.items()), content=body) as response,
            ):
                raw = bytearray()
                async for part in response.aiter_stream():
                    raw += part
                    if len(raw) > MAX_BYTES:
                        return Answer(None, note=f"the server sent more than {MAX_BYTES} bytes"), None
        except (TimeoutError, h.TimeoutException):
            return Answer(None, note=f"no answer within {self._service.timeout:g} seconds"), 0.0
        except (h.NetworkError, h.ProtocolError, OSError) as error:
            return Answer(None, note=f"no proper answer from the server: {str(error)[:200] or 'it hung up'}"), 0.0
        return self._received(response.status, {k.lower(): v for k, v in response.headers}, bytes(raw))

    def _received(self, status: int, headers: Mapping[bytes, bytes], raw: bytes) -> tuple[Answer, float | None]:
        if status in _REFUSED:
            return Answer(None, True, f"the server refused the request with {status}"), None
        if status in _AGAIN or status >= 500:
            wait = _seconds(headers.get(b"retry-after", b"").decode("latin-1"))
            return Answer(None, note=f"the server answered {status}"), wait
        if status != 200:
            return Answer(None, note=f"the server answered {status}"), None
        try:
            answer = self._read(json.loads(raw))
        except (ValueError, RecursionError):
            answer = None
        return (answer, None) if answer else (Answer(None, note="the server's answer is no chat completion"), 0.0)


def _seconds(text: str) -> float:
    """Seconds of a Retry-After header, which is a number or a date."""
    try:
        return max(0.0, float(text[:12])) if text[:1].isdigit() else _until(text)
    except (ValueError, OverflowError):
        return 0.0


def _until(text: str) -> float:
    date = parsedate_to_datetime(text) if text else datetime.now(UTC)
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    future = asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


_starting = threading.Lock()


def _loop(process: int) -> asyncio.AbstractEventLoop:
    with _starting:  # two threads must not start two loops: a semaphore belongs to one
        return _started(process)


@cache
def _started(process: int) -> asyncio.AbstractEventLoop:
    """The loop of a process; a fork has no threads of its parent and gets one of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="murk-judges", daemon=True).start()
    return loop
