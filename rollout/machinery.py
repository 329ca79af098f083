"""`metrics.jsonl`: what a run has cost its machines, line by line while it goes on, and its sum for `summary.json`.

A line holds the figures since its session began, a session being one call that ran or resumed the run. So differences
of lines tell how speed, cost and hit rates change with continued use. It is written as journals are.
"""

from pathlib import Path
from typing import Any

from murk.rewards.score import summed
from murk.rollout.journal import Journal, read_journal
from murk.rollout.tally import Tally, caches

_NAME = "metrics.jsonl"


class Timeline:
    """Appends lines to `metrics.jsonl` in a run's folder."""

    every = 10.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal: Journal | None = None
        self._session = 0

    def write(self, tally: Tally) -> None:
        """Writes a line, once an episode has ended; raises OSError where that fails."""
        if not tally.episodes:
            return
        if self._journal is None:
            self._session = 1 + max(_sessions(self._folder), default=0)
            self._journal = Journal(self._folder / _NAME)
        self._journal.append(line(tally, self._session))

    def close(self) -> None:
        """Closes the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def line(tally: Tally, session: int) -> dict[str, Any]:
    """A line of the file: sums since the session began, and its wall seconds."""
    return {
        "session": session,
        "seconds": round(tally.seconds, 3),
        "episodes": tally.episodes,
        "errors": tally.errors,
        "retried": tally.retried,
        "tokens": tally.tokens,
        "calls": tally.calls,
        "usage": {name: round(tally.sums[name], 6) for name in sorted(tally.sums)},
        "caches": caches(tally.sums),
    }


def machinery(folder: Path) -> dict[str, Any] | None:
    """What all sessions of a run have cost together; None where no file tells.

    A session that was killed counts as far as its last line, which is at most ten seconds older. Damaged lines are
    left out.

    Args:
        folder: Of the run.

    Returns:
        `sessions`, wall `seconds`, `episodes_per_second` (None if no time went by), `retried`, `usage` by name, and
        `caches` by name, each with `asked`, `hit` and `rate` (None if it was asked for nothing).
    """
    rows = list(_sessions(folder).values())
    if not rows:
        return None
    seconds, episodes, retried = (sum(row[name] for row in rows) for name in ("seconds", "episodes", "retried"))
    usage = {name: round(amount, 6) for name, amount in summed([row["usage"] for row in rows]).items()}
    return {
        "sessions": len(rows),
        "seconds": round(seconds, 3),
        "episodes_per_second": round(episodes / seconds, 3) if seconds else None,
        "retried": retried,
        "usage": usage,
        "caches": caches(usage),
    }


def _sessions(folder: Path) -> dict[int, dict[str, Any]]:
    """The last undamaged line of each session."""
    path = folder / _NAME
    try:
        return {row["session"]: row for row in read_journal(path)} if path.exists() else {}
    except OSError:  # figures that cannot be read must not cost the summary
        return {}
