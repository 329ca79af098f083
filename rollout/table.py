"""The live table of a run: how far it is, how fast it goes, and the mean reward by policy and storm."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from murk.rollout.tally import Tally, caches

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_GROUPS = 20
_AROUND = 8  # lines of a terminal that the groups leave free
_BAR = 40


class LiveTable:
    """The live table on standard error."""

    every = 0.25

    def __init__(self) -> None:
        self.over = False

    def open(self) -> bool:
        """Begins to draw; False where standard error is no terminal that lines can be drawn on again."""
        if not sys.stderr.isatty():
            return False
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        if not console.is_interactive:
            return False
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=sys.stdout.isatty())
        self._live.start()
        console.show_cursor()  # a killed run, too, is to leave the terminal as it was
        return True

    def write(self, tally: Tally) -> None:
        """Draws the table anew; raises OSError where the terminal has gone."""
        room = max(1, min(_GROUPS, self._live.console.height - _AROUND))
        self._live.update(render(tally, room, self.over), refresh=True)

    def close(self) -> None:
        """Leaves the table as it was drawn last."""
        self._live.stop()


def render(tally: Tally, groups: int = _GROUPS, over: bool = False) -> "RenderableType":
    """The table: how far the run is, how fast it goes, and a line for each of the first groups.

    Args:
        tally: What to show.
        groups: The most lines of groups.
        over: Whether the run is over, so that only the figures of the whole of it are left to show.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=tally.total or 1, completed=tally.done, width=_BAR)
    share = f"{tally.done / tally.total:.0%}" if tally.total else ""
    head.add_row(bar, Text(f"{tally.done:,}/{tally.total:,}", style="bold"), share, Text(_time(tally, over), "cyan"))
    parts: list[RenderableType] = [head, _figures(tally, over)]
    rates = {name: cache["rate"] for name, cache in caches(tally.sums).items() if cache["rate"] is not None}
    if rates:
        told = [part for name, rate in rates.items() for part in (f"  {name} ", (f"{rate:.0%}", "not dim bold"))]
        parts.append(Text.assemble("cached", *told, style="dim"))
    if tally.groups and not over:
        parts.append(Padding(_groups(tally, groups), (1, 0, 0, 0)))
    return Group(*parts)


def _time(tally: Tally, over: bool) -> str:
    left = tally.seconds if over else tally.left()
    if not left:
        return ""
    span = timedelta(seconds=round(left))
    return f"in {span}" if over else f"{span} left"


def _figures(tally: Tally, over: bool) -> "Table":
    """Rates, those of late or at the end of the whole run; how busy the run is; and what went wrong."""
    from rich.table import Table
    from rich.text import Text

    load, rates = tally.load, tally.rates() if over else tally.recent()
    told = {f"{name}/s": (_short(value), "bold") for name, value in rates._asdict().items()}
    if not over:
        busy = {"queue": load.queued, "running": load.running, "workers": load.workers}
        told |= {name: (f"{value:,}", "bold") for name, value in busy.items()}
    for name, value, style in (("retries", tally.retried, "bold yellow"), ("errors", tally.errors, "bold red")):
        told[name] = (f"{value:,}", style if value else "bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in told:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*(Text(value, style=style) for value, style in told.values()))
    return table


def _groups(tally: Tally, most: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("policy", "storm"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in ("episodes", "errors", "mean reward"):
        table.add_column(name, justify="right", no_wrap=True)
    for policy, storm, intensity in sorted(tally.groups)[:most]:
        group = tally.groups[policy, storm, intensity]
        errors = group.statuses.get("errored", 0)
        mean = "none" if group.mean is None else f"{group.mean:.3f}"
        table.add_row(
            Text(policy),
            Text(f"{storm} {intensity:g}".strip()),
            f"{sum(group.statuses.values()):,}",
            Text(f"{errors:,}", style="red" if errors else "dim"),
            Text(mean, style="bold"),
        )
    if len(tally.groups) > most:
        table.add_row(Text(f"... and {len(tally.groups) - most} more", style="dim"))
    return table


def _short(value: float) -> str:
    """Three digits and a unit: 0.25, 12.3, 45.1k, 2.30M.

    >>> [_short(value) for value in (0, 0.254, 12.34, 999.7, 45_100, 2_300_000)]
    ['0', '0.25', '12.3', '1.00k', '45.1k', '2.30M']
    """
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale * 0.9995:
            value, suffix = value / scale, unit
            break
    else:
        suffix = ""
    if not value:
        return "0"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{suffix}"
