"""`murk storm check`: whether tasks stay solvable under a storm, and whether what it plants is met."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murk.envs.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from murk.envs.faults.solvable import Plant, Way

SETTINGS = ("faults", "seed", "split", "episodes", "env")
_EXAMPLE = "murk storm check SNAPSHOT tasks.jsonl faults=spam faults.intensity=0.4 seed=0 split=test"


@dataclass(frozen=True, slots=True)
class Checked:
    """A storm checked against tasks.

    Attributes:
        storm: Its name.
        intensity: Its intensity.
        seed: Of the run that was assumed.
        ways: For each task whether it is solvable, and how.
        plants: What the storm plants for each task, by its id.
    """

    storm: str
    intensity: float
    seed: int
    ways: tuple["Way", ...]
    plants: Mapping[str, tuple["Plant", ...]]

    @property
    def counts(self) -> dict[str, Any]:
        """The figures, as JSON values."""
        reasons = Counter(way.reason for way in self.ways if way.solvable is False)
        met = Counter((plant.fault, plant.reached is not None) for found in self.plants.values() for plant in found)
        return {
            "storm": self.storm,
            "intensity": self.intensity,
            "seed": self.seed,
            "tasks": len(self.ways),
            "solvable": sum(way.solvable is True for way in self.ways),
            "unsolvable": dict(sorted(reasons.items())),
            "without_gold": sum(way.solvable is None for way in self.ways),
            "planted": {
                name: {"reached": met[name, True], "unreached": met[name, False]}
                for name in sorted({fault for fault, _ in met})
            },
        }


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands below `murk storm` to a parser."""
    commands = parser.add_subparsers(dest="storm_command", required=True, metavar="COMMAND")
    text = (
        "Tell for each task whether its gold evidence stays reachable under a storm, within the budget, and by which "
        "path; and whether what the storm plants is met by searching and opening."
    )
    epilog = (
        f"example: {_EXAMPLE}. Settings are those of murk rollout: {', '.join(SETTINGS)}, and what lies below them. "
        "A budget that env.budget leaves open is 3,600 simulated seconds, and a tool call for each of env.max_steps."
    )
    made = commands.add_parser("check", help=text, description=text, epilog=epilog, allow_abbrev=False)
    made.add_argument("snapshot", type=Path, metavar="SNAPSHOT")
    made.add_argument("tasks", type=Path, metavar="TASKS", help="file of tasks (JSONL)")
    made.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="settings, in Hydra's syntax")
    made.add_argument("--json", action="store_true", help="print JSON, with a row for each task")
    made.set_defaults(run=_check)


def check(snapshot: Path, tasks: Path, overrides: Sequence[str]) -> Checked:
    """Checks a storm against tasks.

    Args:
        snapshot: Folder of a snapshot.
        tasks: File of tasks.
        overrides: Settings of `SETTINGS` in Hydra's syntax, as `faults=spam`.

    Raises:
        UsageError: a setting, the tasks or the snapshot are wrong.
    """
    from murk.envs.budget import Budget
    from murk.envs.faults.solvable import BUDGET, planted, solvable
    from murk.envs.faults.storm import Storm
    from murk.envs.opening import base_of, open_web
    from murk.rollout.build import compose, plan

    given = [f"world={snapshot.resolve()}", f"tasks={tasks.resolve()}", *map(_allowed, overrides)]
    planned = plan(compose(given))
    intensity = planned.config["faults"]["intensity"]
    if isinstance(intensity, list):
        raise UsageError(f"faults.intensity is {intensity}; allowed is one number from 0 to 1.")
    storm = Storm.of(dict(planned.faults) | {"intensity": intensity})
    env = planned.environment
    base = base_of(open_web(str(planned.snapshot), env["authority"], env["rerank"]))
    assert base is not None
    limits = Budget.of(env["budget"])
    calls = env["max_steps"] if limits.calls is None else min(limits.calls, env["max_steps"])
    budget = replace(limits, calls=calls, seconds=BUDGET.seconds if limits.seconds is None else limits.seconds)
    ways, plants = [], {}
    for name, task in planned.tasks.items():
        ways.append(solvable(storm.around(base, base, planned.seed, task, 0), base, task, budget))
        plants[name] = planted(storm, base, task, planned.seed) if storm.lies else ()
    return Checked(storm.name, storm.intensity, planned.seed, tuple(ways), plants)


def _allowed(override: str) -> str:
    name = override.partition("=")[0].lstrip("+~").partition(".")[0]
    if name not in SETTINGS:
        raise UnknownName("setting of a check", name, SETTINGS)
    return f"tasks.{override}" if name == "split" else override


def _check(args: argparse.Namespace) -> int:
    checked = check(args.snapshot, args.tasks, args.overrides)
    counts = checked.counts
    if args.json:
        rows = [asdict(way) | {"planted": [asdict(one) for one in checked.plants[way.task]]} for way in checked.ways]
        print(json.dumps(counts | {"rows": rows}, ensure_ascii=False))
        return 0
    for way in checked.ways:
        if way.solvable is False:
            print(f"unsolvable ({way.reason}): {way.task}, for want of {way.missing[0]}")
    for name, plants in checked.plants.items():
        for plant in plants:
            if plant.reached is None:
                print(f"unreached ({plant.fault}): {name}, {plant.unit}")
    _show(counts)
    return 0


def _show(counts: Mapping[str, Any]) -> None:
    unsolvable = sum(counts["unsolvable"].values())
    print(
        f"{counts['storm']} at {counts['intensity']:g}, seed {counts['seed']}: {counts['tasks']:,} tasks, "
        f"{counts['solvable']:,} solvable, {unsolvable:,} unsolvable, {counts['without_gold']:,} without gold pages"
    )
    for reason, count in counts["unsolvable"].items():
        print(f"  unsolvable, {reason}: {count:,}")
    for name, met in counts["planted"].items():
        print(f"  planted by {name}: {met['reached']:,} reached, {met['unreached']:,} unreached")
