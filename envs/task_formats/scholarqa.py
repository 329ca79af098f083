"""ScholarQA-CS (Asai et al., 2024): experts' questions with weighted items of a good answer, and evidence for each."""

import re
from typing import Any

from murk.envs.task_formats.parts import mappings, number, rest, text
from murk.envs.task_formats.rows import Broken, Row


def task(row: Row) -> dict[str, Any]:
    """A question with its items; weights of length, expertise, citations and excerpts are kept under `meta`."""
    metric = row.get("metric_config")
    config = metric.get("config") if isinstance(metric, dict) else None
    if not isinstance(config, dict):
        raise Broken("metric_config has no config")
    rubric, criteria = [], {}
    for entry in mappings(config, "other_properties"):
        name = text(entry, "name")
        axis = re.sub(r"_item_\d+$", "", name)
        rubric.append(
            {
                "id": name,
                "text": text(entry, "criterion"),
                "weight": number(entry, "weight"),
                "axis": axis,
                "role": "explicit",
            }
        )
        criteria[name] = rest(entry, ("name", "criterion", "weight"))
    meta = rest(row, ("initial_prompt", "metric_config", "case_id"))
    meta |= rest(config, ("question", "other_properties")) | {"criteria": criteria}
    made = {"id": row.get("case_id"), "question": text(row, "initial_prompt"), "kind": "report", "language": "en"}
    return made | {"rubric": rubric, "meta": meta}
