"""The rule judge: criteria that a machine can check, exactly and offline.

A check is a mapping with a `kind`:

- `alias`: one of `values` occurs in the report as whole words, without regard to case, accents and punctuation;
- `value`: a number within `tolerance` (relative, default 0.01) of `number` occurs, or an alias in `values`;
- `boolean`: the report's verdict, its first yes, no, true or false, is `value`;
- `cites`: one of `urls` is cited and was delivered;
- `supports`: one of `values` occurs in the report and on a page that the report cites;
- `absent`: none of `values` occurs;
- `all`, `any`: of the checks in `checks`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from murk.envs.errors import UnknownName
from murk.envs.records import Trajectory

_NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"  # with thousands separators
    r"|(?<![\w.])[-\u2212]?\d+(?:\.\d+)?(?!\d)"
)
_SCALE = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_VERDICT = {"yes": True, "true": True, "no": False, "false": False}
_LINK_TARGET = re.compile(r"\]\([^()\s]{0,2048}\)|\\cite\{[^{}]{0,40}\}")
_Check = Mapping[str, Any]


def judge(check: _Check, trajectory: Trajectory, pages: Mapping[str, str]) -> str:
    """The verdict `met`, `partial` or `unmet`; only `all` is ever partial, where some of its checks are met.

    Raises:
        UnknownName: an unknown kind of check.
    """
    kind = str(check.get("kind"))
    report = plain(_LINK_TARGET.sub(" ", trajectory.answer or ""))
    if kind in ("all", "any"):
        verdicts = [judge(part, trajectory, pages) for part in check["checks"]]
        if kind == "any" or not verdicts:
            return "met" if "met" in verdicts else "unmet"
        return "met" if set(verdicts) == {"met"} else "unmet" if set(verdicts) == {"unmet"} else "partial"
    if kind not in _KINDS:
        raise UnknownName("kind of check", kind, [*_KINDS, "all", "any"])
    return "met" if _KINDS[kind](check, report, trajectory, pages) else "unmet"


def plain(text: str) -> str:
    """Text as it is compared: case folded, accents and punctuation left out, one space between words.

    >>> plain("São-Tomé, (the)  Capital!")
    'sao tome the capital'
    """
    folded = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c))))


def numbers(text: str) -> list[float]:
    """Numbers in a text, with `million` and its like taken into account.

    >>> numbers("some 83.2 million, not 1,234 or -5")
    [83200000.0, 1234.0, -5.0]
    """
    found = []
    for match in _NUMBER.finditer(text):
        word = re.match(r"\s*([a-z]+)", text[match.end() : match.end() + 12].lower())
        scale = _SCALE.get(word[1], 1.0) if word else 1.0
        found.append(float(match[0].replace(",", "").replace("\u2212", "-")) * scale)
    return found


def _holds(text: str, values: Sequence[str]) -> bool:
    return any(f" {plain(value)} " in f" {text} " for value in values if plain(value))


def _value(check: _Check, report: str, trajectory: Trajectory, pages: Mapping[str, str]) -> bool:
    if _holds(report, check.get("values", ())):
        return True
    wanted = float(check["number"])
    margin = abs(wanted) * float(check.get("tolerance", 0.01))
    text = _LINK_TARGET.sub(" ", trajectory.answer or "")
    return any(abs(number - wanted) <= margin for number in numbers(text))


def _boolean(check: _Check, report: str, trajectory: Trajectory, pages: Mapping[str, str]) -> bool:
    verdicts = [_VERDICT[word] for word in report.split() if word in _VERDICT]
    return bool(verdicts) and verdicts[0] is bool(check["value"])


def _supports(check: _Check, report: str, trajectory: Trajectory, pages: Mapping[str, str]) -> bool:
    cited = [pages.get(url, "") for url in trajectory.citations if url]
    return _holds(report, check["values"]) and any(_holds(plain(text), check["values"]) for text in cited)


_KINDS: dict[str, Callable[[_Check, str, Trajectory, Mapping[str, str]], bool]] = {
    "alias": lambda check, report, trajectory, pages: _holds(report, check["values"]),
    "value": _value,
    "boolean": _boolean,
    "cites": lambda check, report, trajectory, pages: any(url in trajectory.citations for url in check["urls"]),
    "supports": _supports,
    "absent": lambda check, report, trajectory, pages: not _holds(report, check["values"]),
}
