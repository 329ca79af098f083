"""Runs one shell command over a workspace, cut off from the host by bubblewrap.

A workspace is a mapping from paths to bytes. `Sandbox.run` unpacks it into a fresh sandbox, runs the command with
bash, and reports what it changed; nothing else outlives the command.

What the command sees: the host's /usr, read-only; an /etc of our own; /workspace, /tmp and /dev/shm in memory, each
of limited size; /proc and /dev of its own; a user `agent` without capabilities; no network, no environment but ours.
Because the workspace is a filesystem in memory and no folder of the host, a full one cannot fill the host's disk, a
hard link cannot lead out of it, and it is gone with its last process, even where murk itself is killed.

What is the same from run to run: host name, user, paths, environment, process ids, `$RANDOM`, and the times of the
files that are put in. What is not: the clock, /dev/urandom and so the names of `mktemp`, `$SRANDOM`, the order in which
a program reads a directory, and what /proc tells about the machine. File modes and empty folders are not kept from one
command to the next; a file that begins with `#!` arrives executable.
"""

from murk.envs.sandbox.box import Sandbox
from murk.envs.sandbox.limits import SandboxLimits

__all__ = ["Sandbox", "SandboxLimits"]
