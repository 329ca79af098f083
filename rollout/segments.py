"""What models sampled, as learners take it: runs of turns whose token ids follow one another without a break."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from murk.envs.records import Sampled, Trajectory


@dataclass(frozen=True, slots=True)
class Segment:
    """The token ids of a run of turns, as a model read and sampled them.

    Attributes:
        token_ids: Prompts and turns in their order.
        mask: True where a token was sampled; only there is something to learn.
        logprobs: Log-probability, natural, of each sampled token as it was drawn; 0 where `mask` is False.
    """

    token_ids: tuple[int, ...]
    mask: tuple[bool, ...]
    logprobs: tuple[float, ...]


def prefix_of(ids: Sequence[int]) -> str:
    """A digest of token ids, 16 hex digits of blake2b over them as little-endian 64-bit integers.

    >>> prefix_of([1, 2]) == prefix_of((1, 2)) != prefix_of([12])
    True
    """
    return blake2b(np.asarray(ids, "<i8").tobytes(), digest_size=8).hexdigest()


def segments(trajectory: Trajectory) -> list[Segment]:
    """The segments of an episode in their order; none where its policy knew no token ids.

    Raises:
        ValueError: a turn has not one log-probability for each token, or does not continue the turn before it although
            it says so: the record is damaged.
    """
    runs: list[list[Sampled]] = []
    ids: list[int] = []
    for number, turn in enumerate(trajectory.sampled):
        if len(turn.token_ids) != len(turn.logprobs):
            counts = f"{len(turn.token_ids)} tokens and {len(turn.logprobs)} log-probabilities"
            raise ValueError(f"turn {number} of episode {trajectory.id or '?'} has {counts}.")
        if not turn.prefix:
            runs.append([])
            ids = []
        elif turn.prefix != prefix_of(ids):
            raise ValueError(f"turn {number} of episode {trajectory.id or '?'} does not continue the turn before it.")
        runs[-1].append(turn)
        ids += turn.prompt_ids + turn.token_ids
    return [joined for run in runs if (joined := _joined(run)).token_ids]


def _joined(turns: Sequence[Sampled]) -> Segment:
    ids: list[int] = []
    mask: list[bool] = []
    logprobs: list[float] = []
    for turn in turns:
        ids += turn.prompt_ids + turn.token_ids
        mask += [False] * len(turn.prompt_ids) + [True] * len(turn.token_ids)
        logprobs += [0.0] * len(turn.prompt_ids) + list(turn.logprobs)
    return Segment(tuple(ids), tuple(mask), tuple(logprobs))
