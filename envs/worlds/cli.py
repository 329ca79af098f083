"""`murk world ...`: generated worlds."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands below `murk world` to a parser."""
    commands = parser.add_subparsers(dest="world_command", required=True, metavar="COMMAND")
    text = "Build a snapshot of an invented web, with the facts that its pages state."
    made = commands.add_parser(
        "build",
        help=text,
        description=text,
        epilog="example: murk world build OUT --pages 10000 --seed 7 --languages en,zh,es",
        allow_abbrev=False,
    )
    made.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    made.add_argument("--pages", type=int, default=1000, metavar="N", help="100 to 1000000 (default 1000)")
    made.add_argument("--seed", type=int, default=0, metavar="S", help="what the world depends on (default 0)")
    made.add_argument("--languages", default="en", metavar="LIST", help="of en, zh, es; default en")
    made.add_argument("--workers", type=int, default=0, help="processes; default one a core")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> int:
    from murk.envs.errors import UsageError
    from murk.envs.web.cli import _progress, _table
    from murk.envs.worlds.generate import generate

    if args.workers < 0:
        raise UsageError(f"--workers is {args.workers}; allowed are 0 (one a core) and more.")
    with _progress() as progress:
        made = generate(args.out, args.pages, args.seed, args.languages.split(","), args.workers, progress)
    report = made.report
    if args.json:
        print(json.dumps(asdict(report) | {"facts": made.facts, "out": str(args.out)}, ensure_ascii=False))
        return 0
    names = ("captures", "pages", "passages", "hosts", "links")
    rows = [(name, f"{getattr(report, name):,}") for name in names] + [("facts", f"{made.facts:,}")]
    rows += [("time", f"{report.seconds:.1f} s, {report.captures / max(report.seconds, 1e-9):.0f} captures/s")]
    rows += [("size", f"{report.bytes:,} bytes"), ("content digest", report.content_digest)]
    _table(f"world {args.out}", ("", ""), rows)
    return 0
