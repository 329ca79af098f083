"""Lists of questions with answers and gold pages, as FRAMES (arXiv 2409.12941) has them: JSON, JSONL, CSV or TSV.

Columns are known by their common names, in any case. An answer is checked as a number, as yes or no, or as a name.
Whole numbers below 10,000 (counts, years) must be exact; other numbers may be off by one percent.
"""

import ast
import json
import math
import re
from typing import Any

from murk.envs.task_formats.parts import addresses, chance, cited, gold, rest, yes_or_no
from murk.envs.task_formats.rows import Broken, Row

_QUESTION = ("question", "prompt", "query", "problem")
_ANSWER = ("answer", "answers", "gold_answer", "final_answer")
_URLS = ("gold_urls", "urls", "wiki_links", "links", "gold")
_ALIASES = ("aliases", "answer_aliases")
_ID = ("id", "_id", "qid", "question_id", "sample_id")
_LINK = re.compile(r"wikipedia_link_\d+\+?")
_NUMBER = re.compile(r"[-\u2212]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_VERDICTS = {"yes": True, "true": True, "no": False, "false": False}
_MAX_LIST = 100_000


def task(row: Row) -> dict[str, Any]:
    """A question with its answer."""
    columns = {name.strip().lower(): name for name in row}
    used: list[str] = []

    def take(names: tuple[str, ...]) -> Any:
        name = next((columns[name] for name in names if name in columns and row[columns[name]] not in (None, "")), None)
        if name is None:
            return None
        used.append(name)
        return row[name]

    question, answer, urls = take(_QUESTION), take(_ANSWER), take(_URLS)
    if not isinstance(question, str) or not question.strip():
        raise Broken("no question", f"columns: {', '.join(columns)}")
    given = answer if isinstance(answer, list) else _members(answer) if _is_list(answer) else [answer]
    values = [_plain(value) for value in given or [None]] + [_plain(value) for value in _members(take(_ALIASES))]
    links = tuple(name for name in columns if _LINK.fullmatch(name))
    pages = addresses(_members(urls, blanks=True) or [url for name in links for url in _members(take((name,)), True)])
    made = {"id": take(_ID), "question": question.strip(), "kind": "qa", "language": take(("language", "lang")) or "en"}
    meta = rest(row, used)
    if (verdict := _VERDICTS.get(values[0].strip(". ").lower())) is not None:
        made |= yes_or_no(verdict, pages)
        return made | {"meta": meta | {"chance": chance(made["rubric"])}}
    check = _check(values)
    right = {"id": "answer", "text": f"The report gives the answer {values[0]}.", "weight": 5.0, "axis": "answer"}
    made["rubric"] = [right | {"role": "explicit", "check": check}, *cited(pages)]
    known = {name: check[name] for name in ("number", "tolerance") if name in check}
    made["answer"] = {"value": values[0], "aliases": values[1:], **known}
    return made | {"gold": gold(pages), "meta": meta | {"chance": 0.0}}


def _check(values: list[str]) -> dict[str, Any]:
    if not _NUMBER.fullmatch(values[0]):
        return {"kind": "alias", "values": values}
    number = float(values[0].replace(",", "").replace("\u2212", "-"))
    if not math.isfinite(number):
        return {"kind": "alias", "values": values}
    tolerance = 0.0 if number.is_integer() and abs(number) < 10_000 else 0.01
    return {"kind": "value", "number": number, "tolerance": tolerance, "values": values[1:]}


def _plain(value: Any) -> str:
    """An answer as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) or (isinstance(value, str) and value.strip()):
        return str(value).strip()
    raise Broken("no answer", f"{value!r:.80}")


def _is_list(value: Any) -> bool:
    return isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]")


def _members(value: Any, blanks: bool = False) -> list[Any]:
    """The members of a list, or of text that holds one: as JSON, as Python writes it, or separated by blanks."""
    if value is None or isinstance(value, list):
        return [entry.get("url") if isinstance(entry, dict) else entry for entry in value or []]
    if not isinstance(value, str):
        raise Broken("neither a list nor text", f"{value!r:.80}")
    if not _is_list(value):
        return [word for part in value.split() if (word := part.strip(",;"))] if blanks else [value]
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(value.strip()) if len(value) <= _MAX_LIST else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list):
            return found
    raise Broken("a list that cannot be read", value)
