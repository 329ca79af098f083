"""Embedders: models that turn texts into vectors for the dense reranking of `murk.envs.web.dense`, one file a kind."""

from pathlib import Path

from murk.envs.errors import UnknownName, UsageError
from murk.envs.web.embedders.sentence import MiniLM, SentenceFolder
from murk.envs.web.embedders.static import StaticTable, distil
from murk.envs.web.vectors import Embedder

__all__ = ["MiniLM", "SentenceFolder", "StaticTable", "distil", "embedder"]

NAMES = ("minilm", "static")


def embedder(spec: str, snapshot: str | Path | None = None) -> Embedder:
    """The embedder that a command line names.

    Args:
        spec: `minilm` (the installed package), `static` (the table kept in a snapshot; while building, one distilled
            from MiniLM in memory), `static:FOLDER` (a table that `distil` wrote), or a sentence-transformers folder,
            as a path with a `/` in it.
        snapshot: Where `static` finds its table; None while building.

    Raises:
        UnknownName: the spec is none of these.
        UsageError: the model is missing, has another digest than it should, or its libraries are not installed.
    """
    kind, _, path = spec.partition(":")
    if spec == "minilm":
        return MiniLM()
    if spec == "static":
        return StaticTable.of(Path(snapshot)) if snapshot else distil(MiniLM())
    if kind == "static":
        return StaticTable.open(Path(path))
    if "/" not in spec and not Path(spec).is_dir():
        raise UnknownName("embedder", spec, [*NAMES, "static:FOLDER", "FOLDER"])
    if not Path(spec).is_dir():
        raise UsageError(f"there is no folder {spec} to load a sentence-transformers model from.")
    return SentenceFolder(Path(spec))
