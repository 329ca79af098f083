"""The judge `committee`: several judges, each asked once or several times.

One judge with `trials` is the n-trial mean. Model judges of temperature 0 still waver, and single judges have tastes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from murk.envs.errors import UnknownName, UsageError
from murk.envs.tasks import Criterion
from murk.rewards.judges import VERDICTS, Case, Judge, Verdict
from murk.rewards.judges.cached import CachedJudge
from murk.rewards.score import summed
from murk.rewards.specs import build_named

VOTES = ("mean", "majority")


class Committee:
    """Judges by the share of each verdict among judges and trials.

    Args:
        judges: Settings by name of the judge, or by any name with the judge's in `plugin`.
        trials: How often each is asked, from 1.
        vote: `mean`, where rewards count each verdict by its share, or `majority`, where the most frequent one counts
            alone. Ties go to the verdict that is worse for the report.
        cache: Folder of the verdicts' cache, which keeps each trial; None for none.

    Where one judge's machine fails there is no verdict, because a smaller committee is another judge.

    Raises:
        UnknownName: no such judge or vote.
        UsageError: no judge, wrong settings of one, or no trial.
    """

    def __init__(
        self, judges: Mapping[str, Any], trials: int = 1, vote: str = "mean", cache: str | None = None
    ) -> None:
        if not isinstance(judges, Mapping) or not judges:
            raise UsageError(f"judges of a committee are {judges!r}; allowed is a mapping of names to settings.")
        if not isinstance(trials, int) or trials < 1:
            raise UsageError(f"trials is {trials!r}; allowed are whole numbers from 1.")
        if vote not in VOTES:
            raise UnknownName("vote", vote, VOTES)
        self.vote, self.trials = vote, trials
        members: dict[str, Judge] = {name: build_named("judges", name, given) for name, given in judges.items()}
        self.members = [
            (name, CachedJudge(member, cache, trial) if cache else member)
            for name, member in members.items()
            for trial in range(trials)
        ]

    @property
    def version(self) -> str:
        """Of its rule and its judges."""
        judges = ", ".join(dict.fromkeys(judge.version for _, judge in self.members))
        return f"committee 1 ({self.vote} of {self.trials} by {judges})"

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion."""
        ballots = [(name, judge.judge(case, criteria)) for name, judge in self.members]
        return [
            self._together(criterion, [(name, verdicts[i]) for name, verdicts in ballots])
            for i, criterion in enumerate(criteria)
        ]

    def _together(self, criterion: Criterion, votes: Sequence[tuple[str, Verdict]]) -> Verdict:
        usage = summed([vote.usage for _, vote in votes])
        failed = [f"{name}: {vote.note}" for name, vote in votes if vote.word is None]
        if failed:
            return Verdict(None, "; ".join(failed), {}, usage)
        shares = [vote.share or {str(vote.word): 1.0} for _, vote in votes]
        mean = {word: round(sum(share.get(word, 0.0) for share in shares) / len(shares), 9) for word in VERDICTS}
        worst_first = VERDICTS if criterion.weight < 0 else VERDICTS[::-1]
        word = max(worst_first, key=mean.__getitem__)
        note = "; ".join(f"{name}: {', '.join(filter(None, (vote.word, vote.note)))}" for name, vote in votes)
        return Verdict(word, note, mean if self.vote == "mean" else {}, usage)
