"""The judge `cached`: another one, asked once for each thing that it decides.

A verdict is known by the judge's version (with its model, settings and prompts), the question, the criterion's text and
check and whether it is a flaw, the report, the pages that it cites as they were delivered, and the trial. Weights and
ids are no part of it: they do not change a verdict. Failures of a judge's machine are never kept.

All verdicts on one case are one entry, because opening an entry costs more than reading it.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

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
        entry, keys = self._entry(case), [_key(criterion) for criterion in criteria]
        kept = self._kept(entry)
        known = {key: found for key in keys if (found := _verdict(kept.get(key))) is not None}
        asked = {key: criterion for key, criterion in zip(keys, criteria, strict=True) if key not in known}
        if asked:
            fresh = dict(zip(asked, self.inner.judge(case, list(asked.values())), strict=True))
            self._keep(entry, fresh)
            known |= fresh
        return [known[key] for key in keys]

    def _entry(self, case: Case) -> str:
        cited = [url and [url, _sha256(case.pages.get(url, ""))] for url in case.trajectory.citations]
        task, answer = [case.task.question, case.task.language, case.task.as_of], case.trajectory.answer
        report = None if answer is None else _sha256(answer)
        return _sha256(canonical_json([self.version, self.trial, task, report, cited]))

    def _kept(self, entry: str) -> dict[str, Any]:
        """The entry of a case by criterion; one that cannot be read counts as empty."""
        try:
            data = json.loads(self._cache.get(entry, "{}"))
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    def _keep(self, entry: str, fresh: dict[str, Verdict]) -> None:
        """Adds verdicts to an entry, to which other processes may have added some in the meantime."""
        more = {
            key: {"word": verdict.word, "note": verdict.note, "share": dict(verdict.share)}
            for key, verdict in fresh.items()
            if verdict.word is not None
        }
        if more:
            with self._cache.transact():
                self._cache.set(entry, json.dumps(self._kept(entry) | more))


def _verdict(data: Any) -> Verdict | None:
    """What is kept of a verdict; None where it is none."""
    try:
        word, share = data["word"], {str(name): float(value) for name, value in data["share"].items()}
        return Verdict(word, str(data["note"]), share) if word in VERDICTS else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _key(criterion: Criterion) -> str:
    return _sha256(canonical_json([criterion.text, criterion.check, criterion.weight > 0]))


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
