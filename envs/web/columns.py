"""The files of a snapshot: memory-mapped arrays, and columns of strings that are read by number.

An array is one `.npy` file. A column of strings is the UTF-8 texts on end (`.bin`) and their byte offsets
(`.offsets.npy`, int64, one more than there are strings). Both are shared by all processes that open them, need no
parsing at start and work from a read-only file system. Object arrays, and with them pickles, are refused.
"""

import mmap
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import SnapshotError


class Strings:
    """A read-only column of strings. Indexing decodes one string; `data(i)` gives its bytes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.offsets: NDArray[np.int64] = load_array(folder, f"{name}.offsets", np.int64)
        self._bytes = map_bytes(folder / f"{name}.bin")
        if not len(self.offsets) or int(self.offsets[-1]) != len(self._bytes):
            raise SnapshotError(f"{name}.bin does not have the size that {name}.offsets.npy tells.")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> str:
        return self.data(i).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def data(self, i: int) -> bytes:
        """Bytes of string `i`."""
        return self._bytes[int(self.offsets[i]) : int(self.offsets[i + 1])]

    def parts(self, numbers: NDArray[np.int64], starts: Sequence[int], ends: Sequence[int]) -> list[str]:
        """Characters in a byte range of each of some strings."""
        bases, limits = self.offsets[numbers].tolist(), self.offsets[numbers + 1].tolist()
        return [
            self._bytes[base + start : min(base + end, limit)].decode("utf-8", "replace")
            for base, limit, start, end in zip(bases, limits, starts, ends, strict=True)
        ]

    def many(self, numbers: NDArray[np.int64]) -> list[str]:
        """Some strings."""
        starts, ends = self.offsets[numbers].tolist(), self.offsets[numbers + 1].tolist()
        return [self._bytes[a:b].decode("utf-8", "replace") for a, b in zip(starts, ends, strict=True)]


class StringsWriter:
    """Writes a column of strings one by one; only the offsets are kept in memory."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._file = (folder / f"{name}.bin").open("wb")
        self._ends: list[int] = [0]

    def append(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def close(self) -> None:
        self._file.close()
        save_array(self._folder, f"{self._name}.offsets", np.array(self._ends, np.int64))


def write_strings(folder: Path, name: str, texts: Iterable[str]) -> None:
    """Writes a whole column."""
    writer = StringsWriter(folder, name)
    for text in texts:
        writer.append(text)
    writer.close()


def save_array(folder: Path, name: str, array: NDArray[Any]) -> None:
    """Writes an array as `name.npy`."""
    np.save(folder / f"{name}.npy", array, allow_pickle=False)


def new_array(folder: Path, name: str, dtype: type, length: int) -> NDArray[Any]:
    """Makes `name.npy` and returns it memory-mapped for writing, so that it may be larger than memory."""
    if not length:
        save_array(folder, name, np.zeros(0, dtype))
        return np.zeros(0, dtype)
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(length,))


def load_array(folder: Path, name: str, dtype: type, ndim: int = 1) -> NDArray[Any]:
    """Maps `name.npy` read-only.

    Raises:
        SnapshotError: the file is missing, a link, or not an array of this type and number of dimensions.
    """
    path = folder / f"{name}.npy"
    check_regular(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, KeyError, OverflowError) as error:
        if _is_empty_array(path, dtype, ndim):
            return np.zeros((0,) * ndim, dtype)
        raise SnapshotError(f"{path.name} is not a readable array: {error}.") from None
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != ndim:
        raise SnapshotError(f"{path.name} is not a {ndim}-dimensional array of {np.dtype(dtype)}.")
    return array.view(np.ndarray)


def map_bytes(path: Path) -> bytes | mmap.mmap:
    """Maps a whole file read-only."""
    check_regular(path)
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def check_regular(path: Path) -> None:
    """Refuses anything but a plain file: a link could lead out of the snapshot.

    Raises:
        SnapshotError: the path is missing or not a plain file.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        raise SnapshotError(f"{path.name} is missing from the snapshot {path.parent}.") from None
    if not stat.S_ISREG(mode):
        raise SnapshotError(f"{path.name} is not a plain file.")


def _is_empty_array(path: Path, dtype: type, ndim: int) -> bool:
    """An array without elements cannot be mapped, only loaded."""
    try:
        array = np.load(path, allow_pickle=False) if path.stat().st_size < 512 else None
    except (ValueError, OSError, EOFError):
        return False
    return isinstance(array, np.ndarray) and array.size == 0 and array.dtype == dtype and array.ndim == ndim
