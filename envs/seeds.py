"""Seeds and draws: every random choice is a function of names, so that no order of work can change it."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from murk.envs.codec import canonical_json

_T = TypeVar("_T")


def derive(seed: int, *names: str | int | float) -> int:
    """A 64-bit seed from another seed and names, by blake2b over their canonical JSON.

    >>> derive(0, "task", 1) == derive(0, "task", 1) != derive(0, "task", 2)
    True
    """
    text = canonical_json([seed, *names]).encode("utf-8", "replace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def uniform(seed: int, *names: str | int | float) -> float:
    """A number in [0, 1) with 53 bits, from a seed and names."""
    return (derive(seed, *names) >> 11) / (1 << 53)


class Draws:
    """A stream of choices under one seed, for generators that make many: the n-th draw is a function of seed and n."""

    def __init__(self, seed: int, *names: str | int | float) -> None:
        self._state = derive(seed, *names)

    def bits(self) -> int:
        """The next 64 bits (SplitMix64)."""
        mask = (1 << 64) - 1
        self._state = (self._state + 0x9E3779B97F4A7C15) & mask
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def below(self, count: int) -> int:
        """An integer from 0 to count - 1."""
        return (self.bits() * count) >> 64

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return (self.bits() >> 11) / (1 << 53)

    def pick(self, items: Sequence[_T]) -> _T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[_T], count: int) -> list[_T]:
        """`count` different places of the items in random order; all of them where there are fewer."""
        pool = list(items)
        for i in range(min(count, len(pool))):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]
