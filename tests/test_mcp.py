"""The tools over MCP, asked by the official client."""

import argparse
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from murk.envs.errors import UsageError
from murk.envs.tools import profile
from murk.rollout.mcp import add_command

pytest.importorskip("mcp")

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters

URL = "https://vale.example/ferry.html"
MODES = ("auto", "legacy")
START = """
import argparse, signal, sys
from murk.rollout.mcp import add_command
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
parser = argparse.ArgumentParser()
add_command(parser)
args = parser.parse_args()
sys.exit(args.run(args))
"""


def command(snapshot: Path, *more: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", START, str(snapshot), *more]


def stdio(snapshot: Path, *more: str) -> StdioServerParameters:
    program, *arguments = command(snapshot, *more)
    return StdioServerParameters(command=program, args=arguments)


@contextmanager
def serving(snapshot: Path, *more: str) -> Iterator[str]:
    started = subprocess.Popen(command(snapshot, "--http", "0", *more), stderr=subprocess.PIPE, text=True)
    with started as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().strip()
        finally:
            process.terminate()
            rest = process.stderr.read()
            process.wait(timeout=20)
    assert rest == ""


@pytest.fixture(scope="module")
def url(vale_dir: Path) -> Iterator[str]:
    with serving(vale_dir) as address:
        yield address


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(60):
            await body()

    anyio.run(limited)


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[str, bool]:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, types.CallToolResult)
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text, bool(result.is_error)


async def check(client: Client, tools: str) -> None:
    """What every transport must do."""
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    offers = profile(tools)
    assert list(listed) == list(offers)
    for name, offer in offers.items():
        assert listed[name].input_schema == offer.tool.parameters == offer.schema["function"]["parameters"]
        assert listed[name].description == offer.description
    text, wrong = await ask(client, "batch_web_surfer", action="batch_search", queries=["ferry timetable"])
    assert (URL in text, wrong) == (True, False)
    text, wrong = await ask(client, "batch_web_surfer", action="batch_open", urls=[URL])
    assert ("sails from Orrin Vale" in text, wrong) == (True, False)
    assert not (await ask(client, "file", action="write", path="a.md", content="gulls at noon"))[1]
    text, wrong = await ask(client, "file", action="read", path="a.md")
    assert ("gulls at noon" in text, wrong) == (True, False)
    text, wrong = await ask(client, "batch_web_surfer", action="batch_serch")
    assert ("Did you mean 'batch_search'" in text, wrong) == (True, True)
    text, wrong = await ask(client, "file", action="read", paht="a.md")
    assert ("Did you mean 'path'" in text, wrong) == (True, True)
    text, wrong = await ask(client, "fil")
    assert ("Did you mean 'file'" in text, wrong) == (True, True)


@pytest.mark.parametrize("mode", MODES)
def test_stdio(vale_dir: Path, mode: str) -> None:
    async def body() -> None:
        async with Client(stdio(vale_dir, "--question", "When was it lit?"), mode=mode) as client:
            assert client.instructions == "When was it lit?"
            await check(client, "research")
        async with Client(stdio(vale_dir), mode=mode) as other:
            assert "gulls" not in (await ask(other, "file", action="read", path="a.md"))[0]

    run(body)


@pytest.mark.parametrize("mode", MODES)
def test_http_keeps_a_desk_for_each_session(url: str, mode: str) -> None:
    async def body() -> None:
        async with Client(url, mode=mode) as one, Client(url, mode=mode) as other:
            await check(one, "research")
            assert "gulls" not in (await ask(other, "file", action="read", path="a.md"))[0]
            await ask(other, "file", action="write", path="a.md", content="terns")
            assert "gulls" in (await ask(one, "file", action="read", path="a.md"))[0]
            counted = [(await ask(client, "budget"))[0] for client in (one, other)]
            assert counted[0] != counted[1]

    assert url.startswith("http://127.0.0.1:")
    run(body)


def test_http_without_a_session_is_told_to_open_one(url: str) -> None:
    async def body() -> None:
        async with Client(url, mode="2026-07-28") as client:
            assert "initialize handshake" in (await ask(client, "budget"))[0]

    run(body)


def options(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_command(parser)
    return parser.parse_args([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--tools", "reserch"], "Did you mean 'research'"),
        (["--http", "70000"], "port 70000 does not exist"),
        (["--http", "0", "--host", "203.0.113.1"], "cannot listen at 203.0.113.1 port 0"),
    ],
)
def test_wrong_use_is_told(vale_dir: Path, more: list[str], words: str) -> None:
    args = options(vale_dir, *more)
    with pytest.raises(UsageError, match=words):
        args.run(args)


def test_the_extra_is_named_where_it_is_missing(vale_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    args = options(vale_dir)
    with pytest.raises(UsageError, match=r"pip install 'murk-gym\[mcp\]'"):
        args.run(args)
