"""The rule judge: criteria that a machine can check, exactly and offline.

A check is a mapping with a `kind`:

- `value`: a number within `tolerance` (relative, default 0.01) of `number` is given, or a name in `values`;
- `alias`: one of `values` is given as whole words, without regard to case, accents and punctuation;
- `choice`: the report names, of all names in `options` (lists of spellings), one of the option `value` first; headings
  and questions do not count;
- `boolean`: the report's verdict (yes, no, true or false) is `value`, and no other verdict is given;
- `cites`: one of `urls` is cited and was delivered;
- `supports`: the value (`values`, or `number` with its tolerance) is given in the report and on a page that it cites;
- `asserts`: the value is given as true;
- `absent`: none of `values` occurs;
- `all`, `any`: of the checks in `checks`.

**Conflicts.** `value` and `alias` may have `rivals`: values of the same fact that are wrong answers, each a mapping
like the check's own (`values` or `number`), with its year in `when` where it was right then. A report that asserts a
rival does not meet the check, whatever else it gives. A sentence asserts the values that it holds, unless it

- rejects them: "not", "rather than", "earlier", "other sources" shortly before, or "wrong", "disputed", "unverified"
  and the like shortly before or after;
- holds the rival's own year, where that is not the year asked for (`when` of the check);
- names one of `elsewhere` (other subjects) and none of `subjects` (names of this one).

**Lists.** A list of candidates is no answer: a right number counts only among at most eight others in its sentence, a
right name only among at most eight separators or beside the subject's name, and neither in a report with more than 40
lines or sentences of four words or fewer, or of more than 200,000 characters, of which the rest is not read. Where
`unit` is set, four bare digits are a year and no value. Sentences end at line ends and at full stops, semicolons,
question and exclamation marks before a space. Citations and addresses are no content.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from murk.envs.errors import UnknownName
from murk.envs.records import Trajectory
from murk.rewards.judges.numbers import Number, found, numbers
from murk.rewards.judges.report import Report, Sentence, plain, read

__all__ = ["judge", "numbers", "plain"]

_VERDICT = {"yes": True, "true": True, "no": False, "false": False}
_OPENING = re.compile(
    r"[\W_]*(?:(?:the )?(?:final |overall )?(?:verdict|answer|conclusion)(?: is)?[\W_]*)?"
    r"(yes|no|true|false)\s*(?:[^\w\s]|$)"
)
_Check = Mapping[str, Any]
_Pages = Mapping[str, str]


def judge(check: _Check, trajectory: Trajectory, pages: _Pages) -> str:
    """The verdict `met`, `partial` or `unmet`; only `all` is ever partial, where some of its checks are met.

    Args:
        check: What to decide.
        trajectory: With the report and the pages that its citations mean.
        pages: Text of pages as delivered, by canonical URL.

    Raises:
        UnknownName: an unknown kind of check.
    """
    kind = str(check.get("kind"))
    if kind in ("all", "any"):
        verdicts = [judge(part, trajectory, pages) for part in check["checks"]]
        if kind == "any" or not verdicts:
            return "met" if "met" in verdicts else "unmet"
        return "met" if set(verdicts) == {"met"} else "unmet" if set(verdicts) == {"unmet"} else "partial"
    if kind not in _KINDS:
        raise UnknownName("kind of check", kind, [*_KINDS, "all", "any"])
    return "met" if _KINDS[kind](check, read(trajectory.answer or ""), trajectory, pages) else "unmet"


def _given(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    return report.states(check) and not report.conflicts(check)


def _choice(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    options = [[plain(name) for name in names if plain(name)] for names in check["options"]]
    longest = sorted({name for names in options for name in names}, key=lambda name: (-len(name), name))
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")
    for sentence in report.sentences:
        text = sentence.text.strip()
        spoken = longest and not text.startswith("#") and not text.endswith(("?", "？"))
        if spoken and (first := pattern.search(sentence.plain)):
            return first[0] in options[int(check["value"])]
    return False


def _boolean(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    openings = [match[1] for s in report.sentences if (match := _OPENING.match(s.text.casefold()))]
    words = openings or [word for word in report.plain.split() if word in _VERDICT][:1]
    return bool(words) and all(_VERDICT[word] is bool(check["value"]) for word in words)


def _supports(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    cited = dict.fromkeys(url for url in trajectory.citations if url)
    return report.asserts(check) and any(_page_states(pages.get(url, ""), check) for url in cited)


def _page_states(text: str, check: _Check) -> bool:
    words, values = _page(text)
    if any(f" {plain(value)} " in words for value in check.get("values", ()) if plain(value)):
        return True
    if "number" not in check:
        return False
    tolerance = float(check.get("tolerance", 0.01))
    return any(number.near(float(check["number"]), tolerance, str(check.get("unit"))) for number in values)


@lru_cache(maxsize=64)
def _page(text: str) -> tuple[str, tuple[Number, ...]]:
    return f" {plain(text)} ", tuple(found(text))


def _absent(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    return not Sentence(report.text).names(check["values"])


_KINDS: dict[str, Callable[[_Check, Report, Trajectory, _Pages], bool]] = {
    "alias": _given,
    "value": _given,
    "choice": _choice,
    "boolean": _boolean,
    "asserts": lambda check, report, trajectory, pages: report.asserts(check),
    "cites": lambda check, report, trajectory, pages: any(url in trajectory.citations for url in check["urls"]),
    "supports": _supports,
    "absent": _absent,
}
