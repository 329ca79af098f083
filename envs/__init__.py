"""murk's world and the agent's place in it. Importing this registers `murk/DeepResearch-v0` with gymnasium."""

from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.envs.registration import WrapperSpec

from murk.envs.budget import Budget
from murk.envs.checks import check_research_env
from murk.envs.errors import MurkError, NotInSnapshot, SnapshotError, UnknownName, UsageError
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot
from murk.envs.wrappers import ReportErrors

if TYPE_CHECKING:
    from murk.envs.deep_research import DeepResearchEnv

__all__ = [
    "Budget",
    "DeepResearchEnv",
    "MurkError",
    "NotInSnapshot",
    "ReportErrors",
    "Snapshot",
    "SnapshotError",
    "Task",
    "UnknownName",
    "UsageError",
    "check_research_env",
]

gymnasium.register(
    id="murk/DeepResearch-v0",
    entry_point="murk.envs.deep_research:DeepResearchEnv",
    additional_wrappers=(WrapperSpec("PayReward", "murk.rewards.wrapper:PayReward", {}),),
)


def __getattr__(name: str) -> Any:
    """Imports the environment only where it is used, so that a process that only reads a snapshot starts faster."""
    if name == "DeepResearchEnv":
        from murk.envs.deep_research import DeepResearchEnv

        return DeepResearchEnv
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
