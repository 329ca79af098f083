"""Fetches live pages within limits: the network behind `record`.

Robots.txt is obeyed, each host is asked slowly, each redirect is followed by hand and checked like the first address,
and what may pass is tried again a few times. Every outcome is a value: `Fetched`, or a `Failure` of one of the kinds
of `exchange` or of these: `bad_request` (not an http or https URL), `blocked_by_robots`, `robots_unreachable` (the
server failed to deliver its rules), `bad_redirect` (to what is no web page, or too many in a row).
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import httpcore

from murk.envs.records import Failure
from murk.envs.web.live.addresses import Resolver, resolve
from murk.envs.web.live.exchange import Ask, Fetched, FetchSettings, Moved, exchange, may_pass, site_of
from murk.envs.web.live.pace import Pace
from murk.envs.web.live.robots import Robots
from murk.envs.web.urls import canonical_url, host_of

__all__ = ["FetchSettings", "Fetched", "Fetcher"]


class Fetcher:
    """Fetches pages as robots.txt allows, and asks APIs that the user has configured. Usable from several threads.

    Args:
        settings: Limits.
        sleep: What waiting does, and `clock` what it is measured by; tests put their own here.
        resolver: Finds the addresses of a host.
        context: TLS settings; by default certificates are verified against the usual authorities.
    """

    def __init__(
        self,
        settings: FetchSettings | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        resolver: Resolver = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings or FetchSettings()
        self._sleep = sleep
        self._pace = Pace(sleep, clock)
        self._resolver = resolver
        self._given_context = context
        self._robots = Robots(lambda url: self._follow(url, obey=False))

    def get(self, url: str) -> Fetched | Failure:
        """Fetches a page; each address on the way to it is checked, and must be allowed by robots.txt."""
        return self._follow(url, obey=True)

    def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, private: bool = False
    ) -> Fetched | Failure:
        """Asks an API. Robots.txt is not asked for; redirects are not followed, since the headers may hold a key.

        Args:
            private: This API may lie at a private address, whatever the settings say.
        """
        try:
            ask = Ask(method, canonical_url(url), headers, body, private)
        except ValueError as error:
            return Failure("bad_request", 0, str(error))
        answer = self._persist(ask, self.settings.delay)
        if isinstance(answer, Moved):
            return Failure("bad_redirect", answer.status, f"{site_of(ask.url)} redirects, which an API must not")
        return answer

    def _follow(self, url: str, obey: bool) -> Fetched | Failure:
        try:
            start = here = canonical_url(url)
        except ValueError as error:
            return Failure("bad_request", 0, str(error))
        for _ in range(self.settings.max_redirects + 1):
            delay = self.settings.delay
            if obey:
                if refusal := self._robots.refusal(here):
                    return refusal
                delay = max(delay, min(self._robots.delay(here), self.settings.max_wait))
            answer = self._persist(Ask("GET", here), delay)
            if isinstance(answer, Fetched):
                return replace(answer, url=start)
            if isinstance(answer, Failure):
                return answer
            if answer.target is None:
                return Failure("bad_redirect", answer.status, f"{site_of(here)} redirects to what is no web page")
            here = answer.target
        return Failure("bad_redirect", answer.status, f"more than {self.settings.max_redirects} redirects")

    def _persist(self, ask: Ask, delay: float) -> Fetched | Failure | Moved:
        """Makes a request, and makes it again where that may help."""
        context = self._context if ask.url.startswith("https:") else None
        for attempt in range(self.settings.retries + 1):
            self._pace.wait(host_of(ask.url), delay)
            answer = exchange(ask, self.settings, self._resolver, context)
            if not isinstance(answer, Failure) or attempt == self.settings.retries or not may_pass(answer):
                break
            wait = self.settings.backoff * 2**attempt if answer.retry_after is None else answer.retry_after
            if wait > self.settings.max_wait:
                break
            self._sleep(wait)
        return answer

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given_context or httpcore.default_ssl_context()
