"""One HTTP request and its answer, within limits. Whatever the server does is a value.

| kind of `Failure` | meaning | worth asking again |
|---|---|---|
| `bad_request` | the server found the request malformed | |
| `private_address` | the host is not on the public internet | |
| `not_found`, `refused` | 404 and 410; other answers from 400 to 499 | |
| `too_large` | more bytes than allowed, also once decompressed | |
| `rate_limited`, `server_error` | 429; 500 and more | 429, 502, 503, 504 |
| `timeout`, `unreachable`, `bad_response` | too slow; no connection; not HTTP, cut short or corrupt | yes |
"""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpcore

from murk.envs.errors import UsageError
from murk.envs.records import Failure
from murk.envs.web.http import decode_body, media_type
from murk.envs.web.importers import Skip
from murk.envs.web.live.addresses import Resolver
from murk.envs.web.live.wire import Backend, PrivateAddress
from murk.envs.web.urls import resolve

_AGAIN = ("rate_limited", "timeout", "unreachable", "bad_response")
_MOVED = (301, 302, 303, 307, 308)
_KINDS = {400: "bad_request", 404: "not_found", 408: "timeout", 410: "not_found", 429: "rate_limited"}


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Limits of fetching.

    Attributes:
        delay: Seconds between two requests to a host; a site's Crawl-delay may ask for more.
        timeout: Seconds that one request may take, from the connection to the last byte.
        max_bytes: Size of a body, as sent and as decompressed.
        retries: How often a request that failed for the moment is made again.
        backoff: Seconds before the first retry, doubled for each further one.
        max_wait: Longest wait that a site may ask for by Retry-After or Crawl-delay. A request that is to be repeated
            later than that is given up.
        max_redirects: How many redirects are followed.
        allow_private: Also fetch from addresses outside the public internet.
        user_agent: How the recorder names itself; sites address it in robots.txt as `murk`.
    """

    delay: float = 1.0
    timeout: float = 30.0
    max_bytes: int = 16 << 20
    retries: int = 2
    backoff: float = 1.0
    max_wait: float = 60.0
    max_redirects: int = 5
    allow_private: bool = False
    user_agent: str = "murk (recorder of a frozen web)"

    def __post_init__(self) -> None:
        limits = {"delay": (0, 3_600), "timeout": (0.001, 3_600), "max_bytes": (1, 1 << 30), "retries": (0, 10)}
        limits |= {"backoff": (0, 3_600), "max_wait": (0, 86_400), "max_redirects": (0, 20)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value!r}; allowed: {low} to {high}.")
        if not (self.user_agent.isascii() and self.user_agent.isprintable() and self.user_agent.strip()):
            raise UsageError(f"user_agent is {self.user_agent!r}; allowed: printable ASCII text.")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it came.

    Attributes:
        url: Canonical URL that was asked for.
        final_url: URL that answered, after redirects.
        media: Media type, lower case; empty where the server gave none.
        charset: Character set as the server declares it, unchecked.
        body: Body, decompressed.
        date: When it was fetched, as YYYYMMDDhhmmss in UTC.
    """

    url: str
    final_url: str
    status: int
    media: str
    charset: str
    body: bytes
    date: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a canonical URL; `private` lets its host lie outside the public internet."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A redirect; its target is None where that is no web page."""

    status: int
    target: str | None


class _TooLarge(Exception):
    pass


def exchange(
    ask: Ask, settings: FetchSettings, resolver: Resolver, context: ssl.SSLContext | None
) -> Fetched | Failure | Moved:
    """Makes one request, on a connection of its own: none serves a host that it was not checked for."""
    site = site_of(ask.url)
    backend = Backend(resolver, settings.allow_private or ask.private, time.monotonic() + settings.timeout)
    headers = {"host": site, "user-agent": settings.user_agent, "accept": "*/*", "connection": "close"}
    headers |= {"accept-encoding": "gzip, deflate", **{name.lower(): value for name, value in ask.headers.items()}}
    try:
        with (
            httpcore.ConnectionPool(context, network_backend=backend) as pool,
            pool.stream(ask.method, ask.url, headers=list(headers.items()), content=ask.body) as response,
        ):
            return _receive(ask.url, response, settings.max_bytes)
    except PrivateAddress:
        return Failure("private_address", 0, f"{site} is not on the public internet")
    except _TooLarge:
        return Failure("too_large", 0, f"more than {settings.max_bytes} bytes from {site}")
    except httpcore.TimeoutException:
        return Failure("timeout", 0, f"{site} took more than {settings.timeout:g} seconds")
    except httpcore.NetworkError as error:
        return Failure("unreachable", 0, f"no connection to {site}: {str(error)[:200]}")
    except httpcore.ProtocolError as error:
        return Failure("bad_response", 0, f"{site} does not speak proper HTTP: {str(error)[:200]}")


def may_pass(failure: Failure) -> bool:
    """Tells whether the same request may succeed a little later."""
    return failure.kind in _AGAIN or failure.status in (502, 503, 504)


def site_of(url: str) -> str:
    """Host and port of a canonical URL.

    >>> site_of("http://example.org:8080/a")
    'example.org:8080'
    """
    return urlsplit(url).netloc


def _receive(url: str, response: httpcore.Response, limit: int) -> Fetched | Failure | Moved:
    headers = {name.decode("latin-1").lower(): _text(value) for name, value in reversed(response.headers)}
    status = response.status
    if status in _MOVED and "location" in headers:
        return Moved(status, resolve(url, headers["location"]))
    if not 200 <= status < 300:
        wait = _seconds(headers["retry-after"]) if "retry-after" in headers else None
        return Failure(_kind(status), status, f"{site_of(url)} answered {status}", wait)
    sent = _read(response, headers.get("content-length", ""), limit)
    body = decode_body({"content-encoding": headers.get("content-encoding", "")}, sent, limit)
    if isinstance(body, Skip):
        if body.reason in ("oversized", "zip-bomb"):
            raise _TooLarge
        return Failure("bad_response", status, f"{site_of(url)} sent a body that is {body.reason}: {body.detail}")
    media, charset = media_type(headers.get("content-type", ""))
    return Fetched(url, url, status, media, charset, body, int(datetime.now(UTC).strftime("%Y%m%d%H%M%S")))


def _read(response: httpcore.Response, length: str, limit: int) -> bytes:
    if length.isdecimal() and int(length[:20]) > limit:
        raise _TooLarge
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > limit:
            raise _TooLarge
    return bytes(body)


def _kind(status: int) -> str:
    return "server_error" if status >= 500 else _KINDS.get(status, "refused" if status >= 400 else "bad_response")


def _seconds(text: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if text.isdecimal():
        return float(text[:12])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
