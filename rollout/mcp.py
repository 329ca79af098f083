"""`murk mcp`: the tools of an agent's desk over the Model Context Protocol (MCP), for agents of other makers."""

import argparse
import json
import socket
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from murk.envs.deep_research import DeepResearchEnv
from murk.envs.errors import UnknownName, UsageError
from murk.envs.tools import PROFILES, check_arguments
from murk.envs.web.snapshot import Snapshot

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

SESSION = "mcp-session-id"
NO_SESSION = "this server keeps a desk for each session; connect with the initialize handshake (protocol 2025-11-25)."


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk mcp`."""
    parser.epilog = "example: murk mcp OUT --http 8000"
    parser.add_argument("snapshot", metavar="OUT", help="folder of a snapshot")
    parser.add_argument("--tools", default="research", help=f"tool profile: {', '.join(PROFILES)} (default research)")
    parser.add_argument("--question", metavar="TEXT", default="", help="what to research, as the server's instructions")
    parser.add_argument("--http", metavar="PORT", type=int, help="streamable HTTP at /mcp, not stdio; 0: any port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1: this machine)")
    parser.set_defaults(run=serve)


def serve(args: argparse.Namespace) -> int:
    """Serves until the client leaves (stdio) or the process is told to end (HTTP).

    Raises:
        UsageError: the extra `mcp` is missing, or a setting is wrong.
    """
    try:
        import anyio
        import mcp.server.lowlevel  # noqa: F401
    except ImportError as error:
        raise UsageError(f"MCP is not installed; pip install 'murk-gym[mcp]' brings it. ({error})") from error
    world = Snapshot.open(args.snapshot)

    def new_desk() -> DeepResearchEnv:
        env = DeepResearchEnv(world, [{"id": "mcp", "question": args.question or "(none)"}], tools=args.tools)
        env.reset()
        return env

    if args.http is None:
        anyio.run(_serve_stdio, new_desk, args.question)
    else:
        _serve_http(new_desk, args.question, args.host, args.http)
    return 0


def call_tool(env: DeepResearchEnv, name: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
    """One tool call as a step of its own, charged as a step of an episode is.

    Returns:
        What the agent reads, and whether the call was wrong.
    """
    desk = env.desk
    desk.exchanges = []
    desk.write(json.dumps({"name": name, "arguments": arguments}))
    problem: str | None
    if name in env.offers:
        tool = env.offers[name].tool
        desk.begin(name, env.step_number)
        fitted, problem = check_arguments(arguments, tool.parameters)
        text = tool.run(fitted, desk) if problem is None else ""
    else:
        problem, text = str(UnknownName("tool", name[:40], env.offers)), ""
    if problem is not None:
        text = f"Error: {problem}"
    text = text.encode("utf-8", "replace").decode()
    desk.read(text)
    env.step_number += 1
    return text, problem is not None


def _server(new_desk: Callable[[], DeepResearchEnv], question: str, http: bool) -> "Server[dict[str, DeepResearchEnv]]":
    """A server whose state is the desks by session: over stdio the one of the connection, under the empty name."""
    import anyio
    import mcp_types as types
    from mcp.server import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

    Desks = dict[str, DeepResearchEnv]
    offers = new_desk().offers  # wrong settings are told here, before anybody connects
    one_at_a_time = anyio.CapacityLimiter(1)  # a long call must not keep the others' connections waiting

    @asynccontextmanager
    async def lifespan(server: Server[Desks]) -> AsyncIterator[Desks]:
        yield {} if http else {"": new_desk()}

    async def list_tools(
        context: ServerRequestContext[Desks], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        tools = [
            types.Tool(name=name, description=offer.description, input_schema=dict(offer.tool.parameters))
            for name, offer in offers.items()
        ]
        return types.ListToolsResult(tools=tools)

    async def call(context: ServerRequestContext[Desks], params: types.CallToolRequestParams) -> types.CallToolResult:
        env = desk_of(context)
        text, wrong = f"Error: {NO_SESSION}", True
        if env is not None:
            given = params.arguments or {}
            text, wrong = await anyio.to_thread.run_sync(call_tool, env, params.name, given, limiter=one_at_a_time)
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=wrong)

    def desk_of(context: ServerRequestContext[Desks]) -> DeepResearchEnv | None:
        desks, client = context.lifespan_context, context.session.client_params
        if not http:
            return desks[""]
        session = context.request.headers.get(SESSION) if context.request is not None else None
        if session is None or client is None:
            return None
        if session not in desks:
            desks[session] = new_desk()
            weakref.finalize(client, desks.pop, session, None)  # the session holds it, and drops it when it ends
        return desks[session]

    async def discover(
        context: ServerRequestContext[Desks], params: types.RequestParams | None
    ) -> types.DiscoverResult:
        """From 2026-07-28 on, HTTP has no sessions; a client that is told of older versions alone opens one."""
        return types.DiscoverResult(
            supported_versions=list(HANDSHAKE_PROTOCOL_VERSIONS), capabilities=server.get_capabilities()
        )

    server = Server(
        "murk", instructions=question or None, lifespan=lifespan, on_list_tools=list_tools, on_call_tool=call
    )
    if http:
        server.add_request_handler("server/discover", types.RequestParams, discover)
    return server


async def _serve_stdio(new_desk: Callable[[], DeepResearchEnv], question: str) -> None:
    from mcp.server.stdio import stdio_server

    server = _server(new_desk, question, http=False)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _serve_http(new_desk: Callable[[], DeepResearchEnv], question: str, host: str, port: int) -> None:
    import uvicorn

    app = _server(new_desk, question, http=True).streamable_http_app(host=host)
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port} does not exist; allowed are 0 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"cannot listen at {host} port {port}: {error}.") from error
    with listener:
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])
