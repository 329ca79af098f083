"""Runs and trajectories as people read them."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from murk.envs.records import Trajectory
from murk.rollout.store import Store

_LONG = 2_000
_WIDE = 6


def print_summary(summary: Mapping[str, Any]) -> None:
    """Tables of rewards by policy and storm, and by kind of task, with 95 % bootstrap intervals over tasks."""
    groups = summary["groups"]
    head = ["policy", "storm", "episodes", "answered", "truncated", "errors", "reward"]
    rows = [
        [
            group["policy"],
            f"{group['storm']} {group['intensity']:g}",
            *(str(group[name]) for name in ("episodes", "answered", "truncated", "errored")),
            reward(group["reward"]),
        ]
        for group in groups
    ]
    print_table(head, rows)
    kinds = sorted({kind for group in groups for kind in group["kinds"]})
    if len(kinds) > 1 and len(groups) <= _WIDE:
        print()
        print_table(
            ["kind", "tasks", *(group["policy"] for group in groups)],
            [[kind, str(_tasks(groups, kind)), *(_by_kind(group, kind) for group in groups)] for kind in kinds],
        )


def _tasks(groups: list[Mapping[str, Any]], kind: str) -> int:
    return max(int(group["kinds"].get(kind, {}).get("tasks", 0)) for group in groups)


def _by_kind(group: Mapping[str, Any], kind: str) -> str:
    return reward(group["kinds"].get(kind, {}).get("reward"))


def print_episodes(store: Store) -> None:
    """A line for each trajectory."""
    scores = store.scores()
    rows = []
    for row in store.rows(["id", "policy", "task", "sample", "status", "error"]):
        value = scores.get(row["id"], {}).get("value")
        shown = "none" if value is None else f"{value:.3f}"
        rows.append(
            [row["id"], row["policy"], row["task"], str(row["sample"]), row["status"], shown, row["error"] or ""]
        )
    print_table(["id", "policy", "task", "sample", "status", "reward", "error"], rows)


def print_trajectory(trajectory: Trajectory, score: Mapping[str, Any] | None) -> None:
    """The transcript of an episode, what it spent, the faults that struck it, and its score."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)

    def say(title: str, text: str, style: str) -> None:
        console.rule(title, style=style, align="left")
        cut = (
            f"{text[:_LONG]}\n[... {len(text) - _LONG:,} characters more; --json has them]"
            if len(text) > _LONG
            else text
        )
        console.print(Text(cut, style=style))

    say(f"{trajectory.policy} on {trajectory.task}, sample {trajectory.sample}", trajectory.question, "bold green")
    for number, step in enumerate(trajectory.steps):
        spent = f"{step.spending.get('calls', 0):g} calls, {step.spending.get('seconds', 0):g} s"
        say(f"step {number}: {', '.join(step.capabilities) or 'no call'}  ({spent} so far)", step.action, "cyan")
        for event in (event for event in trajectory.events if event.step == number):
            console.print(Text(f"fault {event.fault}: {event.unit}", style="red"))
        if step.observation:
            say("observation", step.observation, "default")
    say(trajectory.status, trajectory.error or "", "bold")
    if score is not None:
        parts = "\n".join(f"{name}: {value:g}" for name, value in score["parts"].items())
        say(f"reward {score['value']}", "\n".join([parts, *score["notes"]]), "magenta")


def reward(interval: Mapping[str, float] | None) -> str:
    """A mean with its interval, as `0.512 (0.47, 0.55)`."""
    if interval is None:
        return "none"
    return f"{interval['mean']:.3f} ({interval['low']:.2f}, {interval['high']:.2f})"


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table without lines, as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
