"""`murk rollout`, `murk replay` and `murk show`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murk.envs.errors import RunStopped, UsageError

if TYPE_CHECKING:
    from murk.rollout.build import Plan


def add_rollout(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk rollout`."""
    parser.epilog = (
        "example: murk rollout world=generated policy=[naive,careful] episodes=30 out=runs/first. "
        "world is generated, factbook, wikispeedia or a snapshot's folder; tasks is synthesized, facts, creak, "
        "strategyqa or a file; policy is one or a list of naive, react, careful, closed_book, random, scripted, chat, "
        "transformers; rollout is local, ray or cluster. Settings within are reached by dots, as world.pages=10000 or "
        "rollout.concurrency=64. resume=FOLDER goes on with a run, also with another rollout."
    )
    parser.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="settings, in Hydra's syntax")
    parser.add_argument("--json", action="store_true", help="print summary.json instead of a table")
    parser.set_defaults(run=rollout)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk replay`."""
    parser.epilog = "example: murk replay runs/first"
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("ids", metavar="ID", nargs="*", help="ids of trajectories; default all")
    parser.add_argument("--snapshot", metavar="DIR", help="folder or URL of the snapshot, where it has moved")
    parser.add_argument("--rerun-shell", action="store_true", help="run shell commands again and report differences")
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")
    parser.set_defaults(run=replay)


def add_show(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk show`."""
    parser.epilog = "example: murk show runs/first 3f2a"
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("id", metavar="ID", nargs="?", help="beginning of a trajectory's id; default a table of all")
    parser.add_argument("--json", action="store_true", help="print the trajectory, or the summary, as JSON")
    parser.set_defaults(run=show)


def rollout(args: argparse.Namespace) -> int:
    """Runs a plan, or what is missing of one."""
    from murk.rollout.build import compose, plan
    from murk.rollout.drive import drive
    from murk.rollout.engine import Engine
    from murk.rollout.run import begin

    given = [override for override in args.overrides if not override.startswith("resume=")]
    resume = next((override[7:] for override in args.overrides if override.startswith("resume=")), None)
    if resume is None:
        composed = plan(compose(given))
        Engine(composed).close()  # what cannot be made is told before anything is written
        folder = Path(composed.config["out"])
        begin(composed, folder)
    else:
        folder = Path(resume)
        composed = resumed(folder, given)
    started = time.monotonic()
    try:
        summary = drive(composed, folder)
    except (KeyboardInterrupt, SystemExit, RunStopped, OSError) as error:
        return stopped(error, f"murk rollout resume={folder}")
    if args.json:
        print(json.dumps(summary))
    else:
        from murk.rollout.show import print_summary

        print_summary(summary)
        print(f"{len(composed.episodes)} episodes, {time.monotonic() - started:.1f} s; {folder}")
    return 0


def resumed(folder: Path, given: Sequence[str]) -> "Plan":
    """The plan of a run that was begun before; how it is carried out may be told anew.

    Raises:
        UsageError: the folder holds no run, or the settings are others.
    """
    from murk.rollout.build import compose, plan
    from murk.rollout.run import check_same, read_config

    stored = read_config(folder)
    own = {"kind": "file", "path": str(folder / "tasks.jsonl"), "split": None}
    way = [override for override in given if override.startswith("rollout")]
    rest = [override for override in given if override not in way]
    if rest:
        check_same(stored, plan(compose(rest)).config)
    how = dict(stored["rollout"])
    if any(override.startswith("rollout=") for override in way):
        how = compose(way)["rollout"]
    elif way:  # single settings change what the run was begun with
        composed = compose([f"rollout={how.get('kind')}", *way])["rollout"]
        how |= {name: composed[name] for name in (one.partition("=")[0].split(".")[1] for one in way)}
    return plan(stored | {"tasks": own, "episodes": None, "rollout": how})


def stopped(error: BaseException, again: str) -> int:
    """Tells that a run has stopped and how it goes on; gives the exit status."""
    asked = isinstance(error, KeyboardInterrupt | SystemExit)
    why = "stopped" if asked else str(error)
    print(f"murk: {why}; nothing that was finished is lost. Go on with: {again}", file=sys.stderr)
    if isinstance(error, SystemExit):
        return int(error.code or 0)
    return 130 if asked else 1


def replay(args: argparse.Namespace) -> int:
    """Replays a run; 1 where anything differs."""
    from murk.rollout.replay import replay as replay_run
    from murk.rollout.run import read_config
    from murk.rollout.store import Store

    read_config(args.folder)
    index = Store(args.folder).index()
    ids = frozenset(_id(index, given) for given in args.ids)
    count, found = 0, []
    for _, differences in replay_run(args.folder, ids, args.snapshot, args.rerun_shell):
        count += 1
        found += differences
    if args.json:
        rows = [{"id": one.id, "place": one.place, "diff": one.diff} for one in found]
        print(json.dumps({"replayed": count, "differences": rows}))
        return int(bool(found))
    for one in found[:1]:
        print(f"{one.id} differs first in {one.place}:\n{one.diff}\n")
    different = len({one.id for one in found})
    print(f"{count} episodes replayed, {different} of them different.")
    return int(bool(found))


def show(args: argparse.Namespace) -> int:
    """Shows a run, or one trajectory."""
    from murk.rollout.rows import from_row
    from murk.rollout.run import read_config, summarise
    from murk.rollout.show import print_episodes, print_summary, print_trajectory
    from murk.rollout.store import Store

    read_config(args.folder)
    store = Store(args.folder)
    if args.id is None:
        summary = summarise(args.folder)
        if args.json:
            print(json.dumps(summary))
        else:
            print_episodes(store)
            print_summary(summary)
        return 0
    name = _id(store.index(), args.id)
    row = next((row for row in store.rows() if row["id"] == name), None)
    if row is None:
        raise UsageError(f"the row of {name} is damaged; murk rollout resume={args.folder} runs it again.")
    score = store.scores().get(name)
    if args.json:
        print(json.dumps(row | {"score": score}, ensure_ascii=False))
    else:
        print_trajectory(from_row(row), score)
    return 0


def _id(index: dict[str, Any], given: str) -> str:
    found = [name for name in index if name.startswith(given)]
    if len(found) != 1:
        raise UsageError(
            f"{len(found)} trajectories have an id that begins with {given!r}; `murk show RUN` lists them."
        )
    return found[0]
