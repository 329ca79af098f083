"""Decoding for many callers at once by one model, which one thread owns; it knows nothing of episodes.

**What is exact.** A prompt is computed alone, in blocks at fixed places, so what it gives is a function of its tokens
and the weights, whether blocks of it were kept or not. Sampled tokens then go through the model `micro_batch` rows at a
time, always of this shape, idle rows among them; each row is attended alone. So tokens and log-probabilities depend on
the neighbours and on the order of the work only where the backend gives a row of a matrix product other floats by its
place or its neighbours. At `micro_batch` 1 there are none. Larger ones are exact with torch's CPU kernels for float32
where this was measured, which torch does not promise. Another `micro_batch`, number of threads, machine, or release of
torch may give other last bits, and so, rarely, another token.
"""

import atexit
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.seeds import Draws
from murk.envs.web.vectors import library
from murk.rollout.policies.forward import Forward
from murk.rollout.policies.kv_rows import Row


@dataclass(frozen=True, slots=True)
class Request:
    """Tokens asked for.

    Attributes:
        ids: The prompt, at least one token.
        limit: Most tokens to sample, from 1.
        seed: Of the draws; the n-th token is decided by the n-th of them.
        temperature: Divides the logits, from 0; at 0 the likeliest token is taken.
        stopped: Whether to stop after the tokens sampled so far; called by the decoder's thread after each.
    """

    ids: tuple[int, ...]
    limit: int
    seed: int
    temperature: float = 1.0
    stopped: Callable[[Sequence[int]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Tokens sampled.

    Attributes:
        ids: The tokens, the one that ends the turn among them.
        logprobs: Natural log-probability of each in the distribution it was drawn from; at temperature 0, where there
            is none, in that of temperature 1.
        reused: Tokens of the prompt whose keys and values were kept from earlier work.
        version: Of the weights when the turn began.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    reused: int
    version: int


@dataclass(slots=True)
class _Work:
    """A request under way; `row` holds all of `ids` but the newest."""

    request: Request
    future: "Future[Drawn]"
    draws: Draws
    ids: list[int]
    row: Row
    logprobs: list[float] = field(default_factory=list)
    reused: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Change:
    """New weights."""

    weights: Mapping[str, Any]
    version: int
    future: "Future[None]"


class Decoder:
    """A causal language model that samples for up to `micro_batch` requests at once; others join between tokens.

    Args:
        model: Of `transformers`, a decoder whose layers attend with keys and values, to its own exclusive use.
        ends: Tokens that end a turn.
        micro_batch: Rows decoded together, from 1.
        threads: Threads of torch, which has one such number a process.
        cache: Bytes of keys and values that are kept between requests.

    Attributes:
        version: Of the weights.

    Raises:
        UsageError: the model cannot be run row by row.
    """

    def __init__(self, model: Any, ends: frozenset[int], micro_batch: int = 8, threads: int = 1, cache: int = 1 << 30):
        self._forward = Forward(model, micro_batch, cache)
        self._ends, self._size, self._threads = ends, micro_batch, threads
        self.version = 0
        self._inbox: queue.SimpleQueue[_Work | _Change | None] = queue.SimpleQueue()
        self._waiting: deque[_Work] = deque()
        self._working: list[_Work] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="murk-decoder", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a thread that torch is at work in must not meet the end of the interpreter

    def submit(self, request: Request) -> "Future[Drawn]":
        """Asks for tokens; cancelling the future takes the request back.

        The future fails with what the model raised, or with RuntimeError if the decoder is closed.
        """
        future: Future[Drawn] = Future()
        row = Row(-(-(len(request.ids) + request.limit) // 64) * 64)
        self._inbox.put(_Work(request, future, Draws(request.seed), list(request.ids), row))
        if self._closed:
            _tell(future, RuntimeError("the decoder is closed"))
        return future

    def load_weights(self, weights: Mapping[str, Any], version: int) -> None:
        """Puts in new weights between two tokens, and returns when they are in.

        Requests under way go on with the new weights from the next token, as if these had read all before it.

        Raises:
            UsageError: names or shapes are not those of the model's `state_dict`; nothing is changed.
        """
        change = _Change(weights, version, Future())
        self._inbox.put(change)
        if self._closed:
            _tell(change.future, RuntimeError("the decoder is closed"))
        change.future.result()

    def close(self) -> None:
        """Ends the thread; requests under way fail."""
        self._inbox.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    def _run(self) -> None:
        try:
            torch = library("torch")
            torch.set_num_threads(self._threads)
            with torch.inference_mode():
                while self._received():
                    self._admit()
                    self._step()
        finally:
            self._closed = True
            closed = RuntimeError("the decoder is closed")
            for work in [*self._working, *self._waiting]:
                _tell(work.future, closed)
            while not self._inbox.empty():
                if (item := self._inbox.get()) is not None:
                    _tell(item.future, closed)

    def _received(self) -> bool:
        """Takes in what has come, waiting if there is nothing to do; False at the end."""
        while not self._inbox.empty() or not (self._working or self._waiting):
            item = self._inbox.get()
            if item is None:
                return False
            if isinstance(item, _Work):
                self._waiting.append(item)
            else:
                self._change(item)
        return True

    def _admit(self) -> None:
        """Computes the prompts that there is room for, and samples the first token of each."""
        while self._waiting and len(self._working) < self._size:
            work = self._waiting.popleft()
            if work.future.cancelled():
                continue
            try:
                logits = self._forward.read(work.row, work.ids)
                work.reused, work.version = work.row.reused, self.version
                self._take([work], logits)
            except Exception as error:
                self._forward.blocks.clear()  # the memory may be what is missing
                _tell(work.future, error)

    def _step(self) -> None:
        """One more token for each row."""
        self._working = [work for work in self._working if not work.future.cancelled()]
        if not self._working:
            return
        working, self._working = self._working, []
        try:
            rows, newest = [work.row for work in working], [work.ids[-1] for work in working]
            self._take(working, self._forward.step(rows, newest))
        except Exception as error:
            self._working = []
            self._forward.blocks.clear()
            for work in working:
                _tell(work.future, error)

    def _take(self, working: Sequence[_Work], logits: Any) -> None:
        """Draws a token for each row, and parts with those that are done."""
        heats = [work.request.temperature for work in working]
        found = self._forward.draw(logits, heats, [work.draws.uniform() for work in working])
        for work, (token, chance) in zip(working, found, strict=True):
            if chance > 0:
                work.ids.append(token)
                work.logprobs.append(math.log(chance))
                self._go_on(work, token)
            else:
                _tell(work.future, RuntimeError("the model gives logits that are not finite"))

    def _go_on(self, work: _Work, token: int) -> None:
        """Delivers what is complete; what is not stays at work."""
        request, drawn = work.request, work.ids[len(work.request.ids) :]
        if token in self._ends or len(drawn) >= request.limit or (request.stopped and request.stopped(drawn)):
            _tell(work.future, Drawn(tuple(drawn), tuple(work.logprobs), work.reused, work.version))
        else:
            self._working.append(work)

    def _change(self, change: _Change) -> None:
        working, self._working = self._working, []
        try:
            self._forward.load(change.weights)
            self.version = change.version
            for work in working:
                work.row.length = 0
                self._forward.read(work.row, work.ids[:-1])
            self._working = working
            _tell(change.future, None)
        except UsageError as error:
            self._working = working
            _tell(change.future, error)
        except Exception as error:
            _tell(change.future, error)
            for work in working:
                _tell(work.future, error)


def _tell(future: "Future[Any]", result: Any) -> None:
    """Gives a future its result or exception, unless it was cancelled or has one."""
    try:
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
    except InvalidStateError:
        pass
