"""ResearchRubrics (arXiv 2511.07685): prompts for reports with weighted criteria, which need a model as judge."""

from typing import Any

from murk.envs.task_formats.parts import mappings, number, rest, text
from murk.envs.task_formats.rows import Broken, Row


def task(row: Row) -> dict[str, Any]:
    """A prompt with its criteria; those of weight 0 say nothing about the score and are left out."""
    rubric, more = [], {}
    for place, entry in enumerate(mappings(row, "rubrics")):
        weight = number(entry, "weight")
        if weight:
            role = "explicit" if weight > 0 else "negative"
            axis = str(entry.get("axis") or "")
            rubric.append(
                {"id": str(place), "text": text(entry, "criterion"), "weight": weight, "axis": axis, "role": role}
            )
            more[str(place)] = rest(entry, ("criterion", "weight", "axis"))
    if not rubric:
        raise Broken("no criterion")
    meta = rest(row, ("prompt", "sample_id", "rubrics")) | {"criteria": {k: v for k, v in more.items() if v}}
    made = {"id": row.get("sample_id"), "question": text(row, "prompt"), "kind": "report", "language": "en"}
    return made | {"rubric": rubric, "meta": meta}
