"""The format reward: turns and reports as the dialect wants them.

It prevents that a policy learns broken calls and leaking tags where the outcome was good in spite of them: each costs a
turn, and with another parser the whole episode. On its own it would pay for answering at once, so it belongs in a
product, or in a sum with a small weight.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from murk.envs.records import Trajectory
from murk.envs.tasks import Task
from murk.rewards.prose import answered
from murk.rewards.score import Score

_LEAKED = re.compile(r"</?(?:think|toolcall|tool_call|tool_response|answer)>")


@dataclass(frozen=True, slots=True)
class FormatReward:
    """The share of turns with which nothing was wrong; 0 without a report, or where tags of the dialect are in it."""

    version = "format 1"

    def __call__(self, trajectory: Trajectory, task: Task, pages: Mapping[str, str]) -> Score:
        if not answered(trajectory):
            return Score(0.0, notes=("no answer",))
        wrong = sum(step.problems > 0 for step in trajectory.steps)
        share = 1 - wrong / len(trajectory.steps) if trajectory.steps else 1.0
        if leaked := _LEAKED.search(trajectory.answer or ""):
            return Score(0.0, {"turns": share}, (f"{leaked[0]} stands in the report",))
        return Score(share, {"turns": share})
