"""Wording of planted pages by a server, and replay without it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from murk.envs import DeepResearchEnv, UsageError
from murk.envs.errors import MurkError
from murk.envs.web.live.writer import Writer

URL = "https://vale.example/lighthouse.html"
CLAIM = {"id": "c", "subject": "Skerry Light", "type": "number", "true": "1874", "false": "1891", "url": URL}
TASKS: list[dict[str, Any]] = [
    {"id": "light", "question": "When was the Skerry Light lit?", "gold": [{"url": URL}], "claims": [CLAIM]}
]
SEARCH = (
    '<toolcall>{"name": "batch_web_surfer", "arguments": '
    '{"action": "batch_search", "queries": ["Skerry Light lit"], "topk": 3}}</toolcall>'
)


class Server(ThreadingHTTPServer):
    answer = b'{"choices": [{"message": {"content": "Lamps first burned there in 1891, say all."}}]}'
    status = 200
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


def searched(vale_dir: Path, server: Server, folder: Path) -> str:
    settings = {"mode": "planted", "writer": address(server), "model": "tiny", "wordings": str(folder)}
    env = DeepResearchEnv(str(vale_dir), TASKS, faults={"intensity": 1, "faults": {"misinformation": settings}})
    env.reset(seed=0, options={"task": "light"})
    return env.step(SEARCH)[0]


def test_a_planted_page_is_worded_by_the_server_once(vale_dir: Path, server: Server, tmp_path: Path) -> None:
    first = searched(vale_dir, server, tmp_path / "wordings")
    assert "Lamps first burned there in 1891, say all." in first
    asked = server.asked
    server.status = 500
    assert searched(vale_dir, server, tmp_path / "wordings") == first
    assert server.asked == asked > 0


def test_a_wording_is_found_again_on_disk(server: Server, tmp_path: Path) -> None:
    told = Writer(address(server), "tiny", str(tmp_path)).reword("It was lit in 1891.", "1891")
    server.status = 500
    assert Writer(address(server), "tiny", str(tmp_path)).reword("It was lit in 1891.", "1891") == told != ""
    with pytest.raises(MurkError):
        Writer(address(server), "another", str(tmp_path)).reword("It was lit in 1891.", "1891")


def test_a_wording_that_loses_the_value_is_not_taken(server: Server, tmp_path: Path) -> None:
    writer = Writer(address(server), "tiny", str(tmp_path))
    assert writer.reword("It was lit in 1900.", "1900") == "It was lit in 1900."


@pytest.mark.parametrize("answer", [b"{", b"[]", b'{"choices": []}', b'{"choices": 3}'])
def test_a_server_that_fails_is_an_error_and_nothing_is_kept(server: Server, tmp_path: Path, answer: bytes) -> None:
    server.answer = answer
    writer = Writer(address(server), "tiny", str(tmp_path))
    for _ in range(2):
        with pytest.raises(MurkError, match="no completion"):
            writer.reword("It was lit in 1891.", "1891")
    server.status = 503
    with pytest.raises(MurkError, match="status 503"):
        writer.reword("It was lit in 1891.", "1891")


def test_wrong_settings_are_refused(vale_dir: Path) -> None:
    for settings in ({"writer": "tiny"}, {"writer": "http://127.0.0.1:1/v1"}):
        with pytest.raises(UsageError, match="writer"):
            DeepResearchEnv(str(vale_dir), TASKS, faults={"faults": {"misinformation": settings}})
