"""The judge `rule`: decides criteria by their checks, exactly and offline."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from inspect import getsource

from murk.envs.tasks import Criterion
from murk.rewards.judges import Case, Verdict, choices, hedges, numbers, report, rule, visible

RULES = (choices, hedges, numbers, report, rule, visible)


class RuleJudge:
    """Judges by the checks of `murk.rewards.judges.rule`. A criterion without one gets the worst verdict."""

    instant = True

    @property
    def version(self) -> str:
        """The name and a digest of the rules' own code, so that no change of theirs goes unnoticed."""
        return f"rule {_digest()}"

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion.

        Raises:
            UnknownName: the task has an unknown kind of check.
        """
        return [_judged(case, criterion) for criterion in criteria]


def _judged(case: Case, criterion: Criterion) -> Verdict:
    if criterion.check is None:
        worst = "unmet" if criterion.weight > 0 else "met"
        return Verdict(worst, "it has no check for the rule judge and counts against the report")
    return Verdict(rule.judge(criterion.check, case.trajectory, case.pages))


@cache
def _digest() -> str:
    return sha256("".join(map(getsource, RULES)).encode()).hexdigest()[:12]
