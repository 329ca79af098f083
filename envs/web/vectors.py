"""Meaning as vectors: the interface of embedders, and the vectors of a snapshot's passages.

An `Embedder` turns texts into vectors of length 1. Those of all passages are made when a snapshot is built
(`build_vectors`), quantised to int8 and memory-mapped; `dense` orders results by them. A product of two int8 vectors
is an exact integer, so given the vectors a ranking is the same to the last bit in every process.

Files: `vectors` (int8, passages x dim) and `vectors.json` (name and dimension of the embedder).
"""

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from murk.envs.codec import canonical_json
from murk.envs.errors import SnapshotError, UsageError
from murk.envs.web.columns import Strings, check_regular, load_array, new_array
from murk.envs.web.text import without_targets

ONE = 127 * 127
BATCH = 1_024

_Int8s = NDArray[np.int8]
_Ints = NDArray[np.int64]


class Embedder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: What makes the vectors what they are, the digest of a model included: equal names, equal vectors up to
            rounding.
        dim: Length of a vector.
    """

    name: str
    dim: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, float32 of shape (n, dim), each of length 1 (or 0, for a text without meaning)."""


@runtime_checkable
class Portable(Protocol):
    """An embedder small enough to be kept in the snapshots that are built with it."""

    def store(self, folder: Path) -> None:
        """Writes what it needs into the folder of a snapshot that is being built."""


def library(name: str) -> Any:
    """Imports a library of the extra `dense`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed; pip install 'murk-gym[dense]' brings it. ({error})") from error


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length 1; those of length 0 stay. Shape (n, dim)."""
    lengths = np.sqrt(np.square(vectors).sum(1, keepdims=True))
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = vectors / lengths
    return scaled


def quantise(vectors: NDArray[np.float32]) -> _Int8s:
    """Vectors of length 1 as int8: 127 times each component, rounded to the nearest integer. Shape (n, dim)."""
    rounded: _Int8s = np.clip(np.rint(vectors * np.float32(127)), -127, 127).astype(np.int8)
    return rounded


def build_vectors(folder: Path, embedder: Embedder, progress: Callable[[str, int, int], None]) -> None:
    """Writes the vectors of all passages into the folder of a snapshot that is being built.

    A passage is embedded with the title of its page before it. A batch is in memory at a time.

    Args:
        folder: Holds the columns and the index, the manifest not yet.
        embedder: Makes the vectors; one that is `Portable` is kept in the snapshot.
        progress: Called with `embedding`, how many passages are done, and of how many.
    """
    texts, titles = Strings(folder, "text"), Strings(folder, "title")
    spans = load_array(folder, "spans", np.int32).reshape(-1, 2)
    page_of = load_array(folder, "spans.page", np.int32)
    captures = load_array(folder, "pages.captures", np.int64)
    newest = captures[load_array(folder, "pages.capture_starts", np.int64)[1:] - 1]
    vectors = new_array(folder, "vectors", np.int8, len(spans) * embedder.dim).reshape(-1, embedder.dim)
    for start in range(0, len(spans), BATCH):
        part = slice(start, min(start + BATCH, len(spans)))
        owners = newest[page_of[part]]
        cuts = texts.parts(owners, spans[part, 0].tolist(), spans[part, 1].tolist())
        batch = [f"{title}\n{without_targets(cut)}" for title, cut in zip(titles.many(owners), cuts, strict=True)]
        vectors[part] = quantise(embedder.embed(batch))
        progress("embedding", part.stop, len(spans))
    about = {"embedder": embedder.name, "dim": embedder.dim}
    (folder / "vectors.json").write_text(canonical_json(about), "utf-8")
    if isinstance(embedder, Portable):
        embedder.store(folder)


class PassageVectors:
    """The vectors of a snapshot's passages, memory-mapped.

    Args:
        folder: The snapshot.
        embedder: Name of the embedder that queries are embedded with.
        page_starts: First passage of each page, and at the end the number of passages; int64, shape (pages + 1,).

    Raises:
        UsageError: the snapshot has no vectors, or those of another embedder.
        SnapshotError: they are damaged.
    """

    def __init__(self, folder: Path, embedder: str, page_starts: _Ints) -> None:
        if not (folder / "vectors.json").exists():
            raise UsageError(f"{folder} was built without vectors; rerank with {embedder} needs one built with it.")
        made_by, self.dim = _about(folder)
        if made_by != embedder:
            raise UsageError(f"the vectors of {folder} were made by {made_by}, the reranker asks with {embedder}.")
        vectors = load_array(folder, "vectors", np.int8)
        if len(vectors) != int(page_starts[-1]) * self.dim:
            raise SnapshotError(f"vectors.npy of {folder} does not have {self.dim} numbers a passage: damaged.")
        self._vectors, self._starts = vectors.reshape(-1, self.dim), page_starts

    def nearest(self, pages: _Ints, query: _Int8s) -> _Ints:
        """Product of a query's vector (int8, shape (dim,)) and that of each page's nearest passage, shape (pages,)."""
        wanted = query.astype(np.int32)
        starts, ends = self._starts[pages].tolist(), self._starts[pages + 1].tolist()
        # Page by page, since a long document may have more passages than all the others together.
        best = [int((self._vectors[a:b].astype(np.int32) @ wanted).max()) for a, b in zip(starts, ends, strict=True)]
        return np.array(best, np.int64)


def _about(folder: Path) -> tuple[str, int]:
    """Name and dimension of the embedder whose vectors lie in a snapshot."""
    check_regular(folder / "vectors.json")
    try:
        about = json.loads((folder / "vectors.json").read_bytes())
        name, dim = about["embedder"], about["dim"]
        if not isinstance(name, str) or not isinstance(dim, int) or dim < 1:
            raise ValueError("no name and dimension")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotError(f"vectors.json of {folder} is damaged: {error}.") from None
    return name, dim
