"""Watches a running command: takes its output with bounded memory, and ends it at its limits."""

import contextlib
import functools
import os
import re
import selectors
import time
from dataclasses import dataclass, field
from pathlib import Path

from murk.envs.sandbox.cell import Cell
from murk.envs.sandbox.limits import FLOOD, INODES, SOCKET_BYTES, SandboxLimits

_TICK = 0.05
_CHUNK = 1 << 16
_TABLE = 8 << 20  # bytes
_USED = re.compile(rb"^sockets: used (\d+)", re.MULTILINE)
_QUEUES = re.compile(rb" ([0-9A-F]{8}):([0-9A-F]{8}) \d\d:")
_MEMORY = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


@dataclass(slots=True)
class Tail:
    """The last characters of a stream of bytes, of which any number may come.

    Attributes:
        characters: How many are kept.
        size: Bytes that came in all.
    """

    characters: int
    size: int = 0
    _kept: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        self._kept += data
        del self._kept[: -4 * self.characters]  # a character of UTF-8 has at most four bytes

    def text(self) -> str:
        """What was kept; bytes that are no UTF-8 become U+FFFD."""
        start = 0
        if self.size > len(self._kept):  # the cut may have gone through a character: pass over the rest of it
            while start < 3 and self._kept[start] & 0xC0 == 0x80:
                start += 1
        return self._whole(start)[-self.characters :]

    @property
    def cut(self) -> bool:
        """Whether anything was lost."""
        return self.size > len(self._kept) or len(self._whole(0)) > self.characters

    def _whole(self, start: int) -> str:
        return self._kept[start:].decode(errors="replace")


def watch(cell: Cell, limits: SandboxLimits, seconds: float, tails: tuple[Tail, Tail]) -> str:
    """Lets the command run, and returns why it must be killed, or nothing if it ended by itself.

    The reason is `time`, or else words for a note.
    """
    assert cell.process.stdout is not None
    assert cell.process.stderr is not None
    ended = os.pidfd_open(cell.process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            for stream, tail in ((cell.process.stdout, tails[0]), (cell.process.stderr, tails[1])):
                os.set_blocking(stream.fileno(), False)
                selector.register(stream.fileno(), selectors.EVENT_READ, tail)
            selector.register(ended, selectors.EVENT_READ)
            cell.release()
            return _loop(cell, limits, selector, seconds)
    finally:
        os.close(ended)


def drain(stream: int, tail: Tail) -> None:
    """Takes what is left in a pipe, which holds little, after the last process that wrote to it is gone."""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(stream, _CHUNK):
            tail.feed(data)


def _loop(cell: Cell, limits: SandboxLimits, selector: selectors.BaseSelector, seconds: float) -> str:
    start = time.monotonic()
    measured = start
    written = 0
    while (now := time.monotonic()) - start < seconds:
        if now - measured >= _TICK:
            measured = now
            if reason := _excess(cell, limits):
                return reason
        for key, _ in selector.select(min(_TICK, start + seconds - now)):
            if key.data is None:  # the process itself: it has ended
                return ""
            try:
                data = os.read(key.fd, _CHUNK)
            except BlockingIOError:  # the command has read its own output
                continue
            if not data:
                selector.unregister(key.fd)
            key.data.feed(data)
            written += len(data)
        if written > FLOOD:
            return f"killed: more than {FLOOD >> 20} MB of output"
    return "time"


def _excess(cell: Cell, limits: SandboxLimits) -> str:
    """Which of the limits that the kernel does not hold by itself is broken, in words."""
    if _memory(cell.proc) + _sockets(cell.proc) > limits.memory:
        return f"killed: its processes together took more than {limits.memory >> 20} MB of memory"
    disks = [os.statvfs(disk) for disk in cell.disks]
    if sum(disk.f_files - disk.f_ffree for disk in disks) > INODES:
        return f"killed: more than {INODES} files"
    return ""


def _memory(proc: int) -> int:
    """Bytes that the processes of a sandbox hold; what they share counts for each, programs and libraries do not."""
    total = 0
    for name in os.listdir(proc):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                status = os.open(f"{name}/status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
                with open(status, "rb", buffering=0) as file:
                    total += sum(int(size) for size in _MEMORY.findall(file.read()))
    return 1024 * total


def _sockets(proc: int) -> int:
    """Bytes that the sockets of a sandbox may hold, which are no process's memory.

    Each holds as much as it may by default, as far as can be told, and no process can ask for more (`seccomp`); those
    of TCP grow by themselves, and tell what they hold.
    """
    used = sum(map(int, _USED.findall(_table(proc, "sockstat"))))
    grown = [pair for name in ("tcp", "tcp6") for pair in _QUEUES.findall(_table(proc, name))]
    return used * _socket_bytes() + sum(int(sent, 16) + int(got, 16) for sent, got in grown)


@functools.cache
def _socket_bytes() -> int:
    """Bytes that a socket may hold by default on this host, which tells in its own network only."""
    sizes = [SOCKET_BYTES]
    for name in ("rmem_default", "wmem_default"):
        with contextlib.suppress(OSError):
            sizes.append(int(Path("/proc/sys/net/core", name).read_text()))
    return max(sizes)


def _table(proc: int, name: str) -> bytes:
    """A table of the network that the sandbox's process 1 is in; empty where the kernel has none."""
    try:
        table = os.open(f"1/net/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    except OSError:
        return b""
    with open(table, "rb", buffering=1 << 20) as file:
        return file.read(_TABLE)
