"""A small OpenAI-compatible server in a thread, which does what a test tells it."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

Plan = Callable[[dict[str, Any], int], Any]


class Server:
    """Answers on 127.0.0.1 until it is stopped; may be started again on the same port.

    Args:
        plan: What comes back for a body and its number: the text of a turn, a message or whole completion as a
            mapping, (status, headers, body), or `hang` or `reset`.
        delay: Seconds before each answer.

    Attributes:
        bodies: Of all requests, in the order that they came.
        headers: Theirs, with names in lower case.
        connections: How many were opened.
    """

    def __init__(self, plan: Plan, delay: float = 0.0) -> None:
        self.plan, self.delay = plan, delay
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections = self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        """Hangs up at once on whoever is connected; does nothing where it has stopped already."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, backlog=2_000)
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while await self._answered(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.bodies.append(body | {"path": head[0].split()[1]})
        self.headers.append(headers)
        answer = self.plan(body, len(self.bodies) - 1)
        await asyncio.sleep(60 if answer == "hang" else self.delay)
        if answer == "reset":
            return False
        status, more, data = answer if isinstance(answer, tuple) else (200, {}, json.dumps(completion(answer)))
        raw = data.encode() if isinstance(data, str) else data
        lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(raw)}", *(f"{k}: {v}" for k, v in more.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
        await writer.drain()
        return True


def completion(answer: str | Mapping[str, Any], **choice: Any) -> Mapping[str, Any]:
    """A whole completion of a turn's text or a message; one that is whole already stays as it is."""
    if isinstance(answer, Mapping) and "choices" in answer:
        return answer
    message = {"content": answer} if isinstance(answer, str) else dict(answer)
    whole = {"finish_reason": "stop", "message": {"role": "assistant", **message}, **choice}
    return {"choices": [whole], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
