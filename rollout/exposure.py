"""How far lies come: delivered, opened, cited, asserted (design section 8), from the ledger of each episode."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from murk.rewards.judges.report import read

STAGES = ("delivered", "opened", "cited", "asserted")


def exposure(rows: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    """Number of lies that came so far, over the episodes of a group; None where no lie was delivered.

    A lie is what one content fault put in the place of one thing that is true (its unit). It is delivered when a tool
    gave it in any form, opened when its page was, cited when the report cites its page, and asserted when the report
    gives its false value, or its canary, without rejecting it.

    Args:
        rows: Of a run's table, with `events`, `citations` and `answer`.
    """
    counts = dict.fromkeys(STAGES, 0)
    for row in rows:
        cited, report = set(json.loads(row["citations"])), read(row["answer"] or "")
        lies: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for event in json.loads(row["events"]):
            if event["kind"] == "content":
                lies.setdefault((event["fault"], event["unit"]), []).append(event["lie"])
        for shown in lies.values():
            told = {lie[name] for lie in shown for name in ("value", "canary") if lie.get(name)}
            counts["delivered"] += 1
            counts["opened"] += any(lie.get("in") == "page" for lie in shown)
            counts["cited"] += any(lie.get("page") in cited for lie in shown)
            counts["asserted"] += any(report.asserts({"values": [value]}) for value in told)
    return counts if counts["delivered"] else None
