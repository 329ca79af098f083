"""`todo`: the agent's plan as a list of items (Step-DeepResearch, open tool of that name)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.desk import Desk

MAX_ITEMS = 200
MAX_ID = 80
MAX_TEXT = 2_000
CHOICES = {
    "status": ("pending", "in_progress", "completed", "blocked"),
    "priority": ("low", "medium", "high", "critical"),
}
FIELDS = ("task", "status", "priority", "details", "dependencies", "tags")


@dataclass(frozen=True, slots=True)
class TodoTool:
    """Keeps a plan."""

    instant = True
    description = (
        "Keep a plan. updates maps the id of an item to its fields (task, status, priority, details, dependencies, "
        "tags); an item with a task is written anew, one without is changed, null removes it, {} only shows the plan."
    )

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {"updates": {"type": "object", "default": {}, "description": "items to change by id"}},
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "plan"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        items = dict(desk.todo)
        for name, change in arguments["updates"].items():
            problem = _apply(items, name, change)
            if problem:
                return f"Error: {problem} Nothing was changed."
        if len(items) > MAX_ITEMS:
            return f"Error: {len(items)} items; allowed are {MAX_ITEMS}. Nothing was changed."
        desk.todo = items
        return json.dumps(items, ensure_ascii=False, indent=1) if items else "(the plan is empty)"


def _apply(items: dict[str, dict[str, object]], name: str, change: Any) -> str | None:
    """Changes one item; returns what is wrong with the change, if anything."""
    if not 0 < len(name) <= MAX_ID:
        return f"the id {name[:40]!r} has {len(name)} characters; allowed are 1 to {MAX_ID}."
    if change is None:
        items.pop(name, None)
        return None
    if not isinstance(change, dict):
        return f"item {name!r} must be a mapping of fields, or null to remove it."
    for field, value in change.items():
        problem = _wrong(field, value)
        if problem:
            return f"item {name!r}: {problem}"
    if name not in items and "task" not in change:
        return f"item {name!r} is not in the plan; a new item needs a task."
    start: dict[str, object] = {"status": "pending"} if "task" in change else dict(items[name])
    items[name] = {field: (start | change)[field] for field in FIELDS if field in start | change}
    return None


def _wrong(field: str, value: Any) -> str | None:
    if field not in FIELDS:
        return f"unknown field {field[:40]!r}; known are {', '.join(FIELDS)}."
    if field in CHOICES:
        return None if value in CHOICES[field] else f"{field} must be one of {', '.join(CHOICES[field])}."
    if field in ("dependencies", "tags"):
        right = (
            isinstance(value, list) and len(value) <= 50 and all(isinstance(v, str) and len(v) <= MAX_ID for v in value)
        )
        return None if right else f"{field} must be a list of at most 50 short texts."
    return (
        None if isinstance(value, str) and len(value) <= MAX_TEXT else f"{field} must be a text of at most {MAX_TEXT}."
    )
