"""Progress of a run: a live table on a terminal, and in the run's folder files for monitoring.

The table is all that is printed. `metrics.prom` is for Prometheus, `metrics.jsonl` keeps what the run has cost over
time, and `tensorboard/` is there on request.
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from murk.envs.errors import UsageError
from murk.rollout.gauges import Gauges
from murk.rollout.machinery import Timeline
from murk.rollout.outcome import Load, Outcome
from murk.rollout.run import read_config
from murk.rollout.table import LiveTable
from murk.rollout.tally import Tally
from murk.rollout.tensorboard import Board


class View(Protocol):
    """What shows a tally, at most once in `every` seconds."""

    @property
    def every(self) -> float: ...

    def write(self, tally: Tally) -> None: ...

    def close(self) -> None: ...


class Progress:
    """Shows a run while it goes on. What fails here never stops the run: files are given up with one warning.

    Args:
        total: Episodes of the run.
        done: Those that were there before.
        folder: Of the run; None to write no files.
        tensorboard: Whether to write event files, too.
        clock: Seconds that never go back.

    Raises:
        UsageError: TensorBoard is asked for without a folder or without its package.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        *,
        folder: Path | None = None,
        tensorboard: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if tensorboard and folder is None:
            raise UsageError("tensorboard is true, but there is no folder of a run that its files could lie in.")
        self.tally = Tally(total, done, _storm(folder), clock)
        self._clock, self._table, self._files, self._next = clock, LiveTable(), list[View](), math.inf
        if folder is not None:
            self._files = [Gauges(folder), Timeline(folder), *([Board(folder)] if tensorboard else [])]
        self._due: dict[View, float] = {}

    def __enter__(self) -> "Progress":
        if self._table.open():
            self._due[self._table] = 0.0
        self._due |= dict.fromkeys(self._files, 0.0)
        self._show(everything=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tally.load = replace(self.tally.load, queued=0, running=0, workers=0)
        self._table.over = kind is None
        self._show(everything=True)
        self._close(list(self._due))

    def finished(self, outcome: Outcome) -> None:
        """An episode has ended."""
        self.tally.add(outcome)
        self._show()

    def load(self, load: Load) -> None:
        """How busy the run is; to be told about once a second, because nothing is drawn in between."""
        self.tally.hear(load)
        self._show()

    def _show(self, everything: bool = False) -> None:
        now = self._clock()
        if now < self._next and not everything:
            return
        for view in list(self._due):
            if view in self._due and (everything or now >= self._due[view]):  # one may have taken others with it
                self._due[view] = now + view.every
                try:
                    view.write(self.tally)
                except OSError as error:
                    self._give_up(view, error)
        self._next = min(self._due.values(), default=math.inf)

    def _give_up(self, view: View, error: OSError) -> None:
        self._close([view] if view is self._table else self._files)
        if view is not self._table:
            with contextlib.suppress(OSError):
                print(f"murk: the run goes on without its metrics files: {error}.", file=sys.stderr)

    def _close(self, views: Sequence[View]) -> None:
        for view in views:
            self._due.pop(view, None)
            with contextlib.suppress(OSError):
                view.close()


def _storm(folder: Path | None) -> str:
    """Name of a run's storm, which an episode does not say."""
    if folder is None or not (folder / "config.yaml").is_file():
        return ""
    return str(read_config(folder)["faults"]["name"])
