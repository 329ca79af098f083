"""The judge `chat`: a language model behind any OpenAI-compatible server (vLLM, SGLang, `transformers serve`, ...).

What it is told is in `prompts`, how its replies become verdicts and who is to blame where there is none in
`chat_verdicts`. Temperature is 0.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from murk.envs.budget import count_tokens
from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.tasks import Criterion
from murk.rewards.judges import Case, Verdict
from murk.rewards.judges.chat_client import Client, Service
from murk.rewards.judges.chat_verdicts import Answer, Ask, Asked, Limits, decide
from murk.rewards.judges.prompts import version as prompts_version
from murk.rewards.score import summed

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs, in money per million tokens.

    Attributes:
        tokens_in: Of prompts.
        tokens_out: Of replies.
    """

    tokens_in: float = 0.0
    tokens_out: float = 0.0


class ChatJudge:
    """Judges by a served language model.

    Args:
        base_url: Address of the API, such as `http://127.0.0.1:8000/v1`.
        model: Name of the model there.
        max_tokens: Tokens of a reply, from 16.
        structured: Whether the server is asked for a JSON object by `response_format`; some know no such field.
        prices: Of the model, as `Prices` or a mapping of its fields.
        progress: Called with how many requests of this call to `judge` are done, and how many are known of so far, in
            another thread.
        service: Settings of `Service`: key_env, concurrency, timeout, retries, backoff, max_wait.
        limits: Settings of `Limits`: chunk_chars, overlap_chars, max_chars, trials.

    Attributes:
        spent: What it spent in all: `calls`, `tokens_in`, `tokens_out`, `money`.

    Raises:
        UsageError: a setting is wrong, or the key's environment variable is not set.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        max_tokens: int = 1_024,
        structured: bool = False,
        prices: Prices | dict[str, float] | None = None,
        progress: Progress | None = None,
        service: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise UsageError(f"model of a judge is {model!r}; allowed is the name that the server knows it by.")
        if not isinstance(max_tokens, int) or max_tokens < 16:
            raise UsageError(f"max_tokens of a judge is {max_tokens!r}; allowed are whole numbers from 16.")
        self.model, self.max_tokens, self.structured, self.progress = model, max_tokens, structured, progress
        self.prices = prices if isinstance(prices, Prices) else Prices(**(prices or {}))
        self.limits = Limits(**(limits or {}))
        self._client = Client(Service(base_url, **(service or {})), self._read)
        self._lock = threading.Lock()
        self.spent: dict[str, float] = {}

    @property
    def version(self) -> str:
        """Model, prompts, and the settings that change verdicts; where the model is served changes none."""
        settings = [asdict(self.limits), self.max_tokens, self.structured]
        digest = blake2b(canonical_json(settings).encode(), digest_size=4).hexdigest()
        return f"chat 1 ({self.model}, prompts {prompts_version()}, settings {digest})"

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion, in their order; None for those that the machine could not decide."""
        return decide(case, criteria, self._counting(), self.limits)

    def ask(self, asked: Sequence[Asked]) -> list[Answer]:
        """Puts requests to the model, and gives their answers in the same order; none raises."""
        return self._counting()(asked)

    def _counting(self) -> Ask:
        done = known = 0

        def one() -> None:
            nonlocal done
            done += 1
            if self.progress:
                self.progress(done, known)

        def ask(asked: Sequence[Asked]) -> list[Answer]:
            nonlocal known
            known += len(asked)
            answers = self._client.ask([self._body(request) for request in asked], one)
            with self._lock:
                self.spent = summed([self.spent, *(answer.usage for answer in answers)])
            return answers

        return ask

    def _body(self, request: Asked) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "messages": request.messages, "temperature": 0}
        body |= {"max_tokens": self.max_tokens, "seed": request.trial}
        return body | ({"response_format": {"type": "json_object"}} if self.structured else {})

    def _read(self, data: Any) -> Answer | None:
        """A chat completion; a reply of the wrong type is an empty one. The length of one is estimated if not told."""
        try:
            message = data["choices"][0]["message"]
            content = message["content"]
        except (KeyError, IndexError, TypeError):
            return None
        text = content if isinstance(content, str) else ""
        told = data.get("usage")
        usage: dict[str, Any] = told if isinstance(told, dict) else {}
        tokens_in, tokens_out = _count(usage.get("prompt_tokens"), ""), _count(usage.get("completion_tokens"), text)
        money = (tokens_in * self.prices.tokens_in + tokens_out * self.prices.tokens_out) / 1e6
        spent = {"calls": 1.0, "tokens_in": tokens_in, "tokens_out": tokens_out, "money": round(money, 12)}
        return Answer(text, usage=spent)


def _count(told: Any, text: str) -> float:
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e12:
        return float(told)
    return float(count_tokens(text))
