"""`transformers`: a causal language model from a folder, in process, for many episodes at once.

What is promised: at `micro_batch` 1 and equal settings, an episode on one machine is the same to the last bit in any
order and process. `murk.rollout.policies.decoding` says what holds for larger ones. The count `tokens_reused` tells
what was kept from earlier work, and does depend on it.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from murk.envs.actions import parse, system_prompt
from murk.envs.errors import UsageError
from murk.envs.records import Sampled
from murk.envs.seeds import derive
from murk.envs.web.vectors import library
from murk.rollout.policies import Completion, Start
from murk.rollout.policies.decoding import Decoder, Request
from murk.rollout.policies.token_chat import ChatFormat, TokenChat

_DTYPES = ("float32", "bfloat16", "float16")
_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True)
class TransformersPolicy:
    """Samples turns from a Hugging Face model.

    All policies of a process that agree in `path`, `dtype`, `device`, `micro_batch`, `threads` and `cache` share one
    model, which is loaded when the first episode begins.

    Attributes:
        path: A folder with the model's safetensors and a tokenizer with a chat template.
        dtype: Of the weights: `float32`, `bfloat16` or `float16`.
        device: Where torch runs it: `cpu`, `cuda`, `cuda:1`.
        micro_batch: Rows decoded together, from 1; how many more episodes are in flight does not matter.
        max_tokens: Most tokens of a turn, from 1.
        context: Tokens that prompt and turn have together, from 16; None for all that the model has positions for.
        temperature: Of the distribution that tokens are drawn from; 0 takes the likeliest, else from 0.01.
        stop: A turn ends with the first of these texts, too; it stays in the turn.
        threads: Threads of torch; floats may depend on it.
        cache: MB of keys and values kept between turns.

    Raises:
        UsageError: a setting is out of its range.
    """

    path: str
    dtype: str = "float32"
    device: str = "cpu"
    micro_batch: int = 8
    max_tokens: int = 1024
    context: int | None = None
    temperature: float = 1.0
    stop: Sequence[str] = ()
    threads: int = 1
    cache: int = 1024

    def __post_init__(self) -> None:
        heat = self.temperature
        checks: dict[str, tuple[bool, str]] = {
            "dtype": (self.dtype in _DTYPES, " or ".join(_DTYPES)),
            "context": (self.context is None or self.context >= 16, "from 16"),
            "temperature": (heat == 0 or 0.01 <= heat <= 100, "0, or 0.01 to 100"),
            "stop": (not isinstance(self.stop, str) and all(self.stop), "a list of texts, none of them empty"),
            "cache": (self.cache >= 0, "from 0"),
        }
        checks |= {name: (getattr(self, name) >= 1, "from 1") for name in ("micro_batch", "max_tokens", "threads")}
        for name, (good, allowed) in checks.items():
            if not good:
                raise UsageError(f"{name} is {getattr(self, name)!r}; allowed is {allowed}.")

    def load(self) -> None:
        """Loads the model, which may take minutes; otherwise the first episode does.

        Raises:
            UsageError: the folder cannot be loaded, or the model is of a kind that cannot be run row by row.
        """
        self._loaded()

    def begin(self, start: Start) -> "_Speaker":
        """Begins an episode.

        Raises:
            UsageError: the folder cannot be loaded, or the model is of a kind that cannot be run row by row.
        """
        return _Speaker(self, self._loaded(), start)

    def load_weights(self, weights: Mapping[str, Any], version: int) -> None:
        """Gives the shared model new weights between two tokens; what it kept of earlier prompts is dropped.

        Turns under way go on with the new weights; `Sampled.version` is the version when a turn began.

        Args:
            weights: As from the model's `state_dict`, on any device.
            version: Of the weights.

        Raises:
            UsageError: names or shapes are not those of the model; nothing is changed.
        """
        self._loaded().decoder.load_weights(weights, version)

    def _loaded(self) -> "_Loaded":
        with _LOADING:
            return _load(self.path, self.dtype, self.device, self.micro_batch, self.threads, self.cache)


class _Speaker:
    """The agent of one episode."""

    def __init__(self, policy: TransformersPolicy, loaded: "_Loaded", start: Start) -> None:
        self._policy, self._loaded, self._start = policy, loaded, start
        self._context = policy.context or loaded.positions
        if self._context > loaded.positions:
            raise UsageError(
                f"context is {self._context}; the model in {policy.path} has {loaded.positions} positions."
            )
        room = self._context - min(policy.max_tokens, self._context // 2)
        self._chat = TokenChat(loaded.chat, system_prompt(start.tools, start.dialect), room)
        self._tools = [str(tool.get("function", tool).get("name")) for tool in start.tools]
        self._stop = tuple(policy.stop)
        self._turn = 0

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        """Samples the next turn; fails with what the model raises.

        The usage has `tokens_in` (the whole prompt), `tokens_out`, `tokens_reused` (of the prompt, not computed again),
        `cut` (messages cut to fit, `TokenChat`) and `malformed` (1 if something is wrong with the turn, else 0).
        """
        prompt = self._chat.prompt(conversation)
        limit = min(self._policy.max_tokens, self._context - len(prompt.ids))
        seed = derive(self._start.seed, "turn", self._turn)
        request = Request(prompt.ids, limit, seed, self._policy.temperature, self._stopped if self._stop else None)
        drawn = await asyncio.wrap_future(self._loaded.decoder.submit(request))
        text = self._chat.sampled(drawn.ids)
        self._turn += 1
        usage = {
            "tokens_in": len(prompt.ids),
            "tokens_out": len(drawn.ids),
            "tokens_reused": drawn.reused,
            "cut": prompt.cut,
            "malformed": bool(parse(text, self._start.dialect, self._tools).problems),
        }
        counted = {name: float(count) for name, count in usage.items()}
        new = prompt.ids[-prompt.new :]
        return Completion(text, Sampled(new, drawn.ids, drawn.logprobs, prompt.prefix, drawn.version, counted))

    def _stopped(self, ids: Sequence[int]) -> bool:
        longest = max(len(stop.encode()) for stop in self._stop)
        end = self._loaded.chat.text(ids[-longest - 8 :])  # a token is at least a byte, but for few special ones
        return any(stop in end for stop in self._stop)


@dataclass(frozen=True, slots=True)
class _Loaded:
    decoder: Decoder
    chat: ChatFormat
    positions: int


@cache
def _load(path: str, dtype: str, device: str, micro_batch: int, threads: int, kept: int) -> _Loaded:
    torch, transformers = library("torch"), library("transformers")
    if not any(Path(path).glob("*.safetensors")):
        raise UsageError(f"{path} has no *.safetensors; other formats of weights can run code and are refused.")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    bars = library("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # it would be written across the progress of the run
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path, use_safetensors=True, dtype=getattr(torch, dtype), attn_implementation="sdpa", **options
        ).to(device)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be loaded as a language model: {error}") from error
    finally:
        if shown:
            bars.enable_progress_bar()
    ends = [tokenizer.eos_token_id, model.config.eos_token_id, model.generation_config.eos_token_id]
    flat = [end for some in ends for end in (some if isinstance(some, list) else [some]) if end is not None]
    positions = int(getattr(model.config, "max_position_embeddings", 1 << 20))
    chat = ChatFormat(tokenizer, frozenset(flat))
    return _Loaded(Decoder(model, chat.ends, micro_batch, threads, kept << 20), chat, positions)
