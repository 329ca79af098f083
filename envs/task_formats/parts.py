"""What several formats share: fields that must be there, and the parts of a task."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from murk.envs.seeds import derive
from murk.envs.task_formats.rows import Broken, Row
from murk.envs.web.urls import canonical_url

VERDICT, CITES, OPPOSITE = 5.0, 2.0, -4.0
_WORDS = {True: "yes", False: "no"}


def text(row: Row, name: str) -> str:
    """A field that must be text, without blanks around it."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Broken(f"{name} is no text")
    return value.strip()


def mappings(row: Row, name: str) -> list[Row]:
    """A field that must be a list of mappings, at least one."""
    value = row.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(entry, Mapping) for entry in value):
        raise Broken(f"{name} is no list of mappings")
    return value


def number(row: Row, name: str) -> float:
    """A field that must be a number."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Broken(f"{name} is no number")
    try:
        return float(value)
    except OverflowError:
        raise Broken(f"{name} is too large") from None


def rest(row: Row, used: Collection[str]) -> dict[str, Any]:
    """The fields that a task does not take from a record."""
    return {name: value for name, value in row.items() if name not in used}


def addresses(urls: Any) -> list[str]:
    """Canonical addresses in their order, each once; citations are compared with them."""
    if not isinstance(urls, list):
        raise Broken("the gold pages are no list")
    try:
        return list(dict.fromkeys(canonical_url(url) for url in urls))
    except (ValueError, TypeError, AttributeError) as error:
        raise Broken("a gold page is no URL", str(error)) from None


def gold(urls: Iterable[str]) -> list[dict[str, Any]]:
    """The field `gold`."""
    return [{"url": url} for url in urls]


def half(urls: Sequence[str]) -> dict[str, str]:
    """The field `split`: `tune` or `test` by a hash of each page, so that a page lies in one half for all formats.

    Empty where the pages lie in both halves, and the task in none.
    """
    sides = {("tune", "test")[derive(0, "half", url) & 1] for url in urls}
    return {"split": sides.pop()} if len(sides) == 1 else {}


def cited(urls: Sequence[str]) -> list[dict[str, Any]]:
    """One criterion for each gold page; together they weigh `CITES`."""
    weight = round(CITES / len(urls), 9) if urls else 0.0
    return [
        {
            "id": f"cites-{place}" if len(urls) > 1 else "cites",
            "text": f"The report cites {url}.",
            "weight": weight,
            "axis": "citation",
            "role": "explicit",
            "check": {"kind": "cites", "urls": [url]},
        }
        for place, url in enumerate(urls)
    ]


def yes_or_no(answer: bool, urls: Sequence[str]) -> dict[str, Any]:
    """The fields `answer`, `gold` and `rubric` of a question that is answered by yes or no."""
    right, wrong = (
        {"axis": "answer", "text": f"The report's verdict is {_WORDS[v]}.", "check": {"kind": "boolean", "value": v}}
        for v in (answer, not answer)
    )
    rubric = [
        {"id": "verdict", "weight": VERDICT, "role": "explicit"} | right,
        *cited(urls),
        {"id": "opposite", "weight": OPPOSITE, "role": "negative"} | wrong,
    ]
    return {"answer": {"value": _WORDS[answer], "aliases": []}, "gold": gold(urls), "rubric": rubric}


def chance(rubric: Sequence[Row]) -> float:
    """Score that a coin's verdict without a citation gets on average."""
    positive = sum(float(entry["weight"]) for entry in rubric if entry["weight"] > 0)
    return round((VERDICT + OPPOSITE) / 2 / positive, 9)
