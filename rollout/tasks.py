"""`murk tasks ...`: import tasks that others publish, check them against a snapshot, and make new ones from facts."""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murk.envs.errors import NotInSnapshot, UsageError
from murk.envs.records import Trajectory
from murk.envs.tasks import Criterion, Task, read_tasks, write_tasks

if TYPE_CHECKING:
    from murk.envs.web.snapshot import Snapshot
    from murk.rollout.policies import Policy

SOLVED = 0.8
_EXAMPLES = {
    "import": "murk tasks import creak.jsonl tasks.jsonl --format creak",
    "check": "murk tasks check SNAPSHOT tasks.jsonl --json",
    "synthesize": "murk tasks synthesize SNAPSHOT tasks.jsonl --count 100 --seed 1 --split --discards discards.jsonl",
}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands below `murk tasks` to a parser."""
    commands = parser.add_subparsers(dest="tasks_command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, description=text, epilog=f"example: {_EXAMPLES[name]}", allow_abbrev=False
        )
        made.set_defaults(run=run)
        return made

    made = command("import", _import, "Turn a file of questions, claims or rubrics into tasks.")
    made.add_argument("file", type=Path, metavar="FILE")
    made.add_argument("out", type=Path, metavar="OUT", help="file of tasks to make (JSONL)")
    made.add_argument(
        "--format",
        required=True,
        metavar="NAME",
        help="researchrubrics, scholarqa, deepresearchbench, qa, strategyqa or creak",
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    text = (
        "List gold pages that a snapshot lacks, criteria that the rule judge cannot decide, and questions asked twice;"
    )
    made = command("check", _check, f"{text} exit status 1 where a gold page is missing.")
    made.add_argument("snapshot", type=Path, metavar="SNAPSHOT")
    made.add_argument("tasks", type=Path, metavar="TASKS", help="file of tasks (JSONL)")
    made.add_argument("--json", action="store_true", help="print JSON")
    _add_synthesize(command("synthesize", _synthesize, "Make tasks with exact rubrics from the facts of a snapshot."))


def _add_synthesize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", type=Path, metavar="SNAPSHOT")
    parser.add_argument("out", type=Path, metavar="OUT", help="file of tasks to make (JSONL)")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="tasks wanted (default 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="from 0 (default 0)")
    parser.add_argument("--facts", type=Path, metavar="FILE", help="facts as triples; default those of the snapshot")
    parser.add_argument("--kinds", metavar="A,B", help="kinds of tasks; default all")
    parser.add_argument("--language", default="en", metavar="TAG", help="of the questions (default en)")
    parser.add_argument("--split", action="store_true", help="halves for tuning and test that share no entity")
    parser.add_argument(
        "--solver", metavar="POLICY", help=f"leave out what this policy solves (score {SOLVED} or more)"
    )
    parser.add_argument("--discards", type=Path, metavar="FILE", help="write what was left out, with reasons (JSONL)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _import(args: argparse.Namespace) -> int:
    from murk.envs.task_formats import import_tasks

    found = import_tasks(args.format, args.file)
    write_tasks(args.out, found.tasks)
    criteria = sum(len(task["rubric"]) for task in found.tasks)
    if args.json:
        counts = {"out": str(args.out), "tasks": len(found.tasks), "criteria": criteria}
        print(json.dumps(counts | {"skipped": found.skipped, "examples": found.examples}, ensure_ascii=False))
        return 0
    print(f"{args.out}: {len(found.tasks):,} tasks, {criteria:,} criteria, {found.skipped.total():,} records left out")
    for reason, count in sorted(found.skipped.items()):
        print(f"  {count:,} {reason}; first {found.examples[reason][0]}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot

    snapshot, tasks = Snapshot.open(args.snapshot), read_tasks(args.tasks)
    missing = {name: urls for name, task in tasks.items() if (urls := missing_pages(snapshot, task))}
    undecided = {name: ids for name, task in tasks.items() if (ids := undecidable(task))}
    doubles = duplicates(tasks.values())
    criteria = sum(len(task.rubric) for task in tasks.values())
    if args.json:
        lists = {"missing": missing, "undecided": undecided, "duplicates": doubles}
        print(json.dumps({"tasks": len(tasks), "criteria": criteria} | lists, ensure_ascii=False))
        return 1 if missing else 0
    _show("gold pages that the snapshot lacks", [f"{name}: {' '.join(urls)}" for name, urls in missing.items()])
    lines = [f"{name}: {len(ids)} of {len(tasks[name].rubric)} ({_few(ids)})" for name, ids in undecided.items()]
    _show("criteria that the rule judge cannot decide", lines)
    _show("questions asked more than once", [" ".join(ids) for ids in doubles])
    pages, open_ = sum(map(len, missing.values())), sum(map(len, undecided.values()))
    print(
        f"{args.tasks}: {len(tasks):,} tasks, {criteria:,} criteria; {pages:,} gold pages missing in {len(missing):,} "
        f"tasks, {open_:,} criteria undecidable in {len(undecided):,} tasks, {len(doubles):,} questions repeated"
    )
    return 1 if missing else 0


def missing_pages(snapshot: "Snapshot", task: Task) -> list[str]:
    """Gold pages of a task, and pages that its rubric wants cited, that the snapshot lacks under that address.

    A page that the snapshot holds under another spelling counts as missing: a citation of it would not be recognised.
    """
    wanted: list[tuple[str, str | None]] = []
    gold = task.more.get("gold")
    for page in gold if isinstance(gold, list) else []:
        if isinstance(page, Mapping):
            at = page.get("at")
            wanted.append((str(page.get("url")), at if isinstance(at, str) else None))
    wanted += [(url, None) for criterion in task.rubric for url in _cited(criterion.check)]
    return list(dict.fromkeys(url for url, at in wanted if not _holds(snapshot, url, at)))


def _holds(snapshot: "Snapshot", url: str, at: str | None) -> bool:
    try:
        return snapshot.page(url, at).url == url
    except (NotInSnapshot, ValueError):
        return False


def _cited(check: Any) -> list[str]:
    """Addresses in a check and the checks within it."""
    if not isinstance(check, Mapping):
        return []
    parts, urls = check.get("checks"), check.get("urls")
    inner = [url for part in (parts if isinstance(parts, list) else []) for url in _cited(part)]
    return inner + [str(url) for url in (urls if isinstance(urls, list) else [])]


def undecidable(task: Task) -> list[str]:
    """Ids of the criteria that the rule judge cannot decide: without a check, or with one that it does not know."""
    return [criterion.id for criterion in task.rubric if not _decidable(criterion)]


def _decidable(criterion: Criterion) -> bool:
    from murk.rewards.judges.rule import judge

    if criterion.check is None:
        return False
    try:
        judge(criterion.check, Trajectory("", "answered", ""), {})
    except (UsageError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    return True


def duplicates(tasks: Iterable[Task]) -> list[list[str]]:
    """Ids of tasks that ask the same, case and punctuation aside, in groups of two and more."""
    from murk.rewards.judges.rule import plain

    groups: dict[str, list[str]] = {}
    for task in tasks:
        groups.setdefault(plain(task.question) or task.question, []).append(task.id)
    return [ids for ids in groups.values() if len(ids) > 1]


def solved_by(policy: "Policy", snapshot: "Snapshot", tasks: Sequence[Mapping[str, Any]], seed: int = 0) -> set[str]:
    """Ids of the tasks that a policy solves already: its report scores `SOLVED` or more by the rule judge.

    Raises:
        UsageError: an episode broke off with an error, so that nothing is known of its task.
    """
    from murk.envs.deep_research import DeepResearchEnv
    from murk.rewards import RubricReward
    from murk.rollout.episode import run_episode

    env, reward, solved = DeepResearchEnv(snapshot, tasks, reward=None), RubricReward(), set()
    for name, task in read_tasks(tasks).items():
        trajectory = asyncio.run(run_episode(env, policy, task=name, seed=seed))
        if trajectory.status == "errored":
            raise UsageError(f"the solver failed on task {name}: {trajectory.error}")
        pages = {url: page.text for url, page in env.desk.pages.items()}
        value = reward(trajectory, task, pages).value
        if value is not None and value >= SOLVED:
            solved.add(name)
    env.close()
    return solved


def _synthesize(args: argparse.Namespace) -> int:
    from murk.envs.web.snapshot import Snapshot
    from murk.envs.worlds.synthesize import split_by_entities, synthesize

    if args.count < 1:
        raise UsageError(f"--count is {args.count}; allowed are 1 and more.")
    if args.discards and args.discards.resolve() == args.out.resolve():
        raise UsageError(f"--discards and OUT are the same file, {args.out}.")
    for path in filter(None, (args.out, args.discards)):
        if path.exists():
            raise UsageError(f"{path} exists already; nothing is overwritten.")
    snapshot = Snapshot.open(args.snapshot)
    kinds = [kind.strip() for kind in args.kinds.split(",")] if args.kinds else None
    made = synthesize(snapshot, count=args.count, seed=args.seed, facts=args.facts, kinds=kinds, language=args.language)
    tasks, discards = made.tasks, list(made.discards)
    if args.solver:
        solved = _solved(args.solver, snapshot, tasks, args.seed)
        discards += [(task["question"], f"solved by {args.solver}") for task in tasks if task["id"] in solved]
        tasks = [task for task in tasks if task["id"] not in solved]
    if args.split:
        halved, _ = split_by_entities(tasks, args.seed)
        kept = {task["id"] for task in halved}
        discards += [(task["question"], "its entities lie in both halves") for task in tasks if task["id"] not in kept]
        tasks = halved
    if not tasks:
        raise UsageError("no task is left; give more facts, another --seed, or a weaker --solver.")
    write_tasks(args.out, tasks)
    if args.discards:
        write_tasks(args.discards, ({"what": what, "reason": reason} for what, reason in discards))
    _show_synthesis(args, tasks, discards)
    return 0


def _solved(solver: str, snapshot: "Snapshot", tasks: Sequence[Mapping[str, Any]], seed: int) -> set[str]:
    from murk.envs import plugins

    try:
        policy = plugins.load("policies", solver)()
    except TypeError as error:
        raise UsageError(f"policy {solver!r} cannot be a solver, for it needs settings: {error}.") from None
    return solved_by(policy, snapshot, tasks, seed)


def _show_synthesis(
    args: argparse.Namespace, tasks: Sequence[Mapping[str, Any]], discards: Sequence[tuple[str, str]]
) -> None:
    kinds = Counter(task.get("kind", "") for task in tasks)
    splits = Counter(task["split"] for task in tasks if "split" in task)
    reasons = Counter(reason for _, reason in discards)
    if args.json:
        counts = {"out": str(args.out), "tasks": len(tasks), "kinds": kinds, "splits": splits, "discards": reasons}
        print(json.dumps(counts, ensure_ascii=False, sort_keys=True))
        return
    print(f"{args.out}: {len(tasks):,} tasks, {len(discards):,} discarded")
    for name, counted in (("", kinds), ("split ", splits), ("discarded: ", reasons)):
        for what, count in sorted(counted.items()):
            print(f"  {name}{what} {count:,}")


def _show(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title}:", *(f"  {line}" for line in lines), "", sep="\n")


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:4]) + (", ..." if len(ids) > 4 else "")
