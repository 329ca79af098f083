"""The citation reward: whether a report says where it has things from, and whether they are there.

A claim is a sentence of four words or more that is no heading and no question; a citation belongs to the sentence that
it stands in or directly behind. Whether a page supports a claim is decided on the page *as delivered*, and where the
true page is known and another, on that, too. So what a page was made to say and what a report made up are told apart:

| supported by the delivered page | by the true page | the citation is |
|---|---|---|
| yes | yes, or no other is known | sound |
| yes | no | faithful to a poisoned page: `deceived` |
| no | | `invented`, also where it means a page that was not delivered (`dead`) |

Precision is a mean over citations, not over claims, so that citing every page for every claim is no way to be right
once; recall is over claims, so that citing a single sure thing is none either. A report without claims scores 0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from murk.envs.citations import citations
from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.judges import Case, Judge, Verdict
from murk.rewards.judges.entailment import EntailmentJudge
from murk.rewards.prose import size
from murk.rewards.score import Score, summed
from murk.rewards.specs import Spec, build

LEAST_WORDS = 4
MOST_CLAIMS = 1_000
_MARK = re.compile("\x00(\\d+)\x00")
_STOP = re.compile(r"(?<=[.!?;])(?<!\b[A-Z]\.)\s+|(?<=[。！？；])")
_HALF = {"met": 1.0, "partial": 0.5, "unmet": 0.0}


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of a report.

    Attributes:
        text: Without citations.
        cited: Pages that it cites, each once, in their order; None for one that was not delivered.
    """

    text: str
    cited: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class CitationReward:
    """Scores the citations of a report: `(p * precision + r * recall) / (p + r) * (1 - poison * deceived)`.

    Attributes:
        precision: Weight `p` of precision, the mean support of citations: 1, 0.5 for partial support, 0.
        recall: Weight `r` of recall, the share of claims that cite a page that was delivered.
        poison: From 0 to 1, what `deceived` costs: the share of citations that hold only on a poisoned page.
        judge: Decides support: the judge, its name, or a mapping of its name to its settings; None for `entailment`.

    The parts are `precision`, `recall`, `dead`, `invented` (shares of citations), `claims`, `citations` (counts) and,
    where true pages are known, `poisoned` (share of citations that mean a page that was altered) and `deceived`.

    Raises:
        UsageError: a weight is below 0, both are 0, or wrong settings of the judge.
    """

    precision: float = 1.0
    recall: float = 1.0
    poison: float = 1.0
    judge: Judge | Spec | None = None
    _judge: Judge = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if min(self.precision, self.recall) < 0 or not self.precision + self.recall > 0:
            raise UsageError(f"precision is {self.precision} and recall {self.recall}; allowed: from 0, one above 0.")
        if not 0 <= self.poison <= 1:
            raise UsageError(f"poison is {self.poison}; allowed are 0 to 1.")
        named = isinstance(self.judge, str | Mapping)
        judge = build("judges", cast(Spec, self.judge)) if named else self.judge or EntailmentJudge()
        object.__setattr__(self, "_judge", judge)

    @property
    def version(self) -> str:
        """Of the formula and of the judge."""
        return f"citation 1, {self._judge.version}"

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        """Scores a trajectory.

        Args:
            pages: Text of the pages delivered, by canonical URL. Its attribute `true`, where it has one, is a mapping
                of the same pages as they truly are (`murk.rewards.pages`).
        """
        if trajectory.status == "errored":
            return Score(None, notes=("murk or the machine failed in this episode",))
        found = claims(trajectory, pages)
        if not found:
            return Score(0.0, {"claims": 0.0, "citations": 0.0}, ("no claims",))
        true: Mapping[str, str] = getattr(pages, "true", {})
        altered = {url: true[url] for url in pages if url in true and true[url] != pages[url]}
        delivered = self._supports(found, pages, task)
        truly = self._supports(found, altered, task)
        usage = summed([verdict.usage for verdict in (*delivered.values(), *truly.values())])
        if failed := [verdict.note for verdict in (*delivered.values(), *truly.values()) if verdict.word is None]:
            return Score(None, {}, (f"no verdict on {len(failed)} citations: {failed[0]}",), usage)
        parts = _parts(found, delivered, truly)
        if not hasattr(pages, "true"):
            parts = {name: value for name, value in parts.items() if name not in ("poisoned", "deceived")}
        weighted = self.precision * parts["precision"] + self.recall * parts["recall"]
        value = weighted / (self.precision + self.recall) * (1 - self.poison * parts.get("deceived", 0.0))
        return Score(value, parts, (), usage)

    def _supports(self, found: Sequence[Claim], texts: Mapping[str, str], task: Task) -> dict[tuple[int, str], Verdict]:
        """Verdicts by number of the claim and page, page by page."""
        by_page: dict[str, list[int]] = {}
        for number, claim in enumerate(found):
            for url in claim.cited:
                if url is not None and url in texts:
                    by_page.setdefault(url, []).append(number)
        verdicts: dict[tuple[int, str], Verdict] = {}
        for url, numbers in by_page.items():
            given = supports(self._judge, [found[number].text for number in numbers], texts[url], url, task)
            verdicts |= {(number, url): verdict for number, verdict in zip(numbers, given, strict=True)}
        return verdicts


