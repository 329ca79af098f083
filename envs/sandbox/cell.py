"""One bubblewrap sandbox: how it is set up, entered from outside, and taken down."""

import contextlib
import functools
import io
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from murk.envs.sandbox import seccomp
from murk.envs.sandbox.files import TIME
from murk.envs.sandbox.limits import SandboxLimits
from murk.envs.sandbox.root import FLAT, Root, prelude

PATIENCE = 30.0
"""Seconds of real time that setting up or taking down may take on a busy machine before it counts as broken."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A sandbox in which the command waits or runs.

    Attributes:
        process: The bwrap process outside; its exit status is the command's.
        first: A descriptor of the sandbox's process 1. Killing that kills all processes of the sandbox.
        proc: A descriptor of the sandbox's /proc, which shows its processes alone.
        disks: Descriptors of the sandbox's own filesystems, which outlive it: the workspace, /tmp and /dev/shm.
        gate: What the command waits on.
    """

    process: "subprocess.Popen[bytes]"
    first: int
    proc: int
    disks: tuple[int, ...]
    gate: io.FileIO

    def release(self) -> None:
        """Lets the command begin."""
        self.gate.write(b"\n")

    def end(self) -> int:
        """Kills what is left, waits until the last process is gone, and returns the exit status."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.first, signal.SIGKILL)
        if not readable(self.first, PATIENCE):  # process 1 goes last
            raise RuntimeError("processes of a sandbox cannot be killed")
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def cell(
    root: Root, limits: SandboxLimits, seconds: float, user: int | None, archive: bytes, command: Sequence[str]
) -> Iterator[Cell]:
    """Sets up a sandbox with the archive unpacked and the command waiting; takes it down at the end.

    The thread that calls must live as long as the sandbox, for bwrap dies with the thread that started it.

    Args:
        root: What it looks like.
        limits: What the sandbox may use.
        seconds: Processor time of each process.
        user: Number of the host user to run as; None for our own.
        archive: A tar archive of the workspace, or nothing.
        command: Folder in the workspace, shell command, and `NAME=value` of each variable of its environment.

    Raises:
        RuntimeError: bubblewrap could not set it up; the message has its words.
        OSError: the machine lacks what it takes: files, memory, processes.
    """
    with contextlib.ExitStack() as stack:
        (info, info_in), (ready, ready_in), (gate_out, gate) = (_pipe(stack) for _ in range(3))
        theirs = [info_in, ready_in, gate_out]
        files = {"--info-fd": info_in}
        if code := seccomp.program():
            files["--seccomp"] = _memory_file(stack, code)
        arguments = root.options + [str(x) for name, file in files.items() for x in (name, file.fileno())]
        given = _memory_file(stack, b"".join(os.fsencode(argument) + b"\0" for argument in arguments))
        packed = _memory_file(stack, archive) if archive else None
        theirs += [given, *files.values(), *([packed] if packed else [])]
        numbers = [str(file.fileno() if file else 0) for file in (ready_in, gate_out, packed)]
        process = subprocess.Popen(
            [*_as_user(user), _program("bwrap"), "--args", str(given.fileno()), "--"]
            + [*(FLAT if root.flat else ()), "/bin/bash", "-c", prelude(limits, seconds, user)]
            + ["bash", *numbers, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[file.fileno() for file in theirs],
            env={},  # process 1 shows its own to the command
            cwd="/",
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
        )
        stack.callback(_take_down, process)
        for file in theirs:
            file.close()
        first, folders = _enter(stack, process, info, ready)
        yield Cell(process, first, folders["proc"], (folders["workspace"], folders["tmp"], folders["dev/shm"]), gate)


def readable(descriptor: int, seconds: float) -> bool:
    """Waits until a descriptor has something to read or, if it is one of a process, until that has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * max(0.0, seconds)))


def _enter(
    stack: contextlib.ExitStack, process: "subprocess.Popen[bytes]", info: io.FileIO, ready: io.FileIO
) -> tuple[int, dict[str, int]]:
    """Waits until the command waits, and opens what we need of the sandbox while its process 1 surely lives."""
    deadline = time.monotonic() + PATIENCE
    if not readable(ready.fileno(), deadline - time.monotonic()) or not ready.read(1):
        process.kill()
        words = process.communicate()[1].decode(errors="replace").strip()
        raise RuntimeError(f"bubblewrap could not set up a sandbox: {words or 'no word from it'}")
    number = json.loads(info.read(4_096))["child-pid"]
    first = _kept(stack, os.pidfd_open(number))
    root = _kept(stack, os.open(f"/proc/{number}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    names = ("proc", "workspace", "tmp", "dev/shm")
    folders = {name: _kept(stack, os.open(name, flags, dir_fd=root)) for name in names}
    for name in ("workspace", "tmp"):
        os.utime(folders[name], (TIME, TIME))
    return first, folders


def _as_user(user: int | None) -> list[str]:
    """A command to begin with; Popen's own `user` forks, which takes 30 ms for each gigabyte that we hold."""
    return [] if user is None else [_program("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


@functools.cache
def _program(name: str) -> str:
    return shutil.which(name) or name


def _take_down(process: "subprocess.Popen[bytes]") -> None:
    process.kill()  # and with it the sandbox, by --die-with-parent
    with process:  # closes its pipes, and waits
        pass


def _pipe(stack: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    reading, writing = os.pipe()
    return stack.enter_context(io.FileIO(reading, "r")), stack.enter_context(io.FileIO(writing, "w"))


def _memory_file(stack: contextlib.ExitStack, content: bytes) -> io.FileIO:
    file = stack.enter_context(io.FileIO(os.memfd_create("murk"), "r+"))
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    file.seek(0)
    return file


def _kept(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
