"""Chats for supervised fine-tuning: a JSON line each, with `messages` of the roles system, user, assistant and tool.

The messages are those of the record, in the dialect of the run, calls and answer written out by the policy; the system
prompt lists the tools, and `tools` gives their schemas again for templates that want them. Where a model's token ids
were recorded, `segments` has them exactly as they were sampled, with a mask that is true where the model wrote.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.tools import profile
from murk.rollout.formats import Source
from murk.rollout.rows import from_row
from murk.rollout.segments import segments


def write(rows: Iterable[Mapping[str, Any]], out: Path, source: Source) -> None:
    """Writes a file of JSON lines."""
    tools = schemas(source.config)
    with out.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(_line(row, tools), ensure_ascii=False, separators=(",", ":")) + "\n")


def schemas(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools of a run as OpenAI functions; none where they cannot be made here."""
    try:
        return [offer.schema for offer in profile(config["env"]["tools"]).values()]
    except UsageError:
        return []


def _line(row: Mapping[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any]:
    line = {"messages": row["messages"], "tools": tools}
    line |= {name: row[name] for name in ("id", "task", "policy", "reward")}
    if row["sampled"]:
        line["segments"] = [asdict(segment) for segment in segments(from_row(row))]
    return line
