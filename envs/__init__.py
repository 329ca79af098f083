"""murk's world and the agent's place in it."""

from murk.envs.errors import MurkError, NotInSnapshot, SnapshotError, UnknownName, UsageError
from murk.envs.web.snapshot import Snapshot

__all__ = ["MurkError", "NotInSnapshot", "Snapshot", "SnapshotError", "UnknownName", "UsageError"]
