"""A pool of worker processes for functions that read hostile input in native code.

Each item has a limit of processor time and memory. An item that breaks its limit costs its worker its life: the item
is reported as lost, the worker replaced, and the other items go on. Results come back in the order of the items.

A worker is a fresh interpreter rather than a fork, so that a build works from any script and beside any threads, and
only bytes pass between it and the parent: what hostile input might make of a worker cannot reach the parent as code.
"""

import contextlib
import importlib
import os
import resource
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits of one item: seconds of processor time, and bytes of address space of the process that works on it."""

    seconds: float = 20.0
    memory: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands for the result of an item whose worker broke a limit: `timeout`, `memory` or `crash`."""

    reason: str


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    item: int | None = None


def guarded_map(
    function: str, items: Iterable[bytes], workers: int, guard: Guard | None = None
) -> Iterator[bytes | Lost]:
    """Yields the result of each item, in order; at most `_AHEAD` items a worker are held in memory.

    Args:
        function: `module:name` of a function from bytes to bytes.
        items: What to work on, asked for one by one.
        workers: Number of processes.
        guard: Limits of an item.

    Raises:
        RuntimeError: the function raised; the message holds its traceback.
    """
    guard = guard or Guard()
    pool = [_start(function, guard) for _ in range(max(1, workers))]
    source = enumerate(items)
    done: dict[int, bytes | Lost] = {}
    given = yielded = 0
    more = True
    try:
        while more or yielded < given:
            idle = [i for i, worker in enumerate(pool) if worker.item is None]
            while more and idle and given - yielded < _AHEAD * len(pool):
                entry = next(source, None)
                if entry is None:
                    more = False
                else:
                    given += 1
                    _send(pool[idle.pop()], *entry)
            busy = {worker.pipe: i for i, worker in enumerate(pool) if worker.item is not None}
            for pipe in wait(busy) if busy else ():
                i = busy[pipe]  # type: ignore[index]
                number = pool[i].item
                assert number is not None
                result = _receive(pool[i])
                done[number] = result
                pool[i] = _start(function, guard) if isinstance(result, Lost) else pool[i]
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1
    finally:
        for worker in pool:
            worker.pipe.close()
            worker.process.kill()
            worker.process.wait()


def _start(function: str, guard: Guard) -> _Worker:
    ours, theirs = socket.socketpair()
    code = "from murk.envs.web.pool import serve; serve()"
    command = [sys.executable, "-c", code, str(theirs.fileno()), function, str(guard.seconds), str(guard.memory)]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    return _Worker(process, Connection(ours.detach()))


def _send(worker: _Worker, number: int, item: bytes) -> None:
    worker.item = number
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `_receive` finds out that the worker died
        worker.pipe.send_bytes(item)


def _receive(worker: _Worker) -> bytes | Lost:
    worker.item = None
    try:
        reply = worker.pipe.recv_bytes()
    except (EOFError, ConnectionResetError):
        worker.pipe.close()
        code = worker.process.wait()
        return Lost("timeout" if code in (-signal.SIGPROF, -signal.SIGXCPU) else "crash")
    if reply[:1] == b"E":
        raise RuntimeError("a worker failed:\n" + reply[1:].decode())
    if reply[:1] == b"M":
        worker.pipe.close()
        worker.process.kill()
        worker.process.wait()
        return Lost("memory")
    return reply[1:]


def serve() -> None:
    """Body of a worker process; its arguments are the number of its socket, the function, and the limits.

    ITIMER_PROF counts processor time, and its default action ends the process even where native code never returns to
    Python.
    """
    pipe, name, seconds, memory = Connection(int(sys.argv[1])), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(os.devnull).open("wb") as devnull:
        os.dup2(devnull.fileno(), 2)  # native libraries complain there about hostile input
    while True:
        try:
            item = pipe.recv_bytes()
            signal.setitimer(signal.ITIMER_PROF, seconds)
            reply = _attempt(function, item)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send_bytes(reply)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _attempt(function: Callable[[bytes], bytes], item: bytes) -> bytes:
    try:
        return b"R" + function(item)
    except MemoryError:
        return b"M"
    except Exception:
        return b"E" + traceback.format_exc().encode()
