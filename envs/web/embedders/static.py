"""A static embedder: a table of token vectors distilled from a sentence model, needing no model to be read.

Distilling passes every token of the vocabulary through the sentence model once, turns the vectors so that the first
`DIM` dimensions hold most of their variance (PCA), and weighs each token down by how common it is, `A / (A + p)`
(Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings"), where its probability `p` is that
of its rank under Zipf's law: vocabularies list common tokens first. A text's vector is the sum of its tokens' rows.

Rows are int16, so that sums are exact and a text has the same vector, to the last bit, on every processor.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.errors import SnapshotError, UsageError
from murk.envs.web.columns import check_regular, load_array, save_array
from murk.envs.web.embedders.sentence import SentenceFolder
from murk.envs.web.vectors import library

DIM = 256
A = 1e-4
MAX_TOKENS = 512
_PREFIX = "static."


class StaticTable:
    """An embedder that looks tokens up in a table.

    Args:
        table: A row for each token number, int16 of shape (tokens, dim).
        tokenizer: JSON of a tokenizer of the `tokenizers` library.

    Attributes:
        name: `static:` and a digest of the table and the tokenizer.
        dim: Length of a vector.

    Raises:
        UsageError: the tokenizer cannot be read, or the library is not installed.
    """

    def __init__(self, table: NDArray[np.int16], tokenizer: str) -> None:
        self.table, self.tokenizer = table, tokenizer
        self._tokenizer = _tokenizer(tokenizer)
        digest = sha256(str(table.shape).encode() + tokenizer.encode())
        digest.update(np.ascontiguousarray(table).data)
        self.name = f"static:{digest.hexdigest()[:16]}"
        self.dim = int(table.shape[1])
        last = max(self._tokenizer.get_vocab().values(), default=-1)
        if last >= len(table):
            raise UsageError(f"the static table has {len(table)} rows, but its tokenizer knows token {last}: damaged.")

    def __repr__(self) -> str:
        return f"StaticTable({self.name!r}, tokens={len(self.table)}, dim={self.dim})"

    @classmethod
    def open(cls, folder: Path, prefix: str = "") -> "StaticTable":
        """Reads the table that `store` wrote.

        Raises:
            SnapshotError: a file is missing or damaged.
            UsageError: the tokenizer cannot be read, or the library is not installed.
        """
        table = load_array(folder, f"{prefix}table", np.int16, ndim=2)
        path = folder / f"{prefix}tokenizer.json"
        check_regular(path)
        try:
            return cls(table, path.read_text("utf-8"))
        except UnicodeDecodeError as error:
            raise SnapshotError(f"{path.name} is damaged: {error}") from None

    @classmethod
    def of(cls, snapshot: Path) -> "StaticTable":
        """Reads the table that is kept in a snapshot built with it. Raises as `open` does."""
        return cls.open(snapshot, _PREFIX)

    def store(self, folder: Path, prefix: str = _PREFIX) -> None:
        """Writes `table.npy` and `tokenizer.json` into a folder, with a prefix in their names."""
        save_array(folder, f"{prefix}table", self.table)
        (folder / f"{prefix}tokenizer.json").write_text(self.tokenizer, "utf-8")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, float32 of shape (n, dim), each of length 1; 0 where no token is known."""
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, encoding in enumerate(self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)):
            total = self.table[encoding.ids[:MAX_TOKENS]].sum(0, dtype=np.int64)
            # Integers until here, then operations that IEEE 754 rounds in one way only: equal on every processor.
            length = np.sqrt(np.float64((total * total).sum()))
            out[row] = total / length if length else 0
        return out


def distil(model: SentenceFolder, out: Path | None = None, dim: int = DIM) -> StaticTable:
    """Distils a static table from a sentence model, in about 20 s for a vocabulary of 30,000 on two cores.

    Args:
        model: What to distil.
        out: Folder to write the table to, made if missing; None to keep it in memory.
        dim: Length of a vector, at most that of the model.
    """
    tokenizer = _tokenizer((model.folder / "tokenizer.json").read_text("utf-8"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {int(number) for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    numbers = np.array(sorted(set(tokenizer.get_vocab().values()) - special), np.int64)
    vectors = _principal(model.embed_tokens(numbers), dim)
    table = np.zeros((max(tokenizer.get_vocab().values()) + 1, vectors.shape[1]), np.float64)
    table[numbers] = vectors * _weights(len(numbers))[:, None]
    scale = 32_767 / max(float(np.abs(table).max()), 1e-12)
    static = StaticTable(np.rint(table * scale).astype(np.int16), tokenizer.to_str())
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        static.store(out, "")
    return static


def _principal(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float64]:
    """Coordinates along the `dim` principal axes of the vectors, shape (n, dim)."""
    centred = vectors.astype(np.float64)
    centred -= centred.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:dim]
    # An axis may come out either way round: its largest component is made positive.
    largest = np.abs(axes).argmax(1)
    axes *= np.sign(axes[np.arange(len(axes)), largest])[:, None]
    reduced: NDArray[np.float64] = centred @ axes.T
    return reduced


def _weights(count: int) -> NDArray[np.float64]:
    """Weight of the tokens by rank, shape (count,)."""
    share = 1 / np.arange(1, count + 1)
    weights: NDArray[np.float64] = A / (A + share / share.sum())
    return weights


def _tokenizer(text: str) -> Any:
    try:
        return library("tokenizers").Tokenizer.from_str(text)
    except UsageError:
        raise
    except Exception as error:  # the library raises plain Exception
        raise UsageError(f"the tokenizer cannot be read: {error}") from error
