"""`shell`: runs commands in a sandbox over the files of the workspace. Only the tool profile `full` has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.desk import Desk
from murk.envs.records import Completed, Failure, Run
from murk.envs.sandbox.limits import INODES, SandboxLimits
from murk.envs.settings import check_range

MAX_COMMAND = 20_000

_LIMITS = SandboxLimits()
_DESCRIPTION = (
    "Run a bash command in your workspace, in a sandbox without network. Every call is a new shell. It may use "
    f"{_LIMITS.processes} processes, {_LIMITS.memory >> 20} MB of memory, files of {_LIMITS.file_bytes >> 20} MB, "
    f"{_LIMITS.disk_bytes >> 20} MB and {INODES} files in all. You see the last {_LIMITS.output_chars} characters of "
    f"stdout and of stderr. Kept are up to {_LIMITS.files} files of up to {_LIMITS.kept_file_bytes >> 20} MB each and "
    f"{_LIMITS.kept_bytes >> 20} MB in all; not kept are links, modes and empty folders."
)


@dataclass(frozen=True, slots=True)
class ShellTool:
    """Runs commands. `longest` is the longest time-out in seconds that the agent may ask for, at most 60."""

    longest: float = 60.0

    def __post_init__(self) -> None:
        check_range("longest", self.longest, 0.1, _LIMITS.seconds)

    description = _DESCRIPTION

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "cmd": {"type": "string", "description": f"the command, at most {MAX_COMMAND} characters"},
                "timeout": {
                    "type": "number",
                    "minimum": 0.1,
                    "maximum": self.longest,
                    "default": self.longest,
                    "description": "seconds that it may take",
                },
                "cwd": {"type": "string", "default": ".", "description": "folder to run it in"},
                "env": {"type": "object", "default": {}, "description": "environment variables"},
            },
            "required": ["cmd"],
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "verify"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        command, env = arguments["cmd"], arguments["env"]
        if not command.strip() or len(command) > MAX_COMMAND or "\0" in command:
            return (
                f"Error: cmd has {len(command)} characters; allowed are 1 to {MAX_COMMAND}, not all blank, without NUL."
            )
        if not all(isinstance(value, str) for value in env.values()):
            return "Error: the values of env must be texts."
        pairs = tuple(sorted(env.items()))
        answer = desk.ask(Run(command, float(arguments["timeout"]), arguments["cwd"], pairs))
        if isinstance(answer, Failure):
            return f"Error: {answer.message}"
        assert isinstance(answer, Completed)
        parts = [f"exit code {answer.exit_code}", *answer.notes]
        parts += [f"{name}:\n{text}" for name, text in (("stdout", answer.stdout), ("stderr", answer.stderr)) if text]
        return "\n".join(parts)
