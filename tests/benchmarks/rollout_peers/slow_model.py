"""`slow_model`: a policy in the place of a model that takes its time. It does what the question lists, then reports."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout_peers.work import REPORT, THINKING, VERBS

from murk.rollout.policies import Completion, Start


@dataclass(frozen=True, slots=True)
class SlowModel:
    """Thinks for `seconds` before each turn."""

    seconds: float = THINKING

    def begin(self, start: Start) -> "_Agent":
        return _Agent(self.seconds)


class _Agent:
    def __init__(self, seconds: float) -> None:
        self._seconds, self._turns = seconds, list[str]()

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        if not self._turns:
            texts = json.loads(conversation[0]["content"])
            self._turns = [*map(_call, VERBS, texts), f"<answer>{REPORT}</answer>"][::-1]
        await asyncio.sleep(self._seconds)
        return Completion(self._turns.pop())


def _call(verb: str, text: str) -> str:
    given = {"queries": [text], "topk": 10} if verb == "search" else {"urls": [text]}
    call = {"name": "batch_web_surfer", "arguments": {"action": f"batch_{verb}"} | given}
    return f"<toolcall>{json.dumps(call)}</toolcall>"
