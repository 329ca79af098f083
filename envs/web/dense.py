"""Optional dense reranking: the first `top` pages by BM25 are ordered anew by what they mean, too. Off by default.

The rule: let `s` be a page's BM25 score, `S` that of the query's best page, and `c` the product of the query's int8
vector and that of the page's passage that is nearest to it, 0 if negative, where `ONE` means the same direction. The
page scores `s + S * weight * c // (100 * ONE)`: a passage that says exactly what the query says is worth `weight`
percent of the best BM25 score. Authority lifts the result as it lifts BM25 scores, and ties go to the lower page
number. Pages after the first `top` follow in their BM25 order, so that a longer list begins with the shorter one.

Floating point differs between processors, and with it now and then the quantised vector of a query: a run keeps those
it used (`QueryVectors`), and a replay of it anywhere takes the kept ones and needs no model at all.
"""

import base64
import json
import re
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from murk.envs.codec import canonical_json
from murk.envs.errors import UsageError
from murk.envs.web.query import MAX_QUERY
from murk.envs.web.search import Ranked
from murk.envs.web.text import words
from murk.envs.web.vectors import ONE, Embedder, build_vectors, quantise

__all__ = ["Embedder", "QueryVectors", "Reranker", "build_vectors", "quantise", "wording"]

TOP = 50
WEIGHT = 100

_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_Int8s = NDArray[np.int8]
_Ints = NDArray[np.int64]


def wording(query: str) -> str:
    """What a query says: without operators and quotes, case and spaces evened out. Equal requests say the same.

    >>> wording('Who made  "Macbeth" -film site:example.org')
    'who made macbeth'
    """
    kept = []
    for phrase, word in _TOKEN.findall(query[:MAX_QUERY].casefold()):
        operator = (word.startswith("site:") and len(word) > 5) or (word.startswith("-") and words(word))
        kept.append("" if operator else phrase or word)
    return " ".join(" ".join(kept).split())


class QueryVectors:
    """Vectors of queries, to be kept with a run so that it can be replayed anywhere and without the model.

    Args:
        embedder: Name of the embedder that made them.
        dim: Length of a vector.
    """

    def __init__(self, embedder: str, dim: int) -> None:
        self.embedder, self.dim = embedder, dim
        self._vectors: dict[str, _Int8s] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    def __repr__(self) -> str:
        return f"QueryVectors({self.embedder!r}, dim={self.dim}, queries={len(self)})"

    def get(self, text: str) -> _Int8s | None:
        """The vector of a query's `wording`, int8 of shape (dim,); None if it is not kept."""
        return self._vectors.get(text)

    def keep(self, text: str, vector: _Int8s) -> _Int8s:
        """Keeps the vector of a query's `wording` unless there is one, and returns the one that is kept."""
        if vector.shape != (self.dim,):
            raise UsageError(f"the vector of a query has shape {vector.shape}, not ({self.dim},).")
        return self._vectors.setdefault(text, vector)

    def update(self, other: "QueryVectors") -> None:
        """Keeps what another process kept, too; queries that both know keep their vector here.

        Raises:
            UsageError: the other ones are of another embedder.
        """
        if (other.embedder, other.dim) != (self.embedder, self.dim):
            raise UsageError(f"query vectors of {other.embedder} cannot join those of {self.embedder}.")
        for text, vector in other._vectors.items():
            self.keep(text, vector)

    def to_json(self) -> str:
        """Canonical JSON: embedder, dim, and the vectors in base64 by query, sorted."""
        vectors = {text: base64.b64encode(vector.tobytes()).decode() for text, vector in self._vectors.items()}
        return canonical_json({"embedder": self.embedder, "dim": self.dim, "vectors": vectors})

    @classmethod
    def from_json(cls, text: str) -> "QueryVectors":
        """Reads what `to_json` wrote.

        Raises:
            UsageError: it is something else.
        """
        try:
            found = json.loads(text)
            kept = cls(str(found["embedder"]), int(found["dim"]))
            for query, data in found["vectors"].items():
                kept.keep(query, np.frombuffer(base64.b64decode(data, validate=True), np.int8))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"these are no query vectors: {error!r}.") from None
        return kept


class Reranker:
    """How to rerank, for `Snapshot.open(folder, rerank=...)`.

    Args:
        embedder: Embeds queries; None to use kept vectors only.
        kept: Vectors of queries that are known; queries that are not are embedded and added.
        top: How many pages to rerank, 1 to 1,000.
        weight: Percent of the best BM25 score that a passage in the query's very direction is worth, 0 to 1,000.

    Attributes:
        name: The embedder's.
        kept: Vectors of all queries so far.

    Raises:
        UsageError: neither embedder nor kept vectors, the two are at odds, or a number is out of range.
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        *,
        kept: QueryVectors | None = None,
        top: int = TOP,
        weight: int = WEIGHT,
    ) -> None:
        for field, value, limits in (("top", top, (1, 1_000)), ("weight", weight, (0, 1_000))):
            if not limits[0] <= value <= limits[1]:
                raise UsageError(f"{field} of the reranker is {value}; allowed are {limits[0]} to {limits[1]}.")
        if embedder is None and kept is None:
            raise UsageError("a reranker needs an embedder, or the query vectors that a run has kept.")
        if embedder is not None and kept is not None and (embedder.name, embedder.dim) != (kept.embedder, kept.dim):
            raise UsageError(f"the kept query vectors were made by {kept.embedder}, the embedder is {embedder.name}.")
        if kept is None:
            assert embedder is not None
            kept = QueryVectors(embedder.name, embedder.dim)
        self.embedder, self.kept, self.top, self.weight = embedder, kept, top, weight
        self.name = kept.embedder
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Reranker({self.name!r}, top={self.top}, weight={self.weight})"

    def vector(self, query: str) -> _Int8s:
        """The vector of a query, int8 of shape (dim,); it is kept.

        Raises:
            UsageError: there is no embedder, and the query is not among the kept ones.
        """
        text = wording(query)
        vector = self.kept.get(text)
        if vector is not None:
            return vector
        if self.embedder is None:
            raise UsageError(f"no vector was kept for the query {text!r}, and there is no {self.name} to make one.")
        with self._lock:  # tokenizers are not safe to share between threads
            return self.kept.keep(text, quantise(self.embedder.embed([text]))[0])

    def order(self, ranked: Ranked, near: _Ints, lift: Callable[[_Ints, _Ints], _Ints] | None) -> Ranked:
        """Orders the first pages of a ranking anew by the rule above.

        Args:
            ranked: Pages by their BM25 score, not lifted.
            near: Product of the query and the nearest passage of each of the first pages, shape (at most `top`,).
            lift: From pages and scores to scores as authority lifts them; None for no lift.
        """
        head = len(near)
        if not head:
            return ranked
        pages, scores = ranked.pages[:head], ranked.scores[:head]
        scores = scores + scores[0] * self.weight * np.maximum(near, 0) // (100 * ONE)
        if lift is not None:
            scores = lift(pages, scores)
        order = np.lexsort((pages, -scores))
        return Ranked(
            np.concatenate([pages[order], ranked.pages[head:]]),
            np.concatenate([scores[order], ranked.scores[head:]]),
            np.concatenate([ranked.passages[:head][order], ranked.passages[head:]]),
            ranked.words,
        )
