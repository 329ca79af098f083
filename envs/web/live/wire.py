"""The one place where the recorder connects: to addresses that were checked, and until a deadline.

The name of a host is resolved here, its addresses are checked, and the connection goes to the address that was checked,
so that no second look-up can give another answer (DNS rebinding). TLS still sees, and verifies, the name. The deadline
holds for each single read: a server that sends a byte now and then, in its headers or its body, gains nothing.
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from murk.envs.web.live.addresses import Resolver, is_public

_MAX_ADDRESSES = 4
_CONNECT_SECONDS = 10.0


class PrivateAddress(Exception):
    """A host that resolves to an address outside the public internet."""


class Backend(httpcore.NetworkBackend):
    """Connects for one request, which must be done at `deadline` (of `time.monotonic`)."""

    def __init__(self, resolver: Resolver, allow_private: bool, deadline: float) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port)[:_MAX_ADDRESSES]:
            left = min(_left(self._deadline, httpcore.ConnectTimeout), _CONNECT_SECONDS)
            try:
                stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(self._resolver(host, port))
        except OSError as error:
            raise httpcore.ConnectError(f"host not found: {error}") from error
        # One private address among public ones is refused, too: which of them is used would be a matter of chance.
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise PrivateAddress(host)
        return addresses


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, left)
        except ValueError as error:  # a host that cannot stand in a certificate
            raise httpcore.ConnectError(str(error)) from error
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, late: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("out of time")
    return left
