"""The judge `entailment`: whether a text bears a statement out, offline, by words and, where there is one, a model.

The share of a statement that is borne out is the weighted share of its words that two neighbouring sentences of the
text hold (`Fit.window`); with an embedder the cosine of the nearest sentence, if that is more; with a cross-encoder its
probability of entailment. From `met` on the statement is met, from `partial` on partly. Facts go first: a statement
whose numbers, or whose names, are all missing from the text is `unmet`, as is one that the text negates, and one with
some of them missing is `partial` at most.

For criteria the statement is the criterion's text and the text is the report, which may be written for the judge: it
must say so plainly, and neither lists of candidates nor contradictions count (`murk.rewards.judges.entailment_report`).
A flaw needs all of its numbers and names, and then one place of the report that bears it out. A report of more than
`MOST_CHARS` characters gets the worst verdicts. Other names for a value are not known: criteria that have a check
belong to the judge `rule`, and those without one to this judge, as `fallback` of the rubric reward.

For citations (`support`) the statement is a claim and the text is a page, in which no list and no contradiction is
looked for. The thresholds are strict, because a reward must not pay for a text on the same subject. People are
more lenient with citations: `tests/benchmarks/judge_agreement.py` finds the thresholds that agree with them best, and
how little words tell of their verdicts. Weights fitted to these verdicts did no better on held-out questions, so none
are shipped.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from inspect import getsource
from pathlib import Path

from murk.envs.errors import UsageError
from murk.envs.tasks import Criterion
from murk.rewards.judges import (
    Case,
    Verdict,
    entailment_report,
    entailment_words,
    hedges,
    numbers,
    report,
    visible,
)
from murk.rewards.judges.entailment_report import Report, Statement
from murk.rewards.judges.entailment_words import MOST_CHARS, Evidence, Fit, assertion

NEAREST = 3
RULES = (entailment_report, entailment_words, hedges, numbers, report, visible)

Similarity = Callable[[str, Sequence[str]], list[float]]


class EntailmentJudge:
    """Judges by words, offline; the same everywhere to the last bit unless a model takes part.

    Args:
        met: Share from which a criterion is met, in (0, 1].
        partial: Share from which it is met in part, from 0 to `met`.
        embedder: Adds meaning by sentence vectors: `minilm`, `static:FOLDER` or a folder (`murk.envs.web.embedders`,
            extra `dense`); None for words alone.
        model: Folder of a cross-encoder for entailment; None for none.

    Raises:
        UsageError: a share is outside of these, both an embedder and a model are given, or one cannot be loaded.
    """

    def __init__(
        self, met: float = 0.7, partial: float = 0.45, embedder: str | None = None, model: str | None = None
    ) -> None:
        if not 0 <= partial <= met <= 1 or met <= 0:
            raise UsageError(f"met is {met} and partial {partial}; allowed: 0 <= partial <= met <= 1, met above 0.")
        if embedder and model:
            raise UsageError(f"both embedder {embedder!r} and model {model!r} are given; allowed is one of them.")
        self.met, self.partial = met, partial
        self._model_name, self._similar, self._entailed = "words", None, None
        if embedder:
            self._model_name, self._similar = _similarity(embedder)
        if model:
            from murk.rewards.judges.entailment_model import CrossEncoder

            self._entailed = CrossEncoder(Path(model))
            self._model_name = self._entailed.name

    _similar: Similarity | None

    @property
    def version(self) -> str:
        """The code that decides, the model, and the settings."""
        return f"entailment 2 ({self._model_name}, {_digest()}, {self.met:g}, {self.partial:g})"

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion: whether the report bears its text out."""
        answer = case.trajectory.answer or ""
        if len(answer) > MOST_CHARS:
            note = f"the report has more than {MOST_CHARS} characters"
            return [Verdict("unmet" if criterion.weight > 0 else "met", note) for criterion in criteria]
        read = _report(answer, case.task.question)
        return [self._criterion(criterion, read) for criterion in criteria]

    def support(self, claim: str, text: str, title: str = "") -> Verdict:
        """Whether a page supports a claim.

        Args:
            claim: A sentence of a report; citation marks and addresses in it do not count.
            text: Of the page.
            title: Its title, its address, or both.
        """
        return self._verdict(assertion(claim), _read(text, title))

    def share(self, claim: str, text: Evidence) -> float:
        """How much of a claim a text bears out, from 0 to 1, facts aside."""
        if self._entailed and text.sentences:
            return self._entailed.entails(" ".join(text.near(claim, 2 * NEAREST)), claim)
        share = text.fit(claim).window
        return max([share, *self._similar(claim, text.near(claim, NEAREST))]) if self._similar and share else share

    def _criterion(self, criterion: Criterion, report: Report) -> Verdict:
        statement = _statement(assertion(criterion.text))
        if criterion.weight < 0:
            share = report.flaw(statement)
            if share and (self._similar or self._entailed):
                share = max(share, self.share(statement.claim, report.written))
            return Verdict(self._word(share), f"{share:.2f} of it is borne out")
        verdict = self._verdict(statement.claim, report.said)
        why = report.doubt(statement) if verdict.word != "unmet" else None
        return Verdict("unmet", why) if why else verdict

    def _word(self, share: float) -> str:
        return "met" if share >= self.met else "partial" if share >= self.partial else "unmet"

    def _verdict(self, claim: str, text: Evidence) -> Verdict:
        fit = text.fit(claim)
        if (why := facts(fit)) is not None:
            return Verdict("unmet", why)
        share = self.share(claim, text)
        word = self._word(share)
        if word == "met" and min(fit.numbers, fit.names) < 1:
            return Verdict("partial", f"{share:.2f} of it is borne out, but not all of its numbers and names")
        return Verdict(word, f"{share:.2f} of it is borne out")


def facts(fit: Fit) -> str | None:
    """Why a statement cannot be so by a text, by its numbers, names and negation; None if it can."""
    if not fit.numbers:
        return "its numbers are not in the text"
    if not fit.names:
        return "its names are not in the text"
    return "the text says the opposite" if fit.negated else None


@cache
def _digest() -> str:
    code = [*(getsource(module) for module in RULES), getsource(facts), getsource(EntailmentJudge)]
    return blake2b("".join(code).encode(), digest_size=6).hexdigest()


@lru_cache(maxsize=32)
def _read(text: str, title: str) -> Evidence:
    return Evidence(text, title)


@lru_cache(maxsize=4)
def _report(text: str, question: str) -> Report:
    return Report(text, question)


@lru_cache(maxsize=1 << 10)
def _statement(claim: str) -> Statement:
    return Statement(claim)


def _similarity(spec: str) -> tuple[str, Similarity]:
    from murk.envs.web.embedders import embedder

    model = embedder(spec)

    @lru_cache(maxsize=1 << 12)
    def cosines(claim: str, sentences: tuple[str, ...]) -> list[float]:
        vectors = model.embed([claim, *sentences]).astype("float64")
        # Rounded: processors differ in the last bits.
        return [round(float(value), 4) for value in vectors[1:] @ vectors[0]]

    return model.name, lambda claim, sentences: cosines(claim, tuple(sentences))
