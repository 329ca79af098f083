"""skyrl-gym's episodes, driven as SkyRL's generator does: one event loop, the environments' calls in 32 threads.

`python -m rollout_peers.skyrl SNAPSHOT TASKS EPISODES SLOTS`. The model is awaited in the loop, and `max_env_workers`
of SkyRL's configuration is 32. Conversations are kept until their episode ends; there are no tokens, which SkyRL would
keep longer.
"""

import asyncio
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from rollout_peers.work import THINKING, Web, contend, read_questions, tagged_turns

from murk.envs.web.snapshot import Snapshot

text_env: Any = import_module("skyrl_gym.envs.base_text_env")
core: Any = import_module("skyrl_gym.tools.core")

WORKERS = 32
TURN = re.compile(r"<(search|open|report)>(.*?)</\1>", re.DOTALL)


class Group(core.ToolGroup):  # type: ignore[misc]
    def __init__(self, web: Web) -> None:
        self._web = web
        super().__init__("web")

    @core.tool  # type: ignore[untyped-decorator]
    def search(self, query: str) -> str:
        return self._web.search(query)

    @core.tool  # type: ignore[untyped-decorator]
    def open(self, url: str) -> str:
        return self._web.open(url)


class Environment(text_env.BaseTextEnv):  # type: ignore[misc]
    def __init__(self, web: Web) -> None:
        super().__init__()
        self.init_tool_groups([Group(web)])

    def step(self, action: str) -> Any:
        self.turns += 1
        found = TURN.search(action)
        if found is None or found[1] == "report":
            return text_env.BaseTextEnvStepOutput(observations=[], reward=0.0, done=True, metadata={})
        message = {"role": "user", "content": self._execute_tool("web", found[1], [found[2]])}
        return text_env.BaseTextEnvStepOutput(observations=[message], reward=0.0, done=False, metadata={})


async def main(folder: str, tasks: str, episodes: int, slots: int) -> None:
    web, executor, loop = Web(Snapshot.open(folder)), ThreadPoolExecutor(WORKERS), asyncio.get_running_loop()

    async def episode(slot: int, question: str) -> None:
        environment = Environment(web)
        prompt = [{"role": "user", "content": question}]
        conversation, _ = await loop.run_in_executor(executor, environment.init, prompt)
        done, turns = False, iter(tagged_turns(question))
        while not done:
            await asyncio.sleep(THINKING)
            turn = next(turns)
            output = await loop.run_in_executor(executor, environment.step, turn)
            conversation += [{"role": "assistant", "content": turn}, *output["observations"]]
            done = output["done"]
        await loop.run_in_executor(executor, environment.close)

    await contend(read_questions(tasks, episodes), slots, episode)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
