"""`murk study`: how policies hold up under storms. One run for each storm, and a table over all of them."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from murk.envs.errors import RunStopped
from murk.rollout.build import Plan, compose, plan
from murk.rollout.cli import stopped
from murk.rollout.drive import drive
from murk.rollout.engine import Engine
from murk.rollout.run import begin, check_same, read_config, write_text


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk study`."""
    parser.epilog = (
        "example: murk study world=factbook tasks=facts policy=[naive,react,careful] episodes=100 storms=[flaky,spam] "
        "'intensities=[0,0.2,0.8]' out=runs/study. Called again with the same settings, it goes on where it stopped."
    )
    parser.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="settings, in Hydra's syntax")
    parser.add_argument("--json", action="store_true", help="print study.json instead of a table")
    parser.set_defaults(run=study)


def study(args: argparse.Namespace) -> int:
    """Runs what is missing of a study, and prints its table."""
    config = compose(args.overrides, "study")
    storms, intensities, out = config["storms"], config["intensities"], Path(config["out"])
    own = ("storms", "intensities", "out", "faults", "faults.intensity")
    given = [override for override in args.overrides if override.lstrip("+").partition("=")[0] not in own]
    plans = {storm: _plan(given, storm, intensities, out / storm) for storm in storms}
    rows: list[dict[str, Any]] = []
    try:
        for storm, one in plans.items():
            rows += _run(one, out / storm)["groups"]
    except (KeyboardInterrupt, SystemExit, RunStopped, OSError) as error:
        return stopped(error, "the same command")
    found = {"storms": storms, "intensities": intensities, "groups": rows}
    write_text(out / "study.json", json.dumps(found, indent=1) + "\n")
    if args.json:
        print(json.dumps(found))
    else:
        print_study(rows, [float(intensity) for intensity in intensities])
    return 0


def _plan(given: Sequence[str], storm: str, intensities: Sequence[float], out: Path) -> Plan:
    levels = f"faults.intensity=[{','.join(map(str, intensities))}]"
    made = plan(compose([*given, f"faults={storm}", levels, f"out={out}"]))
    if out.exists():
        check_same(read_config(out), made.config)
    return made


def _run(made: Plan, folder: Path) -> dict[str, Any]:
    if not folder.exists():
        Engine(made).close()
        begin(made, folder)
    return drive(made, folder)


def print_study(rows: Sequence[Mapping[str, Any]], intensities: Sequence[float]) -> None:
    """A line for each storm and policy: the reward by intensity, and what is kept of it at the highest one."""
    from murk.rollout.show import print_table, reward

    cells: dict[tuple[str, str], dict[float, Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["storm"], row["policy"]), {})[row["intensity"]] = row
    lines = []
    for (storm, policy), by_intensity in cells.items():
        values = [by_intensity[intensity]["reward"] for intensity in intensities]
        kept = values[-1]["mean"] / values[0]["mean"] if values[0] and values[-1] and values[0]["mean"] > 0 else None
        errors = sum(row["errored"] for row in by_intensity.values())
        shown = "none" if kept is None else f"{kept:.2f}"
        lines.append([storm, policy, *map(reward, values), shown, str(errors)])
    print_table(["storm", "policy", *(f"{intensity:g}" for intensity in intensities), "kept", "errors"], lines)
