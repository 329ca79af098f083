"""Requests to an OpenAI-compatible server: many at once, repeated where that may help, each within its time.

Who has an event loop awaits `Client.post` in it. For the judges, which may be called in any thread, an event loop in a
daemon thread of its own serves all of a process. httpcore comes with the extra `judge`.
"""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from murk.envs.errors import UsageError
from murk.envs.seeds import uniform
from murk.rewards.judges.chat_lines import Lines, TooLong
from murk.rewards.judges.chat_verdicts import Answer

_REFUSED = (400, 413, 422)
_AGAIN = (408, 409, 425, 429)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Service:
    """Where and how patiently to ask.

    Attributes:
        base_url: Address of the API, such as `http://127.0.0.1:8000/v1`.
        key_env: Name of the environment variable that holds the key; empty where none is needed.
        concurrency: Requests at a time, from 1 to 10,000; each needs a file descriptor.
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
                f"base_url of a server is {self.base_url!r}; allowed: an address such as http://host:8000/v1."
            )
        wholes = {"concurrency": (1, 10_000), "retries": (0, 20)}
        bounds = wholes | {"timeout": (0.001, 3_600), "backoff": (0, 600), "max_wait": (0, 86_400)}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high or (name in wholes and not isinstance(value, int)):
                raise UsageError(f"{name} of a server is {value!r}; allowed: {low} to {high}.")
        self.key()

    def key(self) -> str:
        """The key; never stored and never shown."""
        key = os.environ.get(self.key_env, "") if self.key_env else ""
        if self.key_env and not (key.strip() and key.isascii() and key.isprintable()):
            raise UsageError(f"the environment variable {self.key_env} holds no key (key_env of a server).")
        return key.strip()


@dataclass(frozen=True, slots=True)
class Reply(Generic[_T]):
    """What came of one request.

    Attributes:
        value: What was read from the response; None where there is none.
        refused: Whether the server refused the request as such.
        note: What went wrong.
        text: The beginning of what the server said to that, without the key.
        retries: How often the request was made again.
    """

    value: _T | None
    refused: bool = False
    note: str = ""
    text: str = ""
    retries: int = 0


class Client(Generic[_T]):
    """Asks a service.

    Args:
        service: Where.
        read: Takes what is wanted from the JSON of a successful response; None where it is not what it should be.

    Raises:
        UsageError: httpcore is not installed.
    """

    def __init__(self, service: Service, read: Callable[[Any], _T | None]) -> None:
        self._service, self._read = service, read
        self._url = f"{service.base_url.rstrip('/')}/chat/completions"
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        self._key = service.key()
        if self._key:
            self._headers["authorization"] = f"Bearer {self._key}"
        self._lines = Lines(self._url, service.concurrency)

    def ask(
        self: "Client[Answer]", bodies: Sequence[Mapping[str, Any]], done: Callable[[], None] = lambda: None
    ) -> list[Answer]:
        """Posts in the loop of the judges; answers in the order of the bodies, whatever happens.

        Args:
            done: Called after each one, in another thread.
        """
        return _run(self._all(bodies, done))

    async def _all(
        self: "Client[Answer]", bodies: Sequence[Mapping[str, Any]], done: Callable[[], None]
    ) -> list[Answer]:
        async def one(body: Mapping[str, Any]) -> Answer:
            reply = await self.post(body)
            done()
            return reply.value or Answer(None, reply.refused, reply.note)

        try:
            return list(await asyncio.gather(*map(one, bodies)))
        finally:
            await self._lines.hang_up()  # the loop outlives every judge

    async def post(self, body: Mapping[str, Any]) -> Reply[_T]:
        """Posts to `/chat/completions`, again and again where that may help; nothing is raised for what goes wrong.

        Connections of an event loop are kept until it ends, as `asyncio.run` ends one.
        """
        content = json.dumps(body).encode()
        async with self._lines.place():  # kept while waiting, so that an overloaded server is asked less
            for attempt in range(self._service.retries + 1):
                reply, wait = await self._once(content)
                if wait is None or wait > self._service.max_wait or attempt == self._service.retries:
                    break
                # The spread keeps requests that failed together from coming back together.
                pause = self._service.backoff * 2**attempt * (1 + uniform(attempt, content.decode()) / 2)
                await asyncio.sleep(max(wait, min(pause, self._service.max_wait)))
        return replace(reply, retries=attempt)

    async def _once(self, content: bytes) -> tuple[Reply[_T], float | None]:
        """A reply, and the least wait in seconds before asking again where that makes sense."""
        try:
            async with asyncio.timeout(self._service.timeout):
                status, headers, raw = await self._lines.send(self._headers, content)
        except TooLong as error:
            return Reply(None, note=str(error)), None
        except self._lines.timed_out:
            return Reply(None, note=f"no answer within {self._service.timeout:g} seconds"), 0.0
        except self._lines.failed as error:
            return Reply(None, note=f"no proper answer from the server: {str(error)[:200] or 'it hung up'}"), 0.0
        return self._received(status, headers, raw)

    def _received(self, status: int, headers: Mapping[bytes, bytes], raw: bytes) -> tuple[Reply[_T], float | None]:
        if status != 200:
            text, wait = raw[:2_000].decode("utf-8", "replace"), None
            if self._key:
                text = text.replace(self._key, "***")
            if status in _AGAIN or status >= 500:
                wait = _seconds(headers.get(b"retry-after", b"").decode("latin-1"))
            refused = status in _REFUSED
            what = f"the server refused the request with {status}" if refused else f"the server answered {status}"
            return Reply(None, refused, what, text), wait
        try:
            value = self._read(json.loads(raw))
        except (ValueError, RecursionError):
            value = None
        if value is None:
            return Reply(None, note="the server's answer is no chat completion"), 0.0
        return Reply(value), None


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
