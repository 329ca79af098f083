"""`chat`: a language model behind any OpenAI-compatible server (vLLM, SGLang, `transformers serve`, hosted ones)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from murk.envs.actions import parse, system_prompt
from murk.envs.budget import check_numbers, count_tokens
from murk.envs.codec import build, canonical_json
from murk.envs.errors import MurkError, UsageError
from murk.envs.records import Sampled
from murk.envs.seeds import derive
from murk.rewards.judges.chat_client import Client, Reply, Service
from murk.rollout.completions import Completions, key_of
from murk.rollout.policies import Completion, Start
from murk.rollout.policies.chat_messages import (
    SYSTEM,
    Said,
    Talk,
    fitted,
    native_messages,
    plain_messages,
    read_reply,
    too_long,
    write_turn,
)
from murk.rollout.segments import prefix_of

# A server that restarts is waited for: ten retries take about five minutes.
SERVICE: Mapping[str, float] = {"concurrency": 512, "timeout": 600.0, "retries": 10, "backoff": 1.0, "max_wait": 60.0}
USAGE = ("calls", "tokens_in", "tokens_out", "money", "retries", "cut", "malformed")
CUTS = 8
_OURS = ("messages", "model", "n", "stream")


class NoTurn(MurkError):
    """The server gave no turn: it stays away, or refuses to."""


@dataclass(frozen=True)
class Chat:
    """Asks a served model for each turn.

    The seed of a request is derived from the episode's and the number of the turn. A turn's `usage` tells `calls`,
    `tokens_in`, `tokens_out` (estimated where the server does not tell) and `money`, all 0 for a turn from the cache;
    `retries`; `cut`, the tool results left out of what was sent; `malformed`, 1 where something is wrong with the
    turn; with a cache, `completions_asked` and `completions_hit`.

    Attributes:
        base_url: Address of the API, such as `http://127.0.0.1:8000/v1`.
        model: Name of the model there.
        key_env: Name of the environment variable that holds the key; empty where none is needed.
        native: Whether tools and calls go through the API's own fields, which needs the dialect `openai`; otherwise a
            system prompt explains the dialect, and turns are plain text.
        temperature: From 0.
        top_p: Above 0, to 1; None for the server's default.
        max_tokens: Tokens of a turn, from 1.
        stop: Strings that end a turn. A closing tag among them stays in the turn.
        context: Tokens that prompt and turn may have together; None where that is unknown. Beyond it, the oldest tool
            results are left out of what is sent, as they are when the server refuses a prompt for its length.
        extra: Fields added to each request; null takes one away.
        prices: `tokens_in` and `tokens_out`, in money per million.
        service: Settings of `murk.rewards.judges.chat_client.Service`: concurrency, timeout, retries, backoff,
            max_wait; `SERVICE` has the defaults.
        tokens: Whether token ids and log-probabilities are asked for, as vLLM gives them. They are recorded as they
            come: vLLM takes log-probabilities before temperature and top_p unless it runs with
            `--logprobs-mode processed_logprobs`.
        cache: Folder of the cache of completions; None for none.

    Raises:
        UsageError: a setting is wrong, or httpcore is not installed.
    """

    base_url: str
    model: str
    key_env: str = ""
    native: bool = False
    temperature: float = 1.0
    top_p: float | None = None
    max_tokens: int = 4_096
    stop: Sequence[str] = ()
    context: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    service: Mapping[str, float] = field(default_factory=dict)
    tokens: bool = False
    cache: str | Path | None = None
    client: "Client[Said]" = field(init=False, repr=False, compare=False)
    completions: Completions | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        settings: dict[str, Any] = {**SERVICE, **self.service}
        service = Service(self.base_url, self.key_env, **settings)
        object.__setattr__(self, "client", Client(service, lambda data: read_reply(data, self.stop)))
        object.__setattr__(self, "completions", None if self.cache is None else Completions(self.cache))

    def begin(self, start: Start) -> "ChatAgent":
        """Begins an episode.

        Raises:
            UsageError: calls are native, and the dialect is not `openai`.
        """
        if self.native and start.dialect != "openai":
            raise UsageError(f"native of the policy 'chat' needs env.dialect=openai; it is {start.dialect!r}.")
        return ChatAgent(self, start)

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """Money for so many tokens."""
        return (tokens_in * self.prices.get("tokens_in", 0.0) + tokens_out * self.prices.get("tokens_out", 0.0)) / 1e6

    def _check(self) -> None:
        heat, top_p, room = self.temperature, self.top_p, self.context
        whole = isinstance(self.max_tokens, int) and self.max_tokens >= 1
        texts = isinstance(self.stop, Sequence) and not isinstance(self.stop, str)
        extra = isinstance(self.extra, Mapping) and not set(self.extra) & set(_OURS)
        allowed = {
            "model": (isinstance(self.model, str) and self.model.strip(), "the name that the server knows it by"),
            "temperature": (isinstance(heat, int | float) and 0 <= heat < math.inf, "finite numbers from 0"),
            "top_p": (top_p is None or (isinstance(top_p, int | float) and 0 < top_p <= 1), "above 0 to 1, or null"),
            "max_tokens": (whole, "whole numbers from 1"),
            "stop": (texts and all(isinstance(text, str) and text for text in self.stop), "a list of texts"),
            "context": (room is None or (isinstance(room, int) and room > self.max_tokens), "over max_tokens, or null"),
            "extra": (extra, f"a mapping without {', '.join(_OURS)}"),
            "prices": (isinstance(self.prices, Mapping), "a mapping"),
            "service": (isinstance(self.service, Mapping), "a mapping"),
        }
        for name, (fine, words) in allowed.items():
            if not fine:
                raise UsageError(f"{name} of the policy 'chat' is {getattr(self, name)!r}; allowed: {words}.")
        check_numbers("price", self.prices, ("tokens_in", "tokens_out"))
        check_numbers("service setting", self.service, tuple(SERVICE))


class ChatAgent:
    """The policy `chat` within one episode."""

    def __init__(self, policy: Chat, start: Start) -> None:
        self._policy, self._start = policy, start
        self._names = tuple(str(tool["function"]["name"]) for tool in start.tools)
        self._system = SYSTEM if policy.native else system_prompt(start.tools, start.dialect)
        self._turn, self._limit = 0, None if policy.context is None else policy.context - policy.max_tokens
        if self._limit is not None:
            schemas = canonical_json([dict(tool) for tool in start.tools]) if policy.native else ""
            self._limit = max(1, self._limit - count_tokens(self._system + schemas))
        self._segment: tuple[int, ...] = ()

    async def act(self, conversation: Talk) -> Completion:
        """Takes the next turn.

        Raises:
            NoTurn: the server stays away after all retries, refuses the request, or says what is no completion.
        """
        policy, usage = self._policy, dict.fromkeys(USAGE, 0.0)
        if policy.completions is None:
            said = await self._ask(conversation, usage)
        else:
            said = await self._remember(policy.completions, conversation, usage)
        text = write_turn(said, self._start.dialect, policy.native, self._names)
        usage["malformed"] = float(bool(parse(text, self._start.dialect, self._names).problems))
        self._turn += 1
        return Completion(text, self._sampled(said, usage))

    async def _remember(self, kept: Completions, conversation: Talk, usage: dict[str, float]) -> Said:
        """A reply from the cache, or else from the server and then kept.

        Its key is the conversation before anything was cut, and the limit is kept beside it, so that an episode can be
        repeated from the cache alone and goes on as it did where the cache ends.
        """
        key = key_of(self._turn, self._policy.context, self._policy.stop, self._body(conversation))
        entry = await kept.get(key)
        usage |= {"completions_asked": 1.0, "completions_hit": 0.0}
        try:
            said: Said = build(Said, entry["said"])
            self._limit = None if entry["limit"] is None else int(entry["limit"])
        except (ValueError, TypeError, KeyError):  # absent or corrupt
            said = await self._ask(conversation, usage)
            await kept.put(key, {"said": asdict(said), "limit": self._limit})
        else:
            usage |= {"completions_hit": 1.0, "cut": float(fitted(conversation, self._limit)[1])}
        return said

    async def _ask(self, conversation: Talk, usage: dict[str, float]) -> Said:
        for _ in range(CUTS + 1):
            sent, cut = fitted(conversation, self._limit)
            body = self._body(sent)
            reply = await self._policy.client.post(body)
            usage["retries"] += reply.retries
            usage["cut"] = float(cut)
            if reply.value is not None:
                self._charge(reply.value, body, usage)
                return reply.value
            tokens = sum(count_tokens(message["content"]) for message in sent)
            shorter = max(1, tokens * 3 // 4)
            if not (reply.refused and too_long(reply.text)) or fitted(conversation, shorter)[1] == cut:
                break
            self._limit = shorter
        raise self._failed(reply)

    def _body(self, conversation: Talk) -> dict[str, Any]:
        policy = self._policy
        native = native_messages(conversation, self._names) if policy.native else plain_messages(conversation)
        body: dict[str, Any] = {
            "model": policy.model,
            "messages": [{"role": "system", "content": self._system}, *native],
        }
        body |= {"temperature": policy.temperature, "top_p": policy.top_p, "max_tokens": policy.max_tokens}
        body |= {"stop": list(policy.stop) or None, "seed": derive(self._start.seed, "chat", self._turn) >> 33}
        if policy.native and self._start.tools:
            body["tools"] = [dict(tool) for tool in self._start.tools]
        if policy.tokens:
            body |= {"logprobs": True, "return_token_ids": True}
        return {name: value for name, value in (body | dict(policy.extra)).items() if value is not None}

    def _charge(self, said: Said, body: Mapping[str, Any], usage: dict[str, float]) -> None:
        read = sum(count_tokens(str(message["content"])) for message in body["messages"])
        tokens_in = float(read) if said.tokens_in is None else said.tokens_in
        written = count_tokens(said.content + said.reasoning + said.tool_calls)
        tokens_out = float(written) if said.tokens_out is None else said.tokens_out
        usage |= {"calls": 1.0, "tokens_in": tokens_in, "tokens_out": tokens_out}
        usage["money"] = round(self._policy.cost(tokens_in, tokens_out), 12)

    def _sampled(self, said: Said, usage: Mapping[str, float]) -> Sampled:
        """What was sampled, in segments; a turn whose token ids are not known ends one."""
        before, prompt = self._segment, said.prompt_ids
        self._segment = prompt + said.token_ids
        if not before or prompt[: len(before)] != before:
            return Sampled(prompt, said.token_ids, said.logprobs, usage=usage)
        return Sampled(prompt[len(before) :], said.token_ids, said.logprobs, prefix_of(before), usage=usage)

    @staticmethod
    def _failed(reply: Reply[Said]) -> NoTurn:
        words = " ".join(reply.text.split())[:300]
        told = f": {words}" if words else ""
        again = f", after {reply.retries} retries" if reply.retries else ""
        return NoTurn(f"the server of the policy 'chat' gave no turn: {reply.note}{again}{told}.")
