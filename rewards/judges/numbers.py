"""Numbers as reports write them: with separators, scale words, signs and units attached."""

import re
from typing import NamedTuple

_SPACE = " \u00a0\u2009\u202f"
# A number does not begin inside a Latin word or after a decimal point, but it may follow a Chinese character.
_START = r"(?<![0-9A-Za-z\u00c0-\u024f_.])"
_NUMBER = re.compile(
    rf"{_START}[-\u2212]?(?:"
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]*\d)"  # 4,424,000.5
    r"|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?(?!\d)"  # 4.424.000,5
    rf"|\d{{1,3}}(?:[{_SPACE}]\d{{3}})+(?:[.,]\d+)?(?!\d)"  # 4 424 000
    r"|\d{1,40},\d{1,2}(?![\d,])"  # 307,7
    r"|\d{1,40}(?:\.\d{1,40})?(?!\d)"
    r")"
)
_GROUPED = re.compile(r"[-\u2212]?[1-9]\d{0,2}\.\d{3}")
_YEAR, _CURRENCY = re.compile(r"(?:19|20)\d\d"), tuple("$€£¥")
_KILO = re.compile(rf"[{_SPACE}]?(?:km\b|kil[oó]m|公里|千米)", re.IGNORECASE)
_UNIT = re.compile(
    rf"[{_SPACE}]?(?:(?:k?m|sq|metres?|meters?|metros|kilo\w{{1,10}}|people|inhabitants|habitantes|personas|pages|employees|"
    r"years|dollars|usd|us dollars)\b|%|[\u4e00-\u9fff](?<!年))",
    re.IGNORECASE,
)
_SCALES = {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "millions": 1e6, "billions": 1e9, "mn": 1e6,
    "bn": 1e9, "tn": 1e12, "mil": 1e3, "mil millones": 1e9, "millón": 1e6, "millones": 1e6, "billones": 1e12,
    "千": 1e3, "万": 1e4, "萬": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "億": 1e8, "万亿": 1e12, "兆": 1e12,
}  # fmt: skip
_SCALE = re.compile(
    rf"[{_SPACE}]?(?:(?P<cjk>万亿|百万|千万|[千万萬亿億兆])|(?P<latin>mil millones|[a-zó]{{2,9}})(?![a-z]))",
    re.IGNORECASE,
)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}\b(?:,? \d{{4}}\b)?|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"
    r"|\b\d{4}-\d{2}-\d{2}\b",
    re.IGNORECASE,
)


class Number(NamedTuple):
    """A number in a text.

    Attributes:
        value: What it amounts to.
        start: Character at which it begins.
        end: Character after its digits.
        year: Whether it looks like a year: bare digits from 1900 to 2099, without a unit.
        also: What it amounts to if its point groups thousands, as `7.820` may be 7,820; else the same value.
        kilo: Whether kilometres follow it.
    """

    value: float
    start: int
    end: int
    year: bool
    also: float
    kilo: bool

    def near(self, wanted: float, tolerance: float, unit: str = "") -> bool:
        """Whether it is within a relative tolerance of a number; kilometres count as metres where these are wanted."""
        wanted = wanted / 1000 if self.kilo and unit == "m" else wanted
        return min(abs(self.value - wanted), abs(self.also - wanted)) <= tolerance * abs(wanted)


def found(text: str) -> list[Number]:
    """The numbers of a text in their order; the days of dates are none."""
    dates = [match.span() for match in _DATE.finditer(text)]
    at, numbers = 0, []
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        while at < len(dates) and dates[at][1] <= start:
            at += 1
        if at < len(dates) and dates[at][0] <= start and end - start < 3:
            continue
        bare = bool(_YEAR.fullmatch(match[0]) and text[max(0, start - 1) : start] not in _CURRENCY)
        scale = _SCALE.match(text, end)
        factor = _SCALES.get((scale["cjk"] or scale["latin"]).lower(), 1.0) if scale else 1.0
        value = _value(match[0]) * factor
        also = value * 1000 if _GROUPED.fullmatch(match[0]) else value
        numbers.append(
            Number(
                value,
                start,
                end,
                bare and factor == 1.0 and not _UNIT.match(text, end),
                also,
                bool(_KILO.match(text, end)),
            )
        )
    return numbers


def numbers(text: str) -> list[float]:
    """The same, as values.

    >>> numbers("some 83.2 million, not 1,234 or -5; $4.424 trillion, 12.5万, 357 022km, 307,7")
    [83200000.0, 1234.0, -5.0, 4424000000000.0, 125000.0, 357022.0, 307.7]
    """
    return [number.value for number in found(text)]


def _value(text: str) -> float:
    text = text.replace("\u2212", "-")
    if text.count(".") > 1:
        text = text.replace(".", "").replace(",", ".")
    text = re.sub(rf"[{_SPACE}]", "", text)
    if re.fullmatch(r"-?\d+,\d{1,2}|-?\d{4,},\d+", text):
        text = text.replace(",", ".")
    return float(text.replace(",", ""))
