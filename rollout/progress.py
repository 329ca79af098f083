"""Progress of a run: a bar on a terminal, nothing elsewhere."""

import sys
from types import TracebackType
from typing import Any

from murk.envs.records import Trajectory


class Bar:
    """A bar with episodes per second, mean reward, and failures; it is silent where standard error is no terminal.

    Args:
        total: Episodes of the run.
        done: Those that were there before.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self._total, self._done, self._before = total, done, done
        self._rewards: list[float] = []
        self._errors = 0
        self._bar: Any = None

    def __enter__(self) -> "Bar":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total, completed=self._done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, trajectory: Trajectory, reward: float | None) -> None:
        """An episode has ended."""
        self._done += 1
        self._errors += trajectory.status == "errored"
        if reward is not None:
            self._rewards.append(reward)
        if self._bar is None:
            return
        elapsed = self._bar.tasks[0].elapsed or 1e-9
        mean = f"{sum(self._rewards) / len(self._rewards):.3f}" if self._rewards else "none"
        text = f"{(self._done - self._before) / elapsed:.1f} episodes/s  reward {mean}  errors {self._errors}"
        self._bar.update(self._task, completed=self._done, description=text)
