"""murk's world and the agent's place in it. Importing this registers `murk/DeepResearch-v0` with gymnasium."""

from importlib import import_module
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
    from murk.envs.faults.faulty import FaultyWorld

__all__ = [
    "Budget",
    "DeepResearchEnv",
    "FaultyWorld",
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


_LAZY = {"DeepResearchEnv": "murk.envs.deep_research", "FaultyWorld": "murk.envs.faults.faulty"}


def __getattr__(name: str) -> Any:
    """Imports the larger parts only where they are used, so that a process that only reads a snapshot starts faster."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
