"""Values of the World Factbook as facts: what can be checked exactly, with its other spellings; the rest is refused."""

import html
import re
from collections.abc import Mapping
from typing import Any

from murk.envs.worlds.facts import Fact

_COMMON = frozenset({"Friday", "Brown", "King", "Young", "Green", "White", "Black", "Hope", "Rich"})
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NAMES = {
    "DRC": ("DRC", "Democratic Republic of the Congo", "Congo (Kinshasa)"),
    "Congo (Brazzaville)": ("Congo (Brazzaville)", "Republic of the Congo"),
    "The Dominican": ("Dominican Republic", "The Dominican"),
    "The Bahamas": ("The Bahamas", "Bahamas"),
    "The Gambia": ("The Gambia", "Gambia"),
    "Czechia": ("Czechia", "Czech Republic"),
    "Burma": ("Burma", "Myanmar"),
    "Turkey": ("Turkey", "Turkiye"),
    "Holy See (Vatican City)": ("Holy See (Vatican City)", "Vatican City", "Holy See"),
    "United States": ("United States", "USA", "United States of America"),
    "United Kingdom": ("United Kingdom", "UK", "Great Britain"),
    "Cote d'Ivoire": ("Cote d'Ivoire", "Ivory Coast"),
    "Cabo Verde": ("Cabo Verde", "Cape Verde"),
    "Eswatini": ("Eswatini", "Swaziland"),
    "Timor-Leste": ("Timor-Leste", "East Timor"),
    "Falkland Islands (Islas Malvinas)": ("Falkland Islands (Islas Malvinas)", "Falkland Islands"),
    "Gaza, Gaza Strip": None,
}
_NUMBER = re.compile(
    r"(?P<value>(?P<currency>\$?)(?P<number>\d[\d,]*(?:\.\d+)?)(?: (?P<scale>million|billion|trillion))?"
    r"(?: (?P<unit>sq km|km|m|years|children born/woman))?)"
    r"(?: \((?:July )?\d{4} est\.\))?(?: note\b.*| \(landlocked\).*)?"
)
_SCALE = {None: 1.0, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_PEAK = re.compile(r"(?P<name>[^\d;:]+?) (?P<height>\d[\d,]*(?:\.\d+)? m)(?: note\b.*)?")
_DATE = rf"\d{{1,2}} (?:{'|'.join(MONTHS)})"
_INDEPENDENCE = re.compile(rf"({_DATE} \d{{4}})(?: \([^;]*\))?")
_HOLIDAY = re.compile(rf"[^;\d]*, ({_DATE})(?: \(\d{{4}}\))?")
_CODE = re.compile(r"(\.[a-z]{2})(?:;? ?note\b.*)?")
_BESIDE = re.compile(r" ?(?:(?:First |Second |Acting |Executive )?(?:Vice|Deputy)|Crown|represented by|note\b)")
_TITLES = (
    "president prime minister chancellor premier king queen emperor pope prince princess duke grand sultan amir "
    "emir sheikh chief executive of the and governor governor-general general administrator acting interim "
    "transition transitional council chairman chairperson chair state supreme leader crown sovereign first "
    "secretary taoiseach commander lieutenant major colonel captain air vice-marshal marshal admiral brigadier "
    "brig. maj. gen. sr. lt. dr. sir dame lord lady mr. mrs. ms. co-prince head government confederation swiss "
    "presidency territorial federal national republic islamic archbishop commissioner mayor lieutenant-general "
    "vice high field military tynwald provisional his her highness majesty royal excellency honorable rev. "
    "reverend taliban gnu china capt. capt people's affairs assembly caretaker col. duma french polynesia "
    "minister-designate ministers presidential leadership commission cardinal mann "
)
_TITLE_WORDS = frozenset(_TITLES.split())


def subject_names(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The name of a country and its other names; None where the source has no usable name."""
    known = _NAMES.get(name, (name.split(" (sometimes", maxsplit=1)[0],))
    if known is None or name == "none" or html.unescape(name) != name or name.count(",") > 1:
        return None
    return known[0], known[1:]


def readings(row: Mapping[str, Any]) -> list[Fact] | str:
    """The facts that a row of the source holds, without subject and edition; or why there are none."""
    relation, value = row["relation"], html.unescape(row["value"])
    if relation == "borders":
        page = row["object_url"] if "/countries/none/" not in (row["object_url"] or "") else None
        return [Fact("", "", relation, value, number=row["number"], unit=row["unit"], object_url=page)]
    if relation == "capital":
        return _capital(value)
    if relation in ("chief of state", "head of government"):
        return _person(relation, value)
    if relation == "highest point":
        return _peak(value)
    if relation == "internet country code":
        match = _CODE.fullmatch(value)
        return [Fact("", "", relation, match[1])] if match else "not one code"
    if relation in ("independence", "national holiday"):
        match = (_INDEPENDENCE if relation == "independence" else _HOLIDAY).fullmatch(value)
        return [Fact("", "", relation, match[1], aliases=date_spellings(match[1]))] if match else "not one full date"
    return _number(relation, value)


def date_spellings(date: str) -> tuple[str, ...]:
    """Other spellings of "5 July 1962" or "5 July".

    >>> date_spellings("5 July 1962")
    ('July 5, 1962', '5 Jul 1962', 'Jul 5, 1962', '1962-07-05', '5th July 1962', 'July 5th, 1962')
    """
    day, month, *year = date.split()
    short, nth = month[:3], day + {1: "st", 2: "nd", 3: "rd"}.get(int(day) % 10 if int(day) // 10 != 1 else 0, "th")
    tail, comma = (f" {year[0]}", f", {year[0]}") if year else ("", "")
    number = f"{MONTHS.index(month) + 1:02}-{int(day):02}"
    spellings = [f"{month} {day}{comma}", f"{day} {short}{tail}", f"{short} {day}{comma}"]
    spellings += [f"{year[0]}-{number}"] if year else []
    return (*spellings, f"{nth} {month}{tail}", f"{month} {nth}{comma}")


def _number(relation: str, value: str) -> list[Fact] | str:
    match = _NUMBER.fullmatch(value)
    if not match:
        return "not one plain number"
    number = float(match["number"].replace(",", "")) * _SCALE[match["scale"]]
    if not number:
        return "zero"
    unit = "US dollars" if match["currency"] else match["unit"] or ("people" if relation == "population" else None)
    return [Fact("", "", relation, match["value"], number=number, unit=unit)]


def _capital(value: str) -> list[Fact] | str:
    name = re.split(r" in (?:Moldovan|Romanian)|[;(]| note\b", value)[0].strip()
    if not name or "no official" in name:
        return "no one capital"
    return [
        Fact("", "", "capital", name, aliases=("Washington", "Washington, DC") if name.startswith("Washington") else ())
    ]


def _peak(value: str) -> list[Fact] | str:
    match = _PEAK.fullmatch(value)
    if not match or value.startswith(("unnamed", "highest point", "no ")) or "unnamed" in value:
        return "no one named point"
    name = match["name"].split(" (")[0]
    if not name or "," in name:
        return "no one named point"
    inner = [part for part in re.findall(r"\(([^()]*)\)", match["name"]) if re.fullmatch(r"[A-Z]\S+( [A-Z]\S+)?", part)]
    bare = re.sub(r"^(?:Mount|Pico|Pic|Cerro|Gora|Jabal|Volcan|Monte|Pik|Mont) (?=\S+$)", "", name)
    aliases = [alias for alias in (*inner, bare) if alias != name and len(alias) > 4]
    height = float(match["height"][:-2].replace(",", ""))
    if not height:
        return "zero"
    high = Fact("", "", "elevation of the highest point", match["height"], number=height, unit="m")
    return [Fact("", "", "highest point", name, aliases=tuple(aliases)), high]


def _person(relation: str, value: str) -> list[Fact] | str:
    first, *more = re.sub(r"^\([^()]*\)\s*", "", value).split(";")
    if any("(since" in part and not _BESIDE.match(part) for part in more):
        return "not one person in office"
    named, since, rest = first.partition(" (since ")
    if not since or "(since" in rest or "vacant" in named:
        return "not one person in office"
    name = re.sub(r"\s*\([^()]*\)", "", named)
    name = re.split(r", also spelled|, Dr\.|, Jr\.| represented by ", name)[0].strip()
    name = _without_titles(name).split(" of the ")[0]
    words = name.split()
    if not words or len(words) > 6 or "," in name or any(word in ("of", "the", "and") for word in words):
        return "name and office cannot be told apart"
    if name not in value:
        return "name with a note in it"
    capitals = [i for i, word in enumerate(words) if re.search(r"[A-ZÀ-Þ]{2}", word)]
    if not capitals:
        return "name and office cannot be told apart"
    shown = " ".join(_cased(word, i > 0) for i, word in enumerate(words))
    run = words[capitals[0] : capitals[-1] + 1]
    surname = " ".join(_cased(word, i + capitals[0] > 0) for i, word in enumerate(run))
    spellings = [shown, surname] if len(surname) > 3 and surname not in _COMMON else [shown]
    spellings += [f"{words[0]} {surname}"] if capitals[0] > 0 else []
    aliases = tuple(dict.fromkeys(alias for alias in spellings if alias != name))
    return [Fact("", "", relation, name, aliases=aliases, shown=shown)]


def _without_titles(name: str) -> str:
    words = name.split()
    while len(words) > 1 and words[0].casefold().strip(",") in _TITLE_WORDS:
        words.pop(0)
    return " ".join(words)


def _cased(word: str, numeral: bool) -> str:
    if re.fullmatch(r"(?:[A-Z]\.)+", word) or (numeral and re.fullmatch("[IVX]+", word)):
        return word
    return re.sub(r"[A-ZÀ-Þ]{2,}", lambda run: run[0].capitalize(), word)
