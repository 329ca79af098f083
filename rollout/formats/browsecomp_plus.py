"""Run files of BrowseComp-Plus: a JSON file `run_*.json` an episode, as its evaluation reads them.

It reads `query_id` (the task's id), `status` (`completed` if there is an answer), the last item of `result` (the
answer, an `output_text`), `retrieved_docids`, `tool_call_counts`, and `metadata.model`. A document is named by its URL
here, and has to be in its relevance files, too: pages of search results and pages opened count as retrieved. The counts
are of requests: `search` for each query, `get_document` for each page asked for.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from murk.envs.actions import parse
from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tools import profile
from murk.rollout.formats import Source
from murk.rollout.rows import from_row

_NAMES = {"Search": "search", "Open": "get_document", "Links": "links", "Run": "shell", "FileOp": "file"}
_HIT = re.compile(r'"url\\?":\\?"([^"\\\s]+)\\?",\\?"cite')  # in the dialect `openai`, quotes are escaped


def write(rows: Iterable[Mapping[str, Any]], out: Path, source: Source) -> None:
    """Writes a folder of run files.

    Raises:
        UsageError: there are episodes of several policies; an evaluation is of one.
    """
    if len(source.policies) > 1:
        raise UsageError(f"run files are of one policy; choose one by --policy, of {', '.join(source.policies)}.")
    env = source.config["env"]
    tools = list(profile(env["tools"]))
    out.mkdir()
    for row in rows:
        file = record(from_row(row), env["dialect"], tools)
        (out / f"run_{row['id']}.json").write_text(json.dumps(file, ensure_ascii=False, indent=2) + "\n", "utf-8")


def record(trajectory: Trajectory, dialect: str, tools: list[str]) -> dict[str, Any]:
    """What a run file holds of an episode.

    Args:
        dialect: In which its actions are written.
        tools: Names of the tools.
    """
    requests = [asked.request for step in trajectory.steps for asked in step.exchanges]
    names = [_NAMES[str(request["type"])] for request in requests]
    return {
        "metadata": {"model": trajectory.policy, "sample": trajectory.sample, "id": trajectory.id},
        "query_id": trajectory.task,
        "tool_call_counts": {name: names.count(name) for name in _NAMES.values() if name in names},
        "status": "completed" if trajectory.status == "answered" else "incomplete",
        "retrieved_docids": _retrieved(trajectory),
        "result": list(_items(trajectory, dialect, tools)),
    }


def _retrieved(trajectory: Trajectory) -> list[str]:
    hits = [url for step in trajectory.steps for url in _HIT.findall(step.observation)]
    return sorted({*hits, *(url for url, _ in trajectory.pages)})


def _items(trajectory: Trajectory, dialect: str, tools: list[str]) -> Iterator[dict[str, Any]]:
    """The turns: thought, calls with what came back on the last of them, and the answer."""
    for step in trajectory.steps:
        turn = parse(step.action, dialect, tools)
        if turn.thought:
            yield _item("reasoning", [turn.thought])
        for number, call in enumerate(turn.calls, 1):
            output = step.observation if number == len(turn.calls) else None
            yield _item("tool_call", output, call.name, call.arguments)
    if trajectory.answer is not None:
        yield _item("output_text", trajectory.answer)


def _item(kind: str, output: Any, tool: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    return {"type": kind, "tool_name": tool, "arguments": arguments, "output": output}
