"""Keys and values of many conversations at once, each row at its own length, without padding.

A row is attended by itself, over exactly its own tokens, so that its floats do not depend on its neighbours. What a
prompt's full blocks of tokens gave is kept, and taken again by every prompt that begins with the same tokens. A block
is always computed in the same way from the blocks before it, so that kept and new blocks are equal to the last bit.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from inspect import signature
from typing import Any

import numpy as np

from murk.envs.errors import UsageError
from murk.envs.web.vectors import library

BLOCK = 256
"""Tokens that are computed and kept together."""
ATTENTION = "murk_rows"
"""Name under which `transformers` finds `attend`."""


class Row:
    """Keys and values of one sequence, a tensor a layer; `length` tokens of `capacity` are there, `reused` not new."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length, self.reused = capacity, 0, 0
        self.keys: list[Any] = []
        self.values: list[Any] = []

    def write(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Puts new tokens behind those that are there, and gives all of the layer."""
        if layer == len(self.keys):
            self.keys.append(keys.new_empty((1, keys.shape[1], self.capacity, keys.shape[3])))
            self.values.append(values.new_empty((1, values.shape[1], self.capacity, values.shape[3])))
        end = self.length + keys.shape[2]
        self.keys[layer][:, :, self.length : end] = keys
        self.values[layer][:, :, self.length : end] = values
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]

    def block(self, begin: int) -> list[tuple[Any, Any]]:
        """A copy of one block, by layer."""
        part = (slice(None), slice(None), slice(begin, begin + BLOCK))
        return [(keys[part].clone(), values[part].clone()) for keys, values in zip(self.keys, self.values, strict=True)]

    def append(self, block: Sequence[tuple[Any, Any]]) -> None:
        """Puts a kept block behind what is there."""
        for layer, (keys, values) in enumerate(block):
            self.write(layer, keys, values)
        self.length += BLOCK


class Rows:
    """The rows of one pass through a model, in the place of a cache of `transformers`.

    Rows of the batch beyond them are idle: nothing is kept of them.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def update(self, keys: Any, values: Any, layer: int, *_: Any, **__: Any) -> tuple[list[Any], list[Any]]:
        """Keeps new keys and values; gives those of each row for `attend`."""
        whole = [
            row.write(layer, new_keys, new_values)
            for row, new_keys, new_values in zip(self.rows, keys.split(1), values.split(1), strict=False)
        ]
        return [keys for keys, _ in whole], [values for _, values in whole]

    def get_seq_length(self, *_: Any) -> int:
        """Tokens before the pass in the longest row; models ask for it, but positions are given to them."""
        return max(row.length for row in self.rows)


class Blocks:
    """Blocks of keys and values by the tokens up to their end; the least recently used give way.

    Args:
        capacity: Bytes that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity, self._used = capacity, 0
        self._blocks: OrderedDict[bytes, list[tuple[Any, Any]]] = OrderedDict()

    def get(self, key: bytes) -> list[tuple[Any, Any]] | None:
        """The block of a key of `block_keys`."""
        if key in self._blocks:
            self._blocks.move_to_end(key)
        return self._blocks.get(key)

    def put(self, key: bytes, block: list[tuple[Any, Any]]) -> None:
        """Keeps a block."""
        if key not in self._blocks:
            self._blocks[key] = block
            self._used += _size(block)
        while self._used > self._capacity:
            self._used -= _size(self._blocks.popitem(last=False)[1])

    def clear(self) -> None:
        """Forgets all."""
        self._blocks.clear()
        self._used = 0


def block_keys(ids: Sequence[int]) -> Iterator[bytes]:
    """A key for each full block of some tokens, which covers the blocks before it."""
    digest = blake2b(digest_size=16)
    for begin in range(0, len(ids) - BLOCK + 1, BLOCK):
        digest.update(np.asarray(ids[begin : begin + BLOCK], "<i8").tobytes())
        yield digest.copy().digest()


def attend(
    module: Any, query: Any, keys: list[Any], values: list[Any], attention_mask: Any = None, **settings: Any
) -> tuple[Any, None]:
    """Causal attention of each row over its own keys, by the kernel that `transformers` uses; idle rows give 0."""
    torch, sdpa = library("torch"), library("transformers.integrations.sdpa_attention").sdpa_attention_forward
    new, window = query.shape[2], settings.get("sliding_window") or 0
    found = []
    for one, row_keys, row_values in zip(query.split(1), keys, values, strict=False):
        seen = row_keys.shape[2]
        if new == 1 and window:
            row_keys, row_values = row_keys[:, :, -window:], row_values[:, :, -window:]  # noqa: PLW2901
        mask = _mask(new, seen, window, query.device) if new > 1 else None
        found.append(sdpa(module, one, row_keys, row_values, mask, **settings)[0])
    idle = query.shape[0] - len(found)
    if idle:
        found.append(found[0].new_zeros((idle, *found[0].shape[1:])))
    return torch.cat(found), None


def use_rows(model: Any) -> dict[str, int]:
    """Makes a model attend row by row; returns what to pass to it so that it gives the logits of the last token alone.

    Raises:
        UsageError: it then gives other logits than before: its layers are not plain attention with keys and values.
    """
    torch = library("torch")
    ids = torch.arange(4, device=model.device)[None]
    keep_last = {"logits_to_keep": 1} if "logits_to_keep" in signature(model.forward).parameters else {}
    library("transformers").AttentionInterface.register(ATTENTION, attend)
    with torch.inference_mode():
        expected = model(input_ids=ids, use_cache=False).logits[0, -1]
        try:
            model.set_attn_implementation(ATTENTION)
            row = Row(64)
            for begin, end in ((0, 2), (2, 3), (3, 4)):
                options = {"position_ids": ids[:, begin:end], "past_key_values": Rows([row]), "use_cache": True}
                found = model(input_ids=ids[:, begin:end], **options, **keep_last).logits[0, -1]
                row.length = end
        except Exception as error:
            raise UsageError(f"a {type(model).__name__} cannot be run row by row: {error}") from error
    share = 0.001 if model.dtype == torch.float32 else 0.1
    if not bool((found - expected).abs().max() <= share * expected.abs().max()):
        raise UsageError(f"a {type(model).__name__} gives other logits when it is run row by row; it cannot be used.")
    return keep_last


@lru_cache(maxsize=4)
def _mask(new: int, seen: int, window: int, device: Any) -> Any:
    """Which of the tokens seen each of the new ones, the last of them, may look at."""
    torch = library("torch")
    at, to = torch.arange(seen - new, seen, device=device)[:, None], torch.arange(seen, device=device)
    allowed = to <= at
    return (allowed & (to > at - window) if window else allowed)[None, None]


def _size(block: Sequence[tuple[Any, Any]]) -> int:
    return sum(int(part.nbytes) for pair in block for part in pair)
