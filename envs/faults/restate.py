"""Altering a claim in place: finding a value in a text in the forms in which it occurs, and putting another there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from murk.envs.web.text import words

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DISTINCT_DIGITS = 4

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SCALE = re.compile(r"\s*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_DATE = re.compile(rf"(?:(\d{{1,2}})\s+)?({'|'.join(MONTHS)})(?:\s+(\d{{4}}))?")
_UNIT = re.compile(r"\s*([^\W\d_]+)")
_LETTERS_BEFORE = re.compile(r"[^\d]*[^\W\d_]{2}")
_JOINTS = (",", " ", "\u00a0", "\u202f", "")
_LOUD = re.compile(r"(?:\w+-)?[^\W\d_a-z]{3,}(?:-\w+)?")
_SMALL = frozenset(("of", "the", "in", "at", "by", "for", "and"))


@dataclass(frozen=True, slots=True)
class Value:
    """A value that texts state, and the one that is to stand in its place.

    Attributes:
        pattern: Finds it.
        swap: Gives what stands in the place of a match.
        needles: Texts one of which is in every text that states it, so that others are passed over fast.
        distinct: Whether it is so particular that wherever it stands on a page about its subject it is this value.
    """

    pattern: re.Pattern[str]
    swap: Callable[[re.Match[str]], str]
    needles: tuple[str, ...]
    distinct: bool


@lru_cache(maxsize=1024)
def value(true: str, false: str) -> Value | None:
    """How to put `false` in the place of `true`; None where the two cannot stand for each other."""
    if not true.strip() or not false.strip() or true == false:
        return None
    dates = _DATE.fullmatch(true.strip()), _DATE.fullmatch(false.strip())
    if dates[0] and dates[1]:
        return _date(dates[0], dates[1])
    numbers = _NUMBER.search(true), _NUMBER.search(false)
    if numbers[0] and numbers[1] and not _LETTERS_BEFORE.match(true):
        return _number(true, false, numbers[0], numbers[1])
    return _name(true.strip(), false.strip())


def restated(text: str, found: Value, subject: str, relation: str, about: bool) -> str:
    """A text with a value replaced wherever it states the claim.

    Args:
        text: A page's, or a part of it.
        found: The value.
        subject: What the claim is about.
        relation: What it says of it, in words; empty where unknown.
        about: Whether the page is about the subject. On other pages only lines count that name it.
    """
    if not any(needle in text for needle in found.needles):
        return text
    names, wanted = frozenset(words(subject)), frozenset(words(relation)) - _SMALL

    def swap(match: re.Match[str]) -> str:
        if not about and not names <= frozenset(words(_line(text, match))):
            return match[0]
        if about and not found.distinct and wanted:
            near = wanted.intersection(words(_surroundings(text, match)))
            if 2 * len(near) < len(wanted):
                return match[0]
        return found.swap(match)

    return found.pattern.sub(swap, text)


def _line(text: str, match: re.Match[str]) -> str:
    end = text.find("\n", match.end())
    return text[text.rfind("\n", 0, match.start()) + 1 : end if end >= 0 else len(text)]


def _surroundings(text: str, match: re.Match[str]) -> str:
    """The paragraph of a match, with the heading above it."""
    start = text.rfind("\n\n", 0, match.start()) + 1
    end = text.find("\n\n", match.end())
    paragraph = text[start : end if end >= 0 else len(text)]
    above = text.rfind("\n#", 0, match.start())
    if above < 0 and not text.startswith("#"):
        return paragraph
    return text[above + 1 : text.find("\n", above + 1)] + " " + paragraph


def _after(before: str, text: str) -> str:
    """A pattern for a text that no character of a class precedes. It begins with the text's first character, and so is
    found several times as fast as one that begins with what must not precede."""
    first = re.escape(text[0])
    return rf"{first}(?<!{before}{first}){re.escape(text[1:])}"


def _number(true: str, false: str, old: re.Match[str], new: re.Match[str]) -> Value:
    scales = _SCALE.match(true, old.end()), _SCALE.match(false, new.end())
    digits, scaled = old[0].replace(",", ""), scales[0] is not None
    whole, dot, part = digits.partition(".")
    groups = f"{int(whole or 0):,}".split(",")
    forms = tuple(dict.fromkeys([*(joint.join(groups) for joint in _JOINTS), whole]))
    tail = rf"\s+(?i:{scales[0][1]})\b" if scales[0] else ""
    # A number of few digits is this value only before its unit.
    short = len(digits.replace(".", "").strip("0")) < DISTINCT_DIGITS
    unit = _UNIT.match(true, scales[0].end() if scales[0] else old.end())
    tail += rf"(?=[\s-]+{re.escape(unit[1])})" if short and unit else ""
    spelled = "|".join(_after(r"[\w.,]", form) for form in forms)
    pattern = re.compile(rf"(?:{spelled}){re.escape(dot + part)}(?![\w]|[.,]\d){tail}")
    told = new[0] + (f" {scales[1][1]}" if scales[1] and scaled else "")

    def swap(match: re.Match[str]) -> str:
        return told.replace(",", "") if len(groups) > 1 and "," not in match[0] else told

    return Value(pattern, swap, forms, not short)


def _date(old: re.Match[str], new: re.Match[str]) -> Value:
    day, month, year = old.groups()
    named = _after(r"\w", month)
    days = [_after(r"\w", text) + rf"\s+{month}" for text in (f"0{day}", day)] if day else []
    parts = [*days, rf"{named}\s+{day}(?:st|nd|rd|th)?"] if day else [named]
    after = rf"(?:,?\s+{year})" if year else ""
    pattern = re.compile(rf"(?:{'|'.join(parts)}){after}\b")
    new_day, new_month, new_year = new.groups()

    def swap(match: re.Match[str]) -> str:
        american = day and match[0].startswith(month)
        moment = f"{new_month} {new_day}" if american else f"{new_day} {new_month}" if new_day else new_month
        return f"{moment}{',' * bool(american)} {new_year}" if year and new_year else moment

    return Value(pattern, swap, (month,), bool(year))


def _name(true: str, false: str) -> Value:
    """A name, also with a parenthesis between its words; of a person, the surname in capitals alone."""
    parts, before = true.split(), r"\w" if true[0].isalnum() else r"[\w.]"
    forms = [r"(?:\s+\([^()]{0,60}\))?\s+".join([_after(before, parts[0]), *map(re.escape, parts[1:])])]
    loud = [part for part in parts if len(part) > 3 and _LOUD.fullmatch(part)]
    surname = next((part for part in reversed(false.split()) if part.isupper()), false.rsplit(maxsplit=1)[-1])
    if len(parts) > 1 and len(loud) == 1:
        forms.append(_after(before, loud[0]))
    pattern = re.compile(rf"(?:{'|'.join(forms)})(?!\w)")

    def swap(match: re.Match[str]) -> str:
        return surname if loud and match[0] == loud[0] and len(parts) > 1 else false

    return Value(pattern, swap, (parts[-1], *loud), True)
