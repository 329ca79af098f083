"""The limits of a sandbox."""

from dataclasses import dataclass, fields

OPEN_FILES = 256
"""Files that one process may hold open."""

LOCKED_KB = 64
"""KB that one process may lock in memory: enough for a program that keeps a password, and little that a socket could
refer to instead of holding a copy."""

SHM_BYTES = 64 << 20
"""Bytes of /dev/shm."""

FLOOD = 64 << 20
"""Bytes of output after which a command is killed."""

INODES = 20_000
"""Files and folders, of any kind and empty ones too, after which a command is killed: memory that no size counts, and
time to look at each."""

SOCKET_BYTES = 208 << 10
"""Bytes that a socket may hold, unless the host has set more."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one command may use.

    Attributes:
        seconds: The longest time limit a command can ask for, in seconds of real time. No process gets more processor
            time than the command's time limit either.
        processes: Processes and threads at one time.
        memory: Bytes of address space of one process, and of memory of all processes together. The kernel holds the
            first exactly; the second is measured 20 times a second, and a command that is over it is killed.
        file_bytes: Bytes of one file.
        disk_bytes: Bytes of the workspace, and of /tmp. Both live in memory.
        output_chars: Characters kept of stdout and of stderr: the last ones.
        files: Files in the workspace.
        kept_file_bytes: Bytes of a file that is taken back into the workspace when the command has ended.
        kept_bytes: Bytes of all files that are.
    """

    seconds: float = 60.0
    processes: int = 64
    memory: int = 1 << 30
    file_bytes: int = 64 << 20
    disk_bytes: int = 256 << 20
    output_chars: int = 10_240
    files: int = 2_000
    kept_file_bytes: int = 8 << 20
    kept_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be above 0, not {getattr(self, field.name)}")
