"""Scoring: trajectories per second by the rubric with the rule judge, and what penalties and reading reports take.

The judge `entailment` scores the same trajectories once as it is, reading each report anew, and once from a full cache.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import interleaved, p50_p99, table, versions

from murk.envs.records import Trajectory
from murk.envs.seeds import Draws
from murk.envs.tasks import Task
from murk.rewards import RubricReward
from murk.rewards.budget import Otc
from murk.rewards.judges import entailment, report
from murk.rewards.judges.cached import CachedJudge
from murk.rewards.judges.entailment import EntailmentJudge
from murk.rewards.score import Reward
from murk.rewards.stacking import StackingReward

COUNT, CRITERIA, PAGES, PAGE_BYTES = 100, 12, 8, 9_000
WORDS = (
    "the",
    "light",
    "on",
    "island",
    "was",
    "lit",
    "by",
    "its",
    "keeper",
    "who",
    "came",
    "from",
    "port",
    "in",
    "year",
)
Case = tuple[Trajectory, Task, dict[str, str]]
KINDS = (
    lambda name, year: {"kind": "alias", "values": [name], "rivals": [{"values": ["Tom Harrow"]}]},
    lambda name, year: {"kind": "value", "number": year, "tolerance": 0, "rivals": [{"number": year + 400}]},
    lambda name, year: {"kind": "supports", "values": [name]},
    lambda name, year: {"kind": "absent", "values": ["Eve Stone"]},
)


def main() -> None:
    """Prints the table."""
    print(f"# Scoring {COUNT} trajectories; {CRITERIA} criteria, {PAGES} cited pages of {PAGE_BYTES / 1000:g} kB")
    print(versions("murk-gym", "numpy"))
    rows, ratios = [], []
    for size in (4_000, 40_000):
        cases = [_case(size, number) for number in range(COUNT)]
        ratios.append([f"{size // 1000} kB", *_cached(cases)])
        rewards: dict[str, Reward] = {"rubric": RubricReward(), "stacking": StackingReward(), "otc": Otc()}
        calls = {name: _scoring(reward, cases) for name, reward in rewards.items()}
        times = interleaved(calls, COUNT, rounds=3, before=report.read.cache_clear)
        for name, values in times.items():
            rate = f"{1e6 / np.mean(values):,.0f}"
            rows.append([f"{name}, {size // 1000} kB", rate, *p50_p99(values / 1000, digits=2)])
    table("Trajectories a second; p50 and p99 in milliseconds", ["", "per second", "p50", "p99"], rows)
    table(
        f"{COUNT * CRITERIA} verdicts of entailment; milliseconds a trajectory",
        ["", "uncached", "cached", "ratio"],
        ratios,
    )


def _cached(cases: list[Case]) -> list[str]:
    """Mean milliseconds of a trajectory by the judge, by its full cache, and how many times the one is the other."""
    with TemporaryDirectory() as folder:
        judge = EntailmentJudge()
        plain, cached = RubricReward(judge=judge), RubricReward(judge=CachedJudge(judge, Path(folder)))
        calls = {"uncached": _scoring(plain, cases), "cached": _scoring(cached, cases)}
        times = interleaved(calls, COUNT, rounds=3, before=entailment._read.cache_clear)
    means = [float(np.mean(times[name])) / 1000 for name in ("uncached", "cached")]
    return [*(f"{mean:.3f}" for mean in means), f"{means[0] / means[1]:.0f}"]


def _scoring(reward: Reward, cases: list[Case]) -> Callable[[int], object]:
    return lambda i: reward(*cases[i])


def _case(size: int, number: int) -> Case:
    """A trajectory with a report of about `size` characters that gives half of what its task asks for."""
    draws = Draws(number, "reward speed", size)
    names = [f"Keeper {chr(65 + i)}{draws.below(1000)}" for i in range(CRITERIA)]
    rubric = [
        {"text": name, "weight": 2, "check": KINDS[i % len(KINDS)](name, 1500 + i)} for i, name in enumerate(names)
    ]
    urls = [f"https://host{number}.example/{i}" for i in range(PAGES)]
    text = "\n".join([_prose(draws, size), *(f"It names {name}, in {1500 + i}." for i, name in enumerate(names[::2]))])
    pages = {url: _prose(draws, PAGE_BYTES) + names[i] for i, url in enumerate(urls)}
    task = Task.of({"id": str(number), "question": "Who?", "rubric": rubric})
    trajectory = Trajectory(task.id, "answered", text, tuple(urls), {"calls": 20.0}, {"calls": 50.0})
    return trajectory, task, pages


def _prose(draws: Draws, size: int) -> str:
    lines, length = [], 0
    while length < size:
        words = [draws.pick(WORDS) for _ in range(8 + draws.below(12))]
        lines.append(f"{' '.join(words).capitalize()} {1000 + draws.below(900)}.")
        length += len(lines[-1]) + 1
    return "\n".join(lines)


if __name__ == "__main__":
    main()
