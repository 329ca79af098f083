"""Memory and processor time of a process and all that it has begun, as the kernel counts them."""

import os
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PERIOD = 0.5


class Held(NamedTuple):
    """Memory of several processes; what they share counts once (PSS).

    Attributes:
        all: Bytes, files in memory among them, as those of the snapshot.
        own: Bytes without files.
    """

    all: int
    own: int


class Peak(threading.Thread):
    """Watches a process and its descendants until it is told to stop."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process, self._over, self._most = process, threading.Event(), Held(0, 0)
        self.start()

    def run(self) -> None:
        while True:
            self._most = Held(*map(max, self._most, together(self._process)))
            if self._over.wait(PERIOD):
                return

    def stop(self) -> Held:
        """The most that they had together at one time."""
        self._over.set()
        self.join()
        return self._most


def together(process: int) -> Held:
    """Memory of a process and its descendants."""
    rows = [rollup(one) for one in family(process)]
    return Held(*(sum(row.get(kind, 0) for row in rows) for kind in ("Pss", "Pss_Anon")))


def busy(process: int) -> float:
    """Seconds of processor that a process and its living descendants have had."""
    ticks = 0
    for one in family(process):
        with suppress(OSError):
            ticks += sum(map(int, _status(one)[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def rollup(process: int) -> dict[str, int]:
    """Bytes by kind of memory of a process; empty for one that is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":") for line in lines)}


def family(process: int) -> list[int]:
    """A process and all its descendants."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children[int(_status(int(path.name))[1])].append(int(path.name))
    found = [process]
    for one in found:
        found += children[one]
    return found


def _status(process: int) -> list[str]:
    """What the kernel tells of a process after its name, from its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
