"""`murk play`: a person at the desk, who types tool calls and sees what an agent sees."""

import argparse
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from murk.envs.deep_research import DeepResearchEnv

_HELP = """Type a tool's name and its arguments as JSON:
  batch_web_surfer {"action": "batch_search", "queries": ["..."]}
  answer your report, with [links](https://...) to its sources
Other words: tools (what there is), help, quit. A line that begins with < is taken as an agent's own text."""


def add_command(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `murk play`."""
    parser.epilog = "example: murk play OUT tasks.jsonl --task t1"
    parser.add_argument("snapshot", metavar="OUT", help="folder of a snapshot")
    parser.add_argument("tasks", metavar="TASKS", help="JSONL file of tasks, or the question itself")
    parser.add_argument("--task", metavar="ID", help="which task; default the first")
    parser.add_argument("--tools", default="research", help="tool profile (default research)")
    parser.set_defaults(run=play)


def play(args: argparse.Namespace) -> int:
    """Plays one episode on standard input and output."""
    from murk.envs.deep_research import DeepResearchEnv
    from murk.envs.transcript import printable

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    env = DeepResearchEnv(args.snapshot, _source(args.tasks), tools=args.tools)
    observation, info = env.reset(options={"task": args.task or next(iter(env.tasks))})
    print(f"{_HELP}\n\n{printable(observation)}")
    while info["status"] == "running":
        print(f"\n[step {info['step']}  calls {info['calls']}  seconds {info['seconds']:g}] > ", end="", flush=True)
        line = sys.stdin.readline()
        if not line or line.strip() == "quit":
            break
        action = _action(line.strip(), env)
        if action is not None:
            observation, _, _, _, info = env.step(action)
            print(printable(observation))
    print(f"\n{json.dumps(info)}")
    return 0


def _source(tasks: str) -> str | list[dict[str, str]]:
    """A file of tasks, or the question as the one task there is."""
    if tasks.endswith((".jsonl", ".json")):
        return tasks  # a name that is misspelt is told, not asked
    try:
        is_file = Path(tasks).is_file()
    except (OSError, ValueError):  # too long for a name, or no name at all
        is_file = False
    return tasks if is_file else [{"id": "question", "question": tasks}]


def _action(line: str, env: "DeepResearchEnv") -> str | None:
    """The agent's text that a typed line stands for; None where the line only asks for help."""
    word, _, rest = line.partition(" ")
    if line.startswith("<"):
        return line
    if word == "answer":
        return f"<answer>{rest}</answer>"
    if word in env.offers:
        return f'<toolcall>{{"name": {json.dumps(word)}, "arguments": {rest.strip() or "{}"}}}</toolcall>'
    if word == "tools":
        for name, offer in env.offers.items():
            print(f"{name}: {offer.description}\n  {json.dumps(offer.tool.parameters['properties'])}")
    else:
        print(_HELP)
    return None
