"""Passes of a causal model over rows of tokens, and draws from what they give."""

from collections.abc import Mapping, Sequence
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.web.vectors import library
from murk.rollout.policies.kv_rows import BLOCK, Blocks, Row, Rows, block_keys, use_rows


class Forward:
    """A model that reads prompts block by block, and goes on by one token of each row in a batch of fixed size.

    Args:
        model: Of `transformers`.
        size: Rows of the batch.
        cache: Bytes of keys and values that are kept of prompts.

    Raises:
        UsageError: the model cannot be run row by row.
    """

    def __init__(self, model: Any, size: int, cache: int) -> None:
        self.model, self.blocks = model.eval(), Blocks(cache)
        self._torch, self._size = library("torch"), size
        self._options = use_rows(model) | {"use_cache": True}

    def read(self, row: Row, ids: Sequence[int]) -> Any:
        """Reads a prompt into an empty row; logits after its last token, of shape (1, vocabulary)."""
        keys = list(block_keys(ids))
        while row.length + BLOCK < len(ids) and (kept := self.blocks.get(keys[row.length // BLOCK])):
            row.append(kept)
        row.reused = row.length
        logits = None
        while row.length < len(ids):
            begin = row.length
            logits = self._pass([row], [list(ids[begin : begin + BLOCK])], 1)
            if row.length == begin + BLOCK:
                self.blocks.put(keys[begin // BLOCK], row.block(begin))
        return logits

    def step(self, rows: Sequence[Row], tokens: Sequence[int]) -> Any:
        """Reads one more token of each row; logits after it, of shape (size, vocabulary), those of idle rows last."""
        return self._pass(rows, [[token] for token in tokens], self._size)

    def load(self, weights: Mapping[str, Any]) -> None:
        """Puts in new weights, and forgets what the old ones gave.

        Raises:
            UsageError: names or shapes are not those of the model's `state_dict`; nothing is changed.
        """
        own = self.model.state_dict()
        wrong = [name for name in own if name not in weights or own[name].shape != weights[name].shape]
        wrong += [name for name in weights if name not in own]
        if wrong:
            names = ", ".join(wrong[:3])
            raise UsageError(f"weights are missing, unknown or of another shape than the model's: {names}.")
        self.model.load_state_dict(weights)
        self.blocks.clear()

    def draw(self, logits: Any, heats: Sequence[float], draws: Sequence[float]) -> list[tuple[int, float]]:
        """A token of each row and its probability, which is nan where logits are not finite.

        Args:
            logits: Of at least as many rows as there are draws.
            heats: The temperature of each row; at 0 the likeliest token is taken, and told as of temperature 1.
            draws: A number of [0, 1) for each row, at which its cumulative distribution is inverted.
        """
        torch, idle = self._torch, logits.shape[0] - len(draws)
        logits = logits.to(torch.float64)
        chances = torch.softmax(logits / self._tensor([heat or 1.0 for heat in heats] + [1.0] * idle)[:, None], -1)
        sums = chances.cumsum(-1)
        levels = self._tensor([*draws, *[0.0] * idle]) * sums[:, -1]
        drawn = torch.searchsorted(sums, levels[:, None], right=True).clamp(max=logits.shape[-1] - 1)
        greedy = self._tensor([not heat for heat in heats] + [True] * idle)[:, None]
        tokens = torch.where(greedy, logits.argmax(-1, keepdim=True), drawn)
        found = zip(tokens[:, 0].tolist(), chances.gather(-1, tokens)[:, 0].tolist(), strict=True)
        return list(found)[: len(draws)]

    def _pass(self, rows: Sequence[Row], ids: Sequence[list[int]], size: int) -> Any:
        count = len(ids[0])
        idle = [[0] * count] * (size - len(rows))
        places = [list(range(row.length, row.length + count)) for row in rows]
        out = self.model(
            input_ids=self._tensor([*ids, *idle]),
            position_ids=self._tensor([*places, *idle]),
            past_key_values=Rows(rows),
            **self._options,
        )
        for row in rows:
            row.length += count
        return out.logits[:, -1]

    def _tensor(self, values: Sequence[Any]) -> Any:
        dtype = self._torch.float64 if isinstance(values[0], float) else None
        return self._torch.tensor(values, dtype=dtype, device=self.model.device)
