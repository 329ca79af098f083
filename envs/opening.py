"""The web of an environment, opened by its settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from murk.envs.errors import UnknownName, UsageError
from murk.envs.records import World
from murk.envs.web.dense import Reranker
from murk.envs.web.snapshot import Snapshot

_RERANK = ("embedder", "top", "weight")


def open_web(snapshot: str | Path | World, authority: bool, rerank: Mapping[str, Any] | None) -> World:
    """Opens a snapshot.

    Args:
        snapshot: Its folder, or a world that is open already.
        authority: Whether authority lifts results where relevance is close.
        rerank: How the first results are reranked by meaning: `embedder`, a name as
            `murk.envs.web.embedders.embedder` has it, and where wanted `top` and `weight` as `Reranker` has them.

    Raises:
        UsageError: a setting is wrong, or is given for a world that is open already.
    """
    if isinstance(snapshot, str | Path):
        reranker = None if rerank is None else _reranker(rerank, snapshot)
        return Snapshot.open(snapshot, authority=authority, rerank=reranker)
    if not hasattr(snapshot, "answer"):
        raise UsageError(f"snapshot is {snapshot!r}; allowed are the folder of a snapshot, or a world.")
    if not authority or rerank is not None:
        raise UsageError(f"authority and rerank need the folder of a snapshot; {snapshot!r} is a world open already.")
    return snapshot


def base_of(world: World) -> Snapshot | None:
    """The snapshot behind a world: itself, or that of a recording; None for other worlds."""
    found = getattr(world, "snapshot", world)
    return found if isinstance(found, Snapshot) else None


def _reranker(settings: Mapping[str, Any], folder: str | Path) -> Reranker:
    from murk.envs.web.embedders import embedder

    if not isinstance(settings, Mapping) or not isinstance(settings.get("embedder"), str):
        raise UsageError(f"rerank is {settings!r}; allowed are null or a mapping that names an embedder.")
    for name, value in settings.items():
        if name not in _RERANK:
            raise UnknownName("setting of rerank", str(name), _RERANK)
        if name != "embedder" and (not isinstance(value, int) or isinstance(value, bool)):
            raise UsageError(f"{name} of rerank is {value!r}; allowed are whole numbers.")
    numbers = {name: value for name, value in settings.items() if name != "embedder"}
    return Reranker(embedder(settings["embedder"], folder), **numbers)
