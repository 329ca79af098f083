"""`budget`: what may still be spent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.budget import SPENT
from murk.envs.desk import Desk


@dataclass(frozen=True, slots=True)
class BudgetTool:
    """Tells the budget."""

    instant = True
    description = "Show what you have spent (tool calls, tokens, simulated seconds, money) and what is left."

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"type": "object", "properties": {}}

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "plan"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        spent = desk.spent
        return json.dumps({"spent": {name: getattr(spent, name) for name in SPENT}, "left": desk.budget.left(spent)})
