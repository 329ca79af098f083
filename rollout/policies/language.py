"""Words, numbers and dates, as a reader of plain English understands them, and of other languages in part."""

import re
from functools import lru_cache

from murk.envs.web.text import words


def word_set(text: str) -> frozenset[str]:
    """The words of a text that spaces separate."""
    return frozenset(text.split())


STOP = word_set(
    "a an the of in on at to for from by with as and or but nor so than that this these those it "
    "its is are was were be "
    "been being am do doe does did has have had having will would can could should may might must shall there their "
    "they he she his her him them we our us i you your who whom whose what which when where why how "
    "many much more most "
    "less least s t not no yes if then any all each both about into over under between during also according give name "
    "find tell state report write please say said currently current present among one two three four together go going "
    "begin count source cite use cual cuál el la los las de del y en es un una que cuanto como por para se su qué quien"
)
"""Words that say nothing about a subject, as `murk.envs.web.text.words` gives them."""

MOST = word_set(
    "largest larger biggest bigger greatest greater highest higher longest longer most more oldest "
    "older tallest taller "
    "richest richer latest later last maximum top heaviest heavier deepest deeper widest wider"
)
LEAST = word_set(
    "smallest smaller lowest lower shortest shorter least less fewest fewer youngest younger poorest poorer earliest "
    "earlier first minimum bottom lightest lighter"
)

WEAK = word_set(
    "total name number length value overall figure long tall high large big size full exact official unit amount year "
    "date time people person place country called city company highest largest longest smallest lowest shortest oldest "
    "first last"
)
"""Words that a label may have or lack and still mean what was asked for."""

KIN = {
    "independent": "independence",
    "inhabitant": "population",
    "resident": "population",
    "live": "residence",
    "lived": "residence",
    "home": "residence",
    "reside": "residence",
    "twinned": "twin",
    "employer": "employee",
    "headed": "head",
    "leader": "head",
    "led": "head",
    "founded": "founding",
    "established": "founding",
    "neighbour": "border",
    "neighbor": "border",
    "bordering": "border",
    "share": "border",
    "inception": "founding",
    "wealth": "gdp",
    "employ": "employee",
    "employed": "employee",
    "staff": "employee",
    "author": "written",
    "wrote": "written",
    "directed": "director",
    "height": "elevation",
    "born": "birth",
    "attended": "attendance",
    "visitor": "attendance",
}
"""Words of questions that labels tend to put otherwise."""

SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "mn": 1e6, "bn": 1e9}
SCALES |= {"mil": 1e3, "millón": 1e6, "millones": 1e6, "万": 1e4, "亿": 1e8, "億": 1e8, "萬": 1e4}
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_NUMBER = re.compile(
    r"(?<![\w.])([$€£¥])?\s?([-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?!\d|(?:st|nd|rd|th)\b)"
    r"(?:\s?(thousand|million|billion|trillion|mn|bn|millones|millón|mil|万|亿|億|萬)\b|\s?([万亿億萬]))?"
)
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")
_AT_YEAR = re.compile(r"(?:^|\b[a-z]+\s|[,(]\s?)(\d{4})\b(?!,\d)")
_DAY = re.compile(
    rf"\b(?:(\d{{1,2}})\s+)?({'|'.join(MONTHS)})\s+(?:(\d{{1,2}}),?\s+)?(\d{{4}})\b|\b(\d{{4}})-(\d{{2}})(?:-(\d{{2}}))?\b",
    re.IGNORECASE,
)
_LOWER = "a-zßàáâãäåæçèéêëìíîïñòóôõöøùúûüý"
_CAPITAL = rf"(?:[^\W\d_{_LOWER}]\.|(?:St|Mt|Dr)\.|[^\W\d_{_LOWER}][\w'’-]*(?:\.\w+)*)"
_LINKING = r"(?:(?:of|the|and|de|da|do|del|la|le|van|von|bin|al|el|du|des|y|e|d')\s+){0,2}"
_ASIDE = rf"\s*\([^\W\d_{_LOWER}][\w'’ -]*\)"
_NAME = re.compile(
    rf"{_CAPITAL}(?:\s+{_LINKING}{_CAPITAL}|\s+(?:1[0-9]|20)[0-9]{{2}}\b|\s*\([^\W\d_{_LOWER}][\w'’ -]*\))*"
)


@lru_cache(maxsize=1 << 14)
def stems(text: str) -> frozenset[str]:
    """Words of a text that say something, as the search index has them."""
    return frozenset(KIN.get(word, word) for word in words(text) if word not in STOP)


@lru_cache(maxsize=1 << 14)
def key(text: str) -> str:
    """A name as it is compared: its words without case, accents, articles and single letters."""
    return " ".join(word for word in words(text) if len(word) > 1 and word not in ("the", "an", "and"))


def numbers(text: str) -> list[tuple[float, str]]:
    """Numbers with their scale taken into account, each with its text; years within dates are among them.

    >>> numbers("some $3.2 billion, 1,234 km")
    [(3200000000.0, '$3.2 billion'), (1234.0, '1,234')]
    """
    found = []
    for match in _NUMBER.finditer(text[:4_000]):
        scale = SCALES.get((match[3] or match[4] or "").lower(), 1.0)
        value = float(match[2].replace(",", "").replace("\u2212", "-")) * scale
        found.append((value, match[0].strip()))
    return found


def years(text: str) -> list[int]:
    """Years from 1000 to 2099 in a text."""
    return [int(year) for year in _YEAR.findall(text)]


def date_in(text: str) -> str | None:
    """The first date with a month in a text as `YYYY-MM-DD`, else the end of its first year; None without either.

    >>> date_in("as of 3 March 2021"), date_in("in 2023"), date_in("at noon")
    ('2021-03-03', '2023-12-31', None)
    """
    match = _DAY.search(text)
    if match is None:
        found = [year for year in _AT_YEAR.findall(text) if int(year) >= 1990]
        return f"{found[0]}-12-31" if found else None
    before, month, after, year, iso_year, iso_month, iso_day = match.groups()
    if iso_year:
        return f"{iso_year}-{iso_month}-{iso_day or '31'}"
    return f"{year}-{MONTHS.index(month.lower()) + 1:02}-{int(before or after or 31):02}"


def names(text: str) -> list[str]:
    """Spans of capitalised words, such as names, in their order.

    >>> names("the mayor of Port of Spain is Ann Lee")
    ['Port of Spain', 'Ann Lee']
    """
    return [match[0].rstrip(".'’-") for match in _NAME.finditer(text)]


def in_words(date: str) -> str:
    """A date `YYYY-MM-DD` as people write it; any other text as it is.

    >>> in_words("2023-01-26")
    '26 January 2023'
    """
    match = re.match(r"(\d{4})-(\d{2})-(\d{2})", date)
    if match is None or not 1 <= int(match[2]) <= 12:
        return date
    return f"{int(match[3])} {MONTHS[int(match[2]) - 1].capitalize()} {match[1]}"
