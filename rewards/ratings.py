"""Ratings of players, such as policies, from matches between them: Elo and Bradley-Terry, with bootstrap intervals.

Elo follows the order of the matches; Bradley-Terry is the maximum of the likelihood over all of them, in any order, and
is what the two should be compared by. A tie counts as half a win of each, as in ADR-Bench.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from murk.envs.errors import UsageError
from murk.envs.seeds import Draws

START = 1_000.0
SCALE = 400.0
_ROUNDS = 60
_ENOUGH = 1e-9
_RIDGE = 1e-9

Rate = Callable[[Sequence["Match"]], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Match:
    """One match.

    Attributes:
        first: Name of a player.
        second: Name of another.
        score: 1 where the first won, 0.5 for a tie, 0 where it lost.
        task: What they were compared on; matches on one task are drawn together.

    Raises:
        UsageError: a player against itself, or another score.
    """

    first: str
    second: str
    score: float
    task: str = ""

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise UsageError(f"{self.first!r} plays against itself; allowed are two players.")
        if self.score not in (0, 0.5, 1):
            raise UsageError(f"score of a match is {self.score!r}; allowed are 0, 0.5 and 1.")


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating with its interval, in points: 400 more are odds of ten to one."""

    value: float
    low: float
    high: float


def points(matches: Sequence[Match]) -> dict[str, float]:
    """The share of points that each player won, from 0 to 1: wins and half of ties."""
    won, played = dict.fromkeys(players(matches), 0.0), dict.fromkeys(players(matches), 0)
    for match in matches:
        won[match.first] += match.score
        won[match.second] += 1 - match.score
        played[match.first] += 1
        played[match.second] += 1
    return {name: won[name] / played[name] for name in won}


def elo(matches: Sequence[Match], k: float = 16.0) -> dict[str, float]:
    """Elo ratings after the matches in their order, all players beginning at 1,000.

    Args:
        k: Points that a sure win against an equal is worth, twice over.
    """
    ratings = dict.fromkeys(players(matches), START)
    for match in matches:
        expected = 1 / (1 + 10 ** ((ratings[match.second] - ratings[match.first]) / SCALE))
        ratings[match.first] += k * (match.score - expected)
        ratings[match.second] -= k * (match.score - expected)
    return ratings


def bradley_terry(matches: Sequence[Match], prior: float = 0.5) -> dict[str, float]:
    """Bradley-Terry ratings around 1,000, by Newton's method.

    Args:
        prior: Ties with a player of 1,000 points that each player is given, from 0. Without any, a player that never
            lost or never won has no finite rating; these come out extreme, and players that no chain of matches joins
            have no meaning beside each other.

    Raises:
        UsageError: the prior is below 0.
    """
    if prior < 0:
        raise UsageError(f"prior is {prior}; allowed are numbers from 0.")
    names = players(matches)
    at = {name: i for i, name in enumerate(names)}
    games, won = np.zeros((len(names), len(names))), np.full(len(names), prior / 2)
    for match in matches:
        i, j = at[match.first], at[match.second]
        games[i, j] += 1
        games[j, i] += 1
        won[i] += match.score
        won[j] += 1 - match.score
    strength = np.zeros(len(names))
    for _ in range(_ROUNDS):
        beats = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
        anchor = 1 / (1 + np.exp(-strength))
        gradient = won - (games * beats).sum(1) - prior * anchor
        bend = games * beats * (1 - beats)
        hessian = np.diag(bend.sum(1) + prior * anchor * (1 - anchor) + _RIDGE) - bend
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        strength = strength + step
        if np.abs(step).max(initial=0.0) <= _ENOUGH:
            break
    if not prior and names:
        strength = strength - strength.mean()
    return {name: round(START + SCALE * x / math.log(10), 6) for name, x in zip(names, strength.tolist(), strict=True)}


def rated(
    matches: Sequence[Match], rate: Rate = bradley_terry, samples: int = 1_000, seed: int = 0
) -> dict[str, Rating]:
    """Ratings with 95 % bootstrap intervals over tasks.

    Args:
        rate: `bradley_terry`, `elo` or `points`.
        samples: Draws of as many tasks as there are, with replacement. A player that a draw leaves out is not counted
            in that draw.
    """
    values = rate(matches)
    by_task: dict[str, list[Match]] = {}
    for match in matches:
        by_task.setdefault(match.task, []).append(match)
    groups, draws = list(by_task.values()), Draws(seed, "ratings")
    found: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(samples):
        drawn = [match for _ in groups for match in draws.pick(groups)]
        for name, value in rate(drawn).items():
            found[name].append(value)
    return {name: Rating(value, *_middle(found[name] or [value])) for name, value in values.items()}


def players(matches: Sequence[Match]) -> list[str]:
    """The names of all players, sorted."""
    return sorted({name for match in matches for name in (match.first, match.second)})


def _middle(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(np.array(values), [2.5, 97.5])
    return float(low), float(high)
