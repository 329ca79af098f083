"""murk's world and the agent's place in it. Importing this registers `murk/DeepResearch-v0` with gymnasium."""

import gymnasium

from murk.envs.budget import Budget
from murk.envs.errors import MurkError, NotInSnapshot, SnapshotError, UnknownName, UsageError
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot

__all__ = ["Budget", "MurkError", "NotInSnapshot", "Snapshot", "SnapshotError", "Task", "UnknownName", "UsageError"]

gymnasium.register(id="murk/DeepResearch-v0", entry_point="murk.envs.deep_research:DeepResearchEnv")
