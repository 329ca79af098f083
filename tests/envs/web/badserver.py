"""A web server on 127.0.0.1 that misbehaves in every way that the recorder must survive."""

import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit


@cache
def bomb() -> bytes:
    """64 MiB of nothing in 64 KiB."""
    return gzip.compress(bytes(64 << 20), 6)


PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>"


class BadServer:
    """Runs in a thread until it is left; every request is logged in `asked` as (method, path)."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []  # names in lower case
        self.bodies: list[bytes] = []
        self.robots: tuple[int, str] = (404, "")
        self.pages: dict[str, str] = {}
        self.api: dict[str, Any] = {"results": []}
        self.written = 0
        self.closing = threading.Event()
        self._http = _Server(("127.0.0.1", 0), self)
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> "BadServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for _, asked in self.asked if urlsplit(asked).path == path)


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, address: tuple[str, int], bad: BadServer) -> None:
        super().__init__(address, _Handler)
        self.bad = bad

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients hang up on purpose here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        bad = self.server.bad
        bad.asked.append((self.command, self.path))
        bad.headers.append({name.lower(): value for name, value in self.headers.items()})
        bad.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.close_connection = True
        path = urlsplit(self.path).path
        if path in bad.pages:
            self.send(200, bad.pages[path].encode())
            return
        name = path.strip("/").split("/")[0].replace(".", "_").replace("-", "_")
        action: Callable[[], None] = getattr(self, f"on_{name}", self.on_missing)
        action()

    do_POST = do_GET

    def send(self, status: int, body: bytes, media: str = "text/html; charset=utf-8", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.server.bad.written += len(data)

    def pause(self, seconds: float) -> bool:
        """Waits; tells whether the server is still to run."""
        return not self.server.bad.closing.wait(seconds)

    def on_missing(self) -> None:
        self.send(404, b"no such page")

    def on_robots_txt(self) -> None:
        status, text = self.server.bad.robots
        self.send(status, text.encode(), "text/plain")

    def on_ok(self) -> None:
        self.send(200, PAGE.format("Fine", "A page of the port of Aldmoor.").encode())

    def on_status(self) -> None:
        self.send(int(urlsplit(self.path).path.rsplit("/", 1)[1]), b"an error page")

    def on_drip_body(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while self.pause(0.02):
            self.write(b"x")

    def on_drip_headers(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while self.pause(0.02):
            self.write(b"x")

    def on_endless_continue(self) -> None:
        while self.pause(0.005):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_never(self) -> None:
        while self.pause(0.5) and self.connection.fileno() >= 0:
            if self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
                return

    def on_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def on_hangup(self) -> None:
        """Closes without a word."""

    def on_garbage(self) -> None:
        self.write(b"\x00\xff\x13 this is no HTTP at all\r\n\r\n" * 10)

    def on_huge_headers(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(40):
            self.write(b"X-%d: " % i + b"y" * 10_000 + b"\r\n")
        self.write(b"\r\n")

    def on_limited(self) -> None:
        if self.server.bad.count("/limited") == 1:
            self.send(429, b"slow down", Retry_After="7")
        else:
            self.on_ok()

    def on_later(self) -> None:
        self.send(429, b"come back tomorrow", Retry_After="86400")

    def on_unavailable(self) -> None:
        self.send(503, b"down", Retry_After="soon")

    def on_recovers(self) -> None:
        self.send(502, b"down") if self.server.bad.count("/recovers") < 3 else self.on_ok()

    def on_loop(self) -> None:
        self.send(302, b"", Location="/loop")

    def on_hops(self) -> None:
        """/hops/N leads to /hops/N-1, and /hops/0 to /ok."""
        left = int(urlsplit(self.path).path.rsplit("/", 1)[1])
        self.send(301, b"", Location=f"/hops/{left - 1}" if left else "/ok")

    def on_to(self) -> None:
        """/to?URL leads to URL."""
        self.send(302, b"", Location=urlsplit(self.path).query)

    def on_nowhere(self) -> None:
        self.send(302, b"")

    def on_endless(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while not self.server.bad.closing.is_set():
            self.write(b"z" * 65_536)

    def on_chunks(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.server.bad.closing.is_set():
            self.write(b"10000\r\n" + b"z" * 65_536 + b"\r\n")

    def on_declared(self) -> None:
        self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while self.pause(0.02):
            self.write(b"x")

    def on_zipped(self) -> None:
        self.send(200, gzip.compress(PAGE.format("Zipped", "Small.").encode()), Content_Encoding="gzip")

    def on_bomb(self) -> None:
        self.send(200, bomb(), Content_Encoding="gzip")

    def on_corrupt(self) -> None:
        self.send(200, b"\x1f\x8b\x08\x00 this is not a gzip stream", Content_Encoding="gzip")

    def on_short(self) -> None:
        """Promises more than it sends."""
        self.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\nhalf a page")

    def on_charset(self) -> None:
        self.send(200, "Ärger".encode(), "text/html; charset=klingon-8")

    def on_api(self) -> None:
        self.send(200, json.dumps(self.server.bad.api).encode(), "application/json")

    def on_api_echo(self) -> None:
        """One result that tells what was asked."""
        query = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
        body = {"results": [{"url": f"{self.server.bad.url}/ok", "title": query}]}
        self.send(200, json.dumps(body).encode(), "application/json")

    def on_api_broken(self) -> None:
        self.send(200, b'{"results": [', "application/json")

    def on_api_deep(self) -> None:
        self.send(200, b"[" * 200_000, "application/json")
