"""Runs in child processes, with the plugins of `chaos_plugin`; what they finished, and what they leave behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MURK = [sys.executable, "-m", "murk.rollout.main"]
BEGUN: list["subprocess.Popen[str]"] = []
ENTRY_POINTS = """
[murk.tools]
trap = chaos_plugin:Trap

[murk.policies]
reader = chaos_plugin:Reader
slow = chaos_plugin:Slow
learner = chaos_plugin:Learner
"""


def install(site: Path) -> Path:
    """Lays the plugins into a folder as an installer would."""
    info = site / "chaos_plugin-0.1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(HERE / "chaos_plugin.py", site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-plugin\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


@contextmanager
def surroundings(site: Path) -> Iterator[dict[str, str]]:
    """Environment variables of child processes: the plugins, and a folder for Ray whose sockets have short names."""
    folder = tempfile.mkdtemp(prefix="murk-", dir="/tmp")
    apart = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    try:
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        yield apart | {"PYTHONPATH": path, "RAY_TMPDIR": folder, "PYTHONFAULTHANDLER": "0"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def questions(path: Path, count: int, *harms: str) -> Path:
    """A file of tasks that need no research; the last of them have the trap do harm."""
    rubric = [{"text": "says so", "weight": 1, "check": {"kind": "alias", "values": ["have read"]}}]
    words = ["water"] * (count - len(harms)) + list(harms)
    rows = [{"id": f"t{i:03}", "question": f"What of {word} {i} ?", "rubric": rubric} for i, word in enumerate(words)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def begin(arguments: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Starts `murk rollout`; what it prints is kept for `communicate`, and it ends with the test."""
    piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    BEGUN.append(subprocess.Popen([*MURK, "rollout", *arguments], **piped))
    return BEGUN[-1]


def murk(arguments: list[str], environment: dict[str, str], status: int = 0) -> str:
    """Runs `murk rollout` to its end, which must be `status`; what it says on standard error."""
    process = begin(arguments, environment)
    out, error = process.communicate(timeout=240)
    assert process.returncode == status, (process.returncode, out[-2000:], error[-4000:])
    return error


def python(code: str, environment: dict[str, str], *arguments: object) -> Any:
    """Runs code in a new interpreter; the JSON value that it prints last."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def summary(folder: Path) -> dict[str, Any]:
    """What `summary.json` holds."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def finished(folder: Path) -> int:
    """Episodes in the journals of a run."""
    return sum(journal.read_bytes().count(b"\n") for journal in folder.glob("journal/*.jsonl"))


def until(met: Callable[[], Any], process: "subprocess.Popen[str] | None" = None, seconds: float = 60.0) -> None:
    """Waits until something holds; fails where the process ends before that."""
    limit = time.monotonic() + seconds
    while not met():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "it never happened"
        time.sleep(0.02)


def workers(folder: Path) -> list[int]:
    """Process ids of the run's Ray workers that are alive, by their journals."""
    journals = folder.glob(f"journal/{socket.gethostname()}-*.jsonl")
    pids = [int(path.stem.rpartition("-")[2]) for path in journals]
    return [pid for pid in pids if b"ray::" in command_of(pid)]


def command_of(pid: object) -> bytes:
    """Command line of a process; empty where it is gone, or only waits for its parent to hear of its end."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def family(pid: int) -> dict[int, str]:
    """A process and all that descend from it: when each began, by its id."""
    parents, begun = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)], begun[int(stat.parent.name)] = int(fields[1]), fields[19]
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {one: begun[one] for one in found if one in begun}


def alive(members: dict[int, str]) -> list[bytes]:
    """Command lines of those that are still there."""
    return [command_of(pid) for pid, begun in members.items() if family(pid).get(pid) == begun]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to a process of ours, which may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
