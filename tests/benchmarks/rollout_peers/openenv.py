"""OpenEnv's episodes: its websocket server in a process of its own, and its client for each slot in this one.

`python -m rollout_peers.openenv SNAPSHOT TASKS EPISODES SLOTS`; with `serve SNAPSHOT PORT SESSIONS` it is the server.
Runs in a virtual environment of its own. A session lasts as long as its slot, and each episode begins with `reset`.
"""

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rollout_peers.work import THINKING, Web, contend, read_questions, tagged_turns

from murk.envs.web.snapshot import Snapshot

server: Any = import_module("openenv.core.env_server")
generic: Any = import_module("openenv.core.generic_client")

HOST = "127.0.0.1"
CONNECTING = 32
TURN = re.compile(r"<(search|open|report)>(.*?)</\1>", re.DOTALL)


class Turn(server.Action):  # type: ignore[misc]
    text: str


class Seen(server.Observation):  # type: ignore[misc]
    text: str = ""


class Researcher(server.Environment):  # type: ignore[misc]
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, web: Web) -> None:
        super().__init__()
        self._web, self._state = web, server.State()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **settings: Any) -> Any:
        self._state = server.State(episode_id=episode_id, step_count=0)
        return Seen()

    def step(self, action: Any, timeout_s: float | None = None, **settings: Any) -> Any:
        self._state.step_count += 1
        found = TURN.search(action.text)
        if found is None or found[1] == "report":
            return Seen(done=True, reward=0.0)
        text = self._web.search(found[2]) if found[1] == "search" else self._web.open(found[2])
        return Seen(text=text, reward=0.0)

    @property
    def state(self) -> Any:
        return self._state


def serve(folder: str, port: int, sessions: int) -> None:
    import uvicorn

    web = Web(Snapshot.open(folder))
    app = server.create_fastapi_app(lambda: Researcher(web), Turn, Seen, max_concurrent_envs=sessions)
    uvicorn.run(app, host=HOST, port=port, log_level="error")


async def main(folder: str, tasks: str, episodes: int, slots: int) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "rollout_peers.openenv", "serve", folder, str(port), str(slots)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            await _listening(port)
            await _drive(port, read_questions(tasks, episodes), slots)
        finally:
            process.kill()  # while its sessions are open; there is nothing to save


async def _drive(port: int, questions: Sequence[str], slots: int) -> None:
    clients = [generic.GenericEnvClient(base_url=f"ws://{HOST}:{port}") for _ in range(slots)]
    gate = asyncio.Semaphore(CONNECTING)

    async def connect(client: Any) -> None:
        async with gate:
            await client.connect()

    async def episode(slot: int, question: str) -> None:
        client = clients[slot]
        await client.reset()
        conversation, done, turns = [{"role": "user", "content": question}], False, iter(tagged_turns(question))
        while not done:
            await asyncio.sleep(THINKING)
            turn = next(turns)
            result = await client.step({"text": turn})
            seen = {"role": "user", "content": result.observation["text"]}
            conversation += [{"role": "assistant", "content": turn}, seen]
            done = result.done

    await asyncio.gather(*map(connect, clients))
    await contend(questions, slots, episode)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


async def _listening(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
