"""A space of Unicode text, which gymnasium's own `Text` is not: any characters, and shared memory between processes."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.spaces import Text, Tuple
from gymnasium.vector.utils import batch_differing_spaces
from gymnasium.vector.utils.shared_memory import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

_SAMPLED = "".join(map(chr, range(32, 127))) + "äéßøžαβγжшю中文字日本語한국어🌍\n\t"
_TEMPLATE = Text(1, min_length=0, charset=_SAMPLED)


class UnicodeText(Text):
    """All texts of at most `max_length` characters. `sample` draws short ones from several scripts."""

    def __init__(self, max_length: int, seed: Any = None) -> None:
        vars(self).update(vars(_TEMPLATE))  # all spaces share its tables of characters: they are large and slow to make
        self.max_length = max_length
        if seed is not None:
            self.seed(seed)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        if mask is not None or probability is not None:
            raise ValueError("a space of Unicode text has no masks")
        size = int(self.np_random.integers(0, min(self.max_length, 200) + 1))
        return "".join(_SAMPLED[i] for i in self.np_random.integers(0, len(_SAMPLED), size))

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and self.max_length == other.max_length

    __hash__ = None  # type: ignore[assignment]


@batch_differing_spaces.register(UnicodeText)  # it looks at the first space, not at the sequence
def _batch(spaces: Sequence[UnicodeText]) -> "Tuple[Any]":  # type: ignore[misc]
    """Texts of several environments side by side, as gymnasium has them where the spaces need not be equal."""
    return Tuple(spaces)


# One row an environment: the number of characters, then the characters as UTF-32 code points.


@create_shared_memory.register(UnicodeText)
def _create(space: UnicodeText, n: int, ctx: ModuleType) -> Any:
    return ctx.Array("i", n * (space.max_length + 1))


@write_to_shared_memory.register(UnicodeText)
def _write(space: UnicodeText, index: int, value: str, shared_memory: Any) -> None:
    row = _rows(space, shared_memory)[index]
    codes = np.frombuffer(value.encode("utf-32-le", "surrogatepass"), np.int32)[: space.max_length]
    row[0] = len(codes)
    row[1 : len(codes) + 1] = codes


@read_from_shared_memory.register(UnicodeText)
def _read(space: UnicodeText, shared_memory: Any, n: int) -> "SharedTexts":
    return SharedTexts(_rows(space, shared_memory)[:n])


class SharedTexts(Sequence[str]):
    """The texts in shared memory as they are now. Gymnasium reads the memory once and expects a view of it, which texts
    have none; a deep copy, which it returns from every step, is a plain tuple."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return tuple(self)[i]
        row = self._rows[i]
        return row[1 : row[0] + 1].tobytes().decode("utf-32-le", "surrogatepass")

    def __deepcopy__(self, memo: Any) -> tuple[str, ...]:
        return tuple(self)


def _rows(space: UnicodeText, shared_memory: Any) -> Any:
    return np.frombuffer(shared_memory.get_obj(), np.int32).reshape(-1, space.max_length + 1)
