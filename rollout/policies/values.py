"""The value in a line: a name, a number with its unit, a date; and lists of them."""

import re
from collections.abc import Sequence

from murk.rollout.policies.language import MONTHS, SCALES, names, numbers
from murk.rollout.policies.pages import Line

_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?)?(?:{'|'.join(MONTHS)})\b(?: \d{{1,2}}\b)?,?(?: \(?\d{{3,4}}\b\)?)?"
    r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\d{4}年(?:\d{1,2}月(?:\d{1,2}日)?)?",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\s?(%|°[CF]?|(?!since|from|to\b|in\b|and\b|as\b)[^\W\d_]{1,12}(?:[ /][^\W\d_]{1,10}){0,2})")
_YEAR_ONLY = re.compile(r"(?:1[0-9]|20)\d{2}")
_WHEN = re.compile(
    r"^\W*(?:when|since when)\b|\b(?:date|day of the year|year of|what year|which year|which day)\b|cuándo|fecha|"
    r"何时|日期",
    re.IGNORECASE,
)
_NUMERIC = re.compile(
    r"\bhow (?:many|much|large|big|long|high|tall|old|far|deep|wide|heavy|fast)\b|cuánt|多少|几", re.IGNORECASE
)
_PERSON = re.compile(r"\b(?:who|whom|quién)\b|谁", re.IGNORECASE)
_CALLED = re.compile(
    r"^\W*where\b|\b(?:called|named|name of|place of|which (?:place|city|town|person|company|firm|mountain))\b",
    re.IGNORECASE,
)
_MEASURED = re.compile(r"\s+\(|(?<=[^\W\d_])\s+-?\d[\d,.]*(?:\s?[^\W\d_]{1,3})?$|\s+\d[\d,]*\s?(?:m|ft|km)\b")
_AFTER = re.compile(r"\s*(?:;|\bnote\b|--| - (?=note)|\(since\b|\[)", re.IGNORECASE)


def sort_of(question: str) -> str:
    """What sort of value a question asks for: `date`, `number`, `person`, `name`, or `any`."""
    for sort, pattern in (("date", _WHEN), ("number", _NUMERIC), ("person", _PERSON), ("name", _CALLED)):
        if pattern.search(question):
            return sort
    return "any"


def clause(text: str) -> str:
    """The first statement of a line, without notes that follow it.

    >>> clause("Prime Minister Ann LEE (since 3 May 2022); Deputy Prime Minister Bo OKE")
    'Prime Minister Ann LEE'
    """
    cut = _AFTER.search(text, 1)
    return (text[: cut.start()] if cut else text).strip(" ,")


def value_of(line: Line, sort: str) -> str:
    """The value that a line gives, as it stands there; the whole clause where none of the sort is to be seen."""
    said = clause(line.text)
    if sort == "date":
        found = _DATE.search(line.text)
        return found[0].strip(" ,(") if found else said
    if sort == "number":
        return measure(said) or measure(line.text) or said
    if sort in ("name", "person") and line.label:
        return _MEASURED.split(said, maxsplit=1)[0].strip(" ,") or said
    if sort == "any" and re.match(r"[$€£¥~]?\s?-?\d", said):
        return measure(said) or said
    return said


def measure(text: str) -> str:
    """The first number of a text that is no year, with its unit.

    >>> measure("Zugspitze 2,963 m (2020 est.)"), measure("$4.4 trillion (2024 est.)")
    ('2,963 m', '$4.4 trillion')
    """
    for _, shown in numbers(text):
        if _YEAR_ONLY.fullmatch(shown):
            continue
        at = text.find(shown) + len(shown)
        unit = _UNIT.match(text, at)
        return shown + (unit[0] if unit and unit[1].lower() not in SCALES else "").rstrip()
    return ""


def number_of(line: Line) -> float | None:
    """The first number of a line that is no year; of a line without any other, the year; None without a number."""
    found = numbers(clause(line.text)) or numbers(line.text)
    real = [value for value, shown in found if not _YEAR_ONLY.fullmatch(shown)]
    return real[0] if real else found[0][0] if found else None


def items_of(line: Line) -> list[tuple[str, str, float | None]]:
    """The members of a line that lists some, as (name, URL or empty, number or None).

    >>> [item[::2] for item in items_of(Line("Ost 362 km; West 105 km"))]
    [('Ost', 362.0), ('West', 105.0)]
    """
    items: list[tuple[str, str, float | None]] = []
    pieces = re.split(r";|,(?!\d{3})|\||•|、", line.raw or line.text)
    for piece in pieces:
        linked = re.search(r"\[([^\[\]]+)\]\((\S+?)\)", piece)
        bare = re.sub(r"\[([^\[\]]+)\]\(\S+?\)", r"\1", piece)
        bare = bare.rpartition(":**")[2] if ":**" in bare else bare
        name = linked[1] if linked else next(iter(names(bare)), "")
        after = bare.partition(name)[2]
        found = numbers(after)
        if name:
            items.append((name, linked[2] if linked else "", found[0][0] if found else None))
    return items


def same(first: str, second: str, tolerance: float = 0.01) -> bool:
    """Whether two values agree: numbers within a relative tolerance, or one's words among the other's."""
    one, two = _plain_numbers(first), _plain_numbers(second)
    if one and two:
        return abs(one[0] - two[0]) <= tolerance * max(abs(one[0]), abs(two[0]))
    left, right = set(re.findall(r"\w{3,}", first.lower())), set(re.findall(r"\w{3,}", second.lower()))
    return bool(left & right) and (len(left & right) >= min(len(left), len(right)) * 0.5)


def _plain_numbers(text: str) -> Sequence[float]:
    return [value for value, shown in numbers(text) if not _YEAR_ONLY.fullmatch(shown)]
