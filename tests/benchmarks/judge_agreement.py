"""Do judges agree with people? Accuracy, macro-F1 and Cohen's kappa on ExpertQA's verdicts on claims and their sources.

Experts said whether the sources that a language model cites support a claim completely, in part or not (Malaviya et
al. 2023, arXiv 2309.07852). Verdicts whose source has no text are left out. Questions are halved by a digest of their
id: weights and thresholds are chosen on the one half, so that macro-F1 and kappa together are largest, and all is
reported on the other. An interval holds 95 % of 2,000 bootstrap samples of the questions.

    python tests/benchmarks/judge_agreement.py [--embedder minilm] [--judge '{"chat": {"base_url": ..., "model": ...}}']
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

import numpy as np
from common import DATA, table
from numpy.typing import NDArray

from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task
from murk.rewards.judges import VERDICTS, Case, Judge
from murk.rewards.judges.entailment import NEAREST, EntailmentJudge
from murk.rewards.judges.entailment_words import Evidence, assertion, stems
from murk.rewards.judges.report import plain
from murk.rewards.specs import build

SAMPLES = 2_000
RIDGE = 5.0
WORDS = {"Complete": "met", "Partial": "partial", "Incomplete": "unmet"}

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One expert's verdict on one claim, as a number: 0 for complete, 1 for partial, 2 for incomplete support."""

    question: str
    claim: str
    text: str
    address: str
    label: int

    @property
    def tuning(self) -> bool:
        return blake2b(self.question.encode(), digest_size=8).digest()[0] % 2 == 0


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", help="also measure entailment with sentence vectors: minilm or a folder")
    parser.add_argument(
        "--judge", action="append", default=[], help="also measure this judge, as JSON; may be repeated"
    )
    options = parser.parse_args()
    rows = read()
    tuning, report = [row for row in rows if row.tuning], [row for row in rows if not row.tuning]
    print(f"# Agreement with experts on {len(rows)} claims; tuning + report: {len(tuning)} + {len(report)}")
    counts = np.bincount([row.label for row in report], minlength=3)
    print(f"report half: complete {counts[0]}, partial {counts[1]}, incomplete {counts[2]}")
    found = {"majority class": np.zeros(len(report), np.int64), "plain word overlap": _tuned(overlap, tuning, report)}
    found |= entailment(None, tuning, report)
    if options.embedder:
        found |= entailment(options.embedder, tuning, report)
    for spec in options.judge:
        found[spec[:40]] = asked(build("judges", json.loads(spec)), report)
    labels, questions = _labels(report), [row.question for row in report]
    lines = [[name, *intervals(labels, given, questions)] for name, given in found.items()]
    table("Report half: value and 95 % interval", ["", "accuracy", "macro-F1", "kappa"], lines)
    base = found["plain word overlap"]
    lines = [[n, *intervals(labels, given, questions, base)] for n, given in found.items() if given is not base]
    table("Difference to plain word overlap, paired", ["", "accuracy", "macro-F1", "kappa"], lines)


def read() -> list[Row]:
    """The verdicts with the sources' text."""
    path = DATA / "verdicts" / "expertqa_claim_verdicts.jsonl"
    rows = []
    for line in path.read_text("utf-8").splitlines():
        data = json.loads(line)
        texts = list(dict.fromkeys((e["text"] or "").strip() for e in data["evidence"] or ()))
        if data["support"] in WORDS and any(texts):
            address = " ".join(dict.fromkeys(e["url"] or "" for e in data["evidence"]))
            label = VERDICTS.index(WORDS[data["support"]])
            rows.append(Row(data["qid"], data["claim"], "\n".join(filter(None, texts)), address, label))
    return rows


def overlap(rows: Sequence[Row]) -> _Floats:
    """The share of a claim's different words that its source holds."""
    shares = []
    for row in rows:
        own = set(plain(row.claim).split())
        shares.append(len(own & set(plain(row.text).split())) / max(1, len(own)))
    return np.array(shares)


def entailment(embedder: str | None, tuning: list[Row], report: list[Row]) -> dict[str, _Ints]:
    """`entailment` with its own thresholds, with some of the tuning half, and a logistic model of its features."""
    judge = EntailmentJudge(embedder=embedder)
    name = f"entailment, {embedder}" if embedder else "entailment"
    halves = [features(half, judge) for half in (tuning, report)]
    used = halves[0].std(0) > 0
    fitted = fit(halves[0][:, used], _labels(tuning) == 0)
    scores = [half[:, used] @ fitted[1:] + fitted[0] for half in halves]
    limits = [thresholds(score, _labels(tuning)) for score in (halves[0][:, 0], scores[0])]
    print(f"{name}: thresholds {_short(limits[0])}; logistic {_short(fitted)} from {_short(limits[1])}")
    given = [VERDICTS.index(str(judge.support(row.claim, row.text, row.address).word)) for row in report]
    return {
        f"{name}, as shipped for rewards": np.array(given),
        f"{name}, thresholds tuned": words(halves[1][:, 0], limits[0]),
        f"{name}, logistic": words(scores[1], limits[1]),
    }


