"""What episodes took: what they spent, and their calls by atomic capability (plan, seek, verify, report)."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from murk.envs.budget import LIMITED
from murk.envs.tools import CAPABILITIES


class Effort:
    """Sums over the episodes of a group."""

    def __init__(self) -> None:
        self._episodes = 0
        self._spent = dict.fromkeys(LIMITED, 0.0)
        self._calls: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts an episode in.

        Args:
            row: Of a run's table, with `spending` and `steps`.
        """
        self._episodes += 1
        spending = json.loads(row["spending"])
        for name in LIMITED:
            self._spent[name] += spending.get(name, 0.0)
        for step in row["steps"]:
            self._calls.update(json.loads(step)["capabilities"])

    def means(self) -> dict[str, dict[str, float]]:
        """Means over the episodes: `spent`, by what may be spent, and `capabilities`, the calls of each."""
        spent = {name: round(amount / self._episodes, 6) for name, amount in self._spent.items()}
        calls = {name: round(self._calls[name] / self._episodes, 6) for name in CAPABILITIES}
        return {"spent": spent, "capabilities": calls}
