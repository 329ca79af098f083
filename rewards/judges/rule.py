"""The rule judge: criteria that a machine can check, exactly and offline.

A check is a mapping with a `kind`:

- `value`: a number within `tolerance` (relative, default 0.01) of `number` is given, or a name in `values`;
- `alias`: one of `values` is given as whole words, without regard to case, accents and punctuation;
- `choice`: the report names, of all names in `options` (lists of spellings), one of the option `value` first; headings
  and questions do not count, nor options that stand side by side ("A or B");
- `boolean`: the report's verdict (yes, no, true or false) is `value`; partial where it gives both verdicts;
- `cites`: one of `urls` is cited and was delivered, and the report cites no more than four pages and one for every
  fifteen words, as one that cites everything does;
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
lines or sentences of four words or fewer, or of more than 200,000 characters, of which the rest is not read. Where a
check has `rivals`, so that there is one right value, it is not met either by a value that stands in a row of others,
that its own sentence also rejects, or that is one of several in equal sentences (`murk.rewards.judges.hedges`); of
options and verdicts in equal sentences none counts. Where `unit` is set, four bare digits are a year and no value.
Sentences end at line ends and at full stops, semicolons, question and exclamation marks before a space. Citations and
addresses are no content, and what a reader does not see (`murk.rewards.judges.visible`) is not there.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from murk.envs.errors import UnknownName
from murk.envs.records import Trajectory
from murk.rewards.judges.choices import Names
from murk.rewards.judges.numbers import Number, found, numbers
from murk.rewards.judges.report import Report, Sentence, plain, read

__all__ = ["judge", "numbers", "plain"]

_VERDICT = {"yes": True, "true": True, "no": False, "false": False}
_VERDICTS = Names(_VERDICT)
_OPENING = re.compile(
    r"[\W_]*(?:(?:the )?(?:final |overall )?(?:verdict|answer|conclusion)(?: is)?[\W_]*)?"
    r"(yes|no|true|false)\s*(?:[^\w\s]|$)"
)
_CLOSING = re.compile(r"\b(?:is|was|be)\W+(yes|no|true|false)\W*$")
_ASKED = re.compile(
    r"\b(?:(?:yes|true)\W{0,3}(?:/|or\b)\W{0,3}(?:no|false)|(?:no|false)\W{0,3}(?:/|or\b)\W{0,3}(?:yes|true))\b"
)
_BOTH = re.compile(r"\b(yes|true)\W{1,6}(?:and\W)?(no|false)\b|\b(no|false)\W{1,6}(?:and\W)?(yes|true)\b")
_REACH, _PAGES, _WORDS_A_PAGE = 60, 4, 15
_Check = Mapping[str, Any]
_Pages = Mapping[str, str]


def judge(check: _Check, trajectory: Trajectory, pages: _Pages) -> str:
    """The verdict `met`, `partial` or `unmet`; only `all`, where some are met, and `boolean` are ever partial.

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
    if kind not in _KINDS and kind != "boolean":
        raise UnknownName("kind of check", kind, [*_KINDS, "boolean", "all", "any"])
    report = read(trajectory.answer or "")
    if kind == "boolean":
        return _boolean(check, report)
    return "met" if _KINDS[kind](check, report, trajectory, pages) else "unmet"


def _given(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    return report.states(check) and not report.conflicts(check)


def _choice(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    options = [[plain(name) for name in names if plain(name)] for names in check["options"]]
    known = {name: number for number, names in reversed(list(enumerate(options))) for name in names}
    if not known:
        return False
    names = Names(known)
    spoken = [
        names.apart(sentence.text)
        for sentence in report.sentences
        if not sentence.text.lstrip().startswith("#") and not sentence.text.rstrip().endswith(("?", "？"))
    ]
    return names.uncontested(spoken)[:1] == [int(check["value"])]


def _boolean(check: _Check, report: Report) -> str:
    """A report may open or close sentences with its verdict; else the first word of one counts."""
    texts = [_ASKED.sub(" ", sentence.text.casefold()) for sentence in report.sentences]
    found = [match[1] for text in texts for match in (_OPENING.match(text), _CLOSING.search(text[-_REACH:])) if match]
    found += [word for text in texts for pair in _BOTH.findall(text) for word in pair if word]
    given = {_VERDICT[word] for word in found} or set(map(bool, _VERDICTS.uncontested(map(plain, texts))[:1]))
    wanted = bool(check["value"])
    return "partial" if len(given) > 1 else "met" if wanted in given else "unmet"


def _cites(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    cited = set(trajectory.citations) - {None}
    carried = len(cited) <= _PAGES + len(report.plain.split()) / _WORDS_A_PAGE
    return carried and any(url in cited for url in check["urls"])


def _supports(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    cited = dict.fromkeys(url for url in trajectory.citations if url)
    return report.asserts(check) and any(_page_states(pages.get(url, ""), check) for url in cited)


def _page_states(text: str, check: _Check) -> bool:
    words = _page_words(text)
    if any(f" {plain(value)} " in words for value in check.get("values", ()) if plain(value)):
        return True
    if "number" not in check:
        return False
    tolerance = float(check.get("tolerance", 0.01))
    return any(number.near(float(check["number"]), tolerance, str(check.get("unit"))) for number in _page_numbers(text))


@lru_cache(maxsize=64)
def _page_words(text: str) -> str:
    return f" {plain(text)} "


@lru_cache(maxsize=64)
def _page_numbers(text: str) -> tuple[Number, ...]:
    return tuple(found(text))


def _absent(check: _Check, report: Report, trajectory: Trajectory, pages: _Pages) -> bool:
    return not Sentence(report.text).names(check["values"])


_KINDS: dict[str, Callable[[_Check, Report, Trajectory, _Pages], bool]] = {
    "alias": _given,
    "value": _given,
    "choice": _choice,
    "asserts": lambda check, report, trajectory, pages: report.asserts(check),
    "cites": _cites,
    "supports": _supports,
    "absent": _absent,
}