def features(rows: Sequence[Row], judge: EntailmentJudge) -> _Floats:
    """Share borne out, share of words in the address, mean cosine of near sentences, names and numbers: (rows, 5)."""
    out = []
    for row in rows:
        page, claim = Evidence(row.text, row.address), assertion(row.claim)
        own, found, near = stems(claim), page.fit(claim), page.near(claim, NEAREST)
        topic = len(set(own) & set(stems(re.sub(r"[\W_]+", " ", row.address)))) / max(1, len(set(own)))
        cosines = judge._similar(claim, near) if judge._similar and near else [0.0]
        out.append([judge.share(claim, page), topic, sum(cosines) / len(cosines), found.names, found.numbers])
    return np.array(out)


def asked(judge: Judge, rows: Sequence[Row]) -> _Ints:
    """A judge's verdicts: the source as the report, the claim as the criterion. Where it fails, `complete` counts."""
    given, failed = [], 0
    for row in rows:
        case = Case(
            Task("claim", f"What does the source say on this? {row.claim}"), Trajectory("claim", "answered", row.text)
        )
        verdict = judge.judge(case, [Criterion("0", f"The report says that {row.claim}", 1.0)])[0]
        failed += verdict.word is None
        given.append(VERDICTS.index(verdict.word or "met"))
    print(f"{judge.version}: no verdict on {failed} of {len(rows)}")
    return np.array(given)


def fit(x: _Floats, wanted: NDArray[np.bool_]) -> _Floats:
    """Logistic regression by Newton's method with a ridge on standardised features: intercept and weights."""
    mean, spread = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1.0)
    a = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    ridge = np.diag([0.0, *[RIDGE] * x.shape[1]]) + 1e-9 * np.eye(x.shape[1] + 1)
    w = np.zeros(a.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-a @ w))
        w -= np.linalg.solve(a.T @ (a * (p * (1 - p))[:, None]) + ridge, a.T @ (p - wanted) + ridge @ w)
    weights = w[1:] / spread
    return np.array([w[0] - weights @ mean, *weights])


def thresholds(scores: _Floats, labels: _Ints) -> tuple[float, float]:
    """From which score complete, and from which partial, so that macro-F1 plus kappa is largest."""
    grid = np.quantile(scores, np.linspace(0, 1, 41)).tolist()
    pairs = [(high, low) for i, low in enumerate(grid) for high in grid[i:]]
    return max(pairs, key=lambda pair: sum(measures(labels, words(scores, pair))[1:]))


def words(scores: _Floats, limits: tuple[float, float]) -> _Ints:
    """Labels of scores."""
    return np.where(scores >= limits[0], 0, np.where(scores >= limits[1], 1, 2))


def measures(labels: _Ints, given: _Ints) -> tuple[float, float, float]:
    """Accuracy, macro-F1 over three classes, and Cohen's kappa."""
    table_of = np.bincount(3 * labels + given, minlength=9).reshape(3, 3).astype(float)
    total, hits = table_of.sum(), np.diag(table_of)
    sums = table_of.sum(0), table_of.sum(1)
    chance = float((sums[0] * sums[1]).sum()) / total**2
    accuracy = float(hits.sum() / total)
    f1 = float((2 * hits / np.maximum(sums[0] + sums[1], 1)).mean())
    return accuracy, f1, (accuracy - chance) / (1 - chance) if chance < 1 else 0.0


def intervals(labels: _Ints, given: _Ints, questions: Sequence[str], base: _Ints | None = None) -> list[str]:
    """The measures, or their differences to a base, with their intervals over questions."""
    groups = [np.array([i for i, _ in group]) for _, group in groupby(enumerate(questions), key=lambda pair: pair[1])]
    generator = np.random.default_rng(0)

    def measured(rows: _Ints) -> _Floats:
        values = np.array(measures(labels[rows], given[rows]))
        return values if base is None else values - np.array(measures(labels[rows], base[rows]))

    drawn = (generator.integers(len(groups), size=len(groups)) for _ in range(SAMPLES))
    samples = np.array([measured(np.concatenate([groups[g] for g in draw])) for draw in drawn])
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    form = ".3f" if base is None else "+.3f"
    return [
        f"{v:{form}} [{a:{form}}, {b:{form}}]"
        for v, a, b in zip(measured(np.arange(len(labels))), low, high, strict=True)
    ]


def _tuned(score: Callable[[Sequence[Row]], _Floats], tuning: list[Row], report: list[Row]) -> _Ints:
    return words(score(report), thresholds(score(tuning), _labels(tuning)))


def _labels(rows: Sequence[Row]) -> _Ints:
    return np.array([row.label for row in rows])


def _short(values: Any) -> list[float]:
    return [round(float(value), 2) for value in values]


if __name__ == "__main__":
    main()
