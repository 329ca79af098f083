"""DeepResearch Bench (Du et al., 2025): prompts for reports, with criteria weighted within weighted dimensions.

Topic and language come from the file of queries beside the criteria: named as they are, with `query` for `criteria`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from murk.envs.task_formats.parts import mappings, number, rest, text
from murk.envs.task_formats.rows import Broken, Row, rows

_HAN = re.compile(r"[\u3400-\u9fff]")


def reader(path: Path) -> Callable[[Row], dict[str, Any]]:
    """What turns the records of one file into tasks."""
    beside = path.with_name(path.name.replace("criteria", "query"))
    queries: dict[str, Row] = {}
    if beside != path and beside.is_file():
        queries = {str(row.get("id")): row for _, row in rows(beside) if not isinstance(row, Broken)}

    def task(row: Row) -> dict[str, Any]:
        query = queries.get(str(row.get("id")), {})
        question = text(row, "prompt")
        rubric, criteria = _rubric(row)
        language = query.get("language") or ("zh" if len(_HAN.findall(question)) * 5 > len(question) else "en")
        meta = rest(query, ("id", "prompt", "language"))
        meta |= rest(row, ("id", "prompt", "criterions")) | {"criteria": criteria}
        made = {"id": row.get("id"), "question": question, "kind": "report", "language": language}
        return made | {"rubric": rubric, "meta": meta}

    return task


def _rubric(row: Row) -> tuple[list[dict[str, Any]], dict[str, Row]]:
    """The criteria, weighted by their own weight times that of their dimension; and their other fields by id."""
    dimensions, weights = row.get("criterions"), row.get("dimension_weight")
    if not isinstance(dimensions, Mapping) or not isinstance(weights, Mapping):
        raise Broken("criterions or dimension_weight is no mapping")
    rubric, more = [], {}
    for dimension in dimensions:
        share = number(weights, dimension)
        for place, entry in enumerate(mappings(dimensions, dimension)):
            name, told = f"{dimension}-{place}", text(entry, "criterion")
            if entry.get("explanation"):
                told += f": {text(entry, 'explanation')}"
            weight = round(share * number(entry, "weight"), 9)
            rubric.append({"id": name, "text": told, "weight": weight, "axis": dimension, "role": "explicit"})
            more[name] = rest(entry, ("criterion", "explanation", "weight"))
    if not rubric:
        raise Broken("no criterion")
    return rubric, {name: fields for name, fields in more.items() if fields}
