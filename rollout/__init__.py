"""Rollouts: policies run in environments; and the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from murk.rollout.episode import run_episode

__all__ = ["run_episode"]


def __getattr__(name: str) -> Any:
    """Imports `run_episode` when it is asked for, so that the light commands start fast."""
    if name == "run_episode":
        from murk.rollout.episode import run_episode

        return run_episode
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
