"""Runs one shell command over a workspace, cut off from the host by bubblewrap.

A workspace is a mapping from paths to bytes. `Sandbox.run` unpacks it into a fresh sandbox, runs the command with
bash, and reports what it changed; nothing else outlives the command.

What the command sees: the host's /usr without /usr/local, /usr/src and murk, read-only; an /etc of our own; /workspace,
/tmp and /dev/shm in memory, each of limited size; /proc and /dev of its own; a user `agent` without capabilities; no
network, no environment but ours. Because the workspace is a filesystem in memory and no folder of the host, a full one
cannot fill the host's disk, a hard link cannot lead out of it, and it is gone with its last process, even where murk
itself is killed.

What is the same from run to run: host name, user, paths, environment, process ids, `$RANDOM`, the order of hashes in
Python and Perl, the times of the files that are put in, and where the host allows it the addresses of memory. What is
not: the clock, and what takes longer than something else; /dev/urandom, and so the names of `mktemp`, `$SRANDOM`,
`shuf` and random numbers of awk, Perl and Python without a seed; and what the machine tells of itself: `df`, `uptime`,
`nproc`, `ulimit -u` on an old kernel, the versions of its programs, and much of /proc, where also the folder on the
host that became the /, host user, numbers of pipes and namespaces and the descriptors of process 1 show. The order in
which a program reads a directory is the filesystem's. File modes, links and empty folders are not kept from one command
to the next; a file that begins with `#!` arrives executable.
"""

from murk.envs.sandbox.box import Sandbox
from murk.envs.sandbox.limits import SandboxLimits

__all__ = ["Sandbox", "SandboxLimits"]
