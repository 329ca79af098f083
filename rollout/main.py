"""The `murk` command. Each group of commands is imported only when it is used, so that the light ones start fast."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from murk.envs.errors import UsageError

COMMANDS = {
    "snapshot": ("murk.envs.web.cli", "add_commands", "build, search, check and export a frozen web"),
    "world": ("murk.envs.worlds.cli", "add_commands", "build worlds whose facts are known"),
    "tasks": ("murk.rollout.tasks", "add_commands", "import, make and check tasks"),
    "rollout": ("murk.rollout.cli", "add_rollout", "run policies on tasks"),
    "study": ("murk.rollout.study", "add_command", "run policies under storms, and compare"),
    "storm": ("murk.rollout.storms", "add_commands", "check whether tasks can be solved under a storm"),
    "replay": ("murk.rollout.cli", "add_replay", "run a run's actions again; every byte must be the same"),
    "score": ("murk.rollout.score", "add_command", "score a run again with another reward"),
    "show": ("murk.rollout.cli", "add_show", "show a run, or one trajectory"),
    "merge": ("murk.rollout.merge", "add_command", "make one run of several"),
    "export": ("murk.rollout.export", "add_command", "write trajectories as others read them"),
    "play": ("murk.rollout.play", "add_command", "sit at an agent's desk in the terminal"),
    "mcp": ("murk.rollout.mcp", "add_command", "serve the tools of a desk over MCP"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 1 a check failed, 2 wrong use or input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="murk", description="A gym for deep-research agents.", allow_abbrev=False)
    groups = parser.add_subparsers(dest="group", required=True, metavar="COMMAND")
    for name, (module, function, text) in COMMANDS.items():
        group = groups.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name in given[:1]:
            getattr(importlib.import_module(module), function)(group)
    options, more = parser.parse_known_args(given)
    if hasattr(options, "overrides") and not any(word.startswith("-") for word in more):
        options.overrides += more  # settings that stand behind a flag
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"murk: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("murk: interrupted.", file=sys.stderr)
        return 130


def run() -> None:
    """Entry point of the installed command: a request to end (SIGTERM) cleans up as an exception does."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())


if __name__ == "__main__":
    run()
