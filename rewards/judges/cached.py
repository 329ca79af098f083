"""The judge `cached`: another one, asked once for each thing that it decides.

A verdict is known by the judge's version (with its model, settings and prompts), the question, the criterion's text and
check and whether it is a flaw, the report, the pages that it cites as they were delivered, and the trial. Weights and
ids are no part of it: they do not change a verdict. Failures of a judge's machine are never kept.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from murk.envs.codec import canonical_json
from murk.envs.tasks import Criterion
from murk.envs.web.cache import open_cache
from murk.rewards.judges import VERDICTS, Case, Judge, Verdict
from murk.rewards.specs import Spec, build


class CachedJudge:
    """Keeps the verdicts of a judge in a folder, as JSON.

    Args:
        judge: The judge, its name, or a mapping of its name to its settings.
        folder: Of the cache; made where it is missing. Processes may share it.
        trial: Number of the trial; each has its own verdicts.

    Raises:
        UnknownName: no such judge.
        UsageError: wrong settings of the judge, or a folder that cannot be used.
    """

    def __init__(self, judge: Judge | Spec, folder: str | Path, trial: int = 0) -> None:
        self.inner: Judge = build("judges", judge) if not hasattr(judge, "judge") else judge  # type: ignore[assignment]
        self.trial = trial
        self._cache = open_cache(Path(folder))

    @property
    def version(self) -> str:
        """The judge's own: a cache changes no verdict."""
        return self.inner.version

    def judge(self, case: Case, criteria: Sequence[Criterion]) -> list[Verdict]:
        """One verdict for each criterion; the judge is asked for those only that are not known."""
        about = self._about(case)
        keys = [_digest(about, criterion) for criterion in criteria]
        known = {key: found for key in dict.fromkeys(keys) if (found := self._known(key)) is not None}
        asked = {key: criterion for key, criterion in zip(keys, criteria, strict=True) if key not in known}
        if asked:
            fresh = self.inner.judge(case, list(asked.values()))
            for key, verdict in zip(asked, fresh, strict=True):
                known[key] = verdict
                if verdict.word is not None:
                    kept = {"word": verdict.word, "note": verdict.note, "share": dict(verdict.share)}
                    self._cache.set(key, json.dumps(kept))
        return [known[key] for key in keys]

    def _about(self, case: Case) -> str:
        cited = [url and [url, _sha256(case.pages.get(url, ""))] for url in case.trajectory.citations]
        task = [case.task.question, case.task.language, case.task.as_of]
        return canonical_json([self.version, self.trial, task, case.trajectory.answer, cited])

    def _known(self, key: str) -> Verdict | None:
        """What is kept under a key; an entry that is no verdict counts as missing."""
        try:
            data = json.loads(self._cache.get(key, "null"))
            word, share = data["word"], {str(name): float(value) for name, value in data["share"].items()}
            return Verdict(word, str(data["note"]), share) if word in VERDICTS else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _digest(about: str, criterion: Criterion) -> str:
    return _sha256(canonical_json([about, criterion.text, criterion.check, criterion.weight > 0]))


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