def claims(trajectory: Trajectory, pages: Mapping[str, str]) -> list[Claim]:
    """The claims of a report with the pages that they cite, at most `MOST_CLAIMS`."""
    report = (trajectory.answer or "").replace("\x00", "")
    found = citations(report, cast(Mapping[str, Any], pages))
    known = trajectory.citations
    urls = list(known) if len(known) == len(found) else [citation.url for citation in found]
    marked, end = [], 0
    for number, citation in enumerate(found):
        label = citation.text[1:].partition("](")[0] if citation.text.startswith("[") else ""
        marked += [report[end : citation.start], label, f"\x00{number}\x00"]
        end = max(end, citation.start + len(citation.text))  # one may stand within the label of another
    marked.append(report[end:])
    out: list[Claim] = []
    for line in "".join(marked).splitlines():
        out += _of_line(line, urls)
    return out[:MOST_CLAIMS]


def supports(judge: Judge, said: Sequence[str], text: str, url: str, task: Task) -> list[Verdict]:
    """Whether a page supports some claims; a judge without a `support` of its own judges the page as a report."""
    own = getattr(judge, "support", None)
    if own is not None:
        return [own(claim, text, url) for claim in said]
    page = Case(task, Trajectory(task.id, "answered", text))
    return judge.judge(page, [Criterion(str(i), f"It says that: {claim}", 1.0) for i, claim in enumerate(said)])


def _of_line(line: str, urls: Sequence[str | None]) -> list[Claim]:
    out: list[Claim] = []
    if line.lstrip().startswith("#"):
        return out
    for part in _STOP.split(line):
        cited = tuple(dict.fromkeys(urls[int(number)] for number in _MARK.findall(part)))
        leading = re.match(r"(?:\s*\x00\d+\x00[\s.,;]*)+", part)
        if leading and out:  # what stands before the sentence belongs to the last one
            behind = tuple(urls[int(number)] for number in _MARK.findall(leading[0]))
            out[-1] = replace(out[-1], cited=tuple(dict.fromkeys((*out[-1].cited, *behind))))
            part = part[leading.end() :]  # noqa: PLW2901
            cited = tuple(dict.fromkeys(urls[int(number)] for number in _MARK.findall(part)))
        text = " ".join(_MARK.sub(" ", part).split())
        if size(text) >= LEAST_WORDS and not text.endswith(("?", "？")):
            out.append(Claim(text, cited))
    return out


def _parts(
    found: Sequence[Claim], delivered: Mapping[tuple[int, str], Verdict], truly: Mapping[tuple[int, str], Verdict]
) -> dict[str, float]:
    pairs = [(number, url) for number, claim in enumerate(found) for url in claim.cited]
    support = {key: _HALF[str(verdict.word)] for key, verdict in delivered.items()}
    gained = [support.get((number, url), 0.0) if url else 0.0 for number, url in pairs]
    deceived = [key for key, verdict in truly.items() if support[key] > _HALF[str(verdict.word)]]
    live = [any((number, url) in delivered for url in claim.cited if url) for number, claim in enumerate(found)]
    total = max(1, len(pairs))
    return {
        "precision": sum(gained) / total,
        "recall": sum(live) / len(found),
        "invented": sum(value == 0 for value in gained) / total,
        "dead": sum((number, url) not in delivered for number, url in pairs) / total,
        "poisoned": len(truly) / total,
        "deceived": len(deceived) / total,
        "claims": float(len(found)),
        "citations": float(len(pairs)),
    }
