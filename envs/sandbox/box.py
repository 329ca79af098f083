"""The sandbox: one command over one workspace."""

import functools
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from murk.envs.errors import UsageError
from murk.envs.records import Completed
from murk.envs.sandbox.cell import cell
from murk.envs.sandbox.files import changes, check_files, check_path, pack, room
from murk.envs.sandbox.limits import SandboxLimits
from murk.envs.sandbox.root import ENVIRONMENT, Root, shown
from murk.envs.sandbox.users import user_of_its_own
from murk.envs.sandbox.watch import Tail, drain, watch

COST = 2.0
"""Simulated seconds of a command that ends by itself or is killed for what it uses."""

_TIMED_OUT, _NOT_RUN, _KILLED = 124, 126, 137
_ARGUMENT = 131_071  # bytes that Linux takes as one argument of a program
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSTALL = (
    "the shell needs bubblewrap 0.8 or newer, allowed to make user namespaces, and for root setpriv of util-linux "
    "(Debian and Ubuntu: apt-get install bubblewrap util-linux; Fedora: dnf install bubblewrap util-linux); "
    "a tool profile without a shell works everywhere"
)


class Sandbox:
    """Runs commands, each in a sandbox of its own. Holds no state, and may be shared by threads.

    Args:
        limits: What each command may use.

    Raises:
        UsageError: bubblewrap is missing, or cannot make a sandbox on this host.
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self.limits = limits or SandboxLimits()
        self.root = Root(self.limits, _require())

    def __repr__(self) -> str:
        return f"Sandbox({self.limits})"

    def run(
        self,
        command: str,
        files: Mapping[str, bytes],
        timeout: float,
        cwd: str = ".",
        env: Sequence[tuple[str, str]] = (),
    ) -> Completed:
        """Runs a command with bash over the files of a workspace.

        Its cost is a rule, so that no machine's speed is in it: the time limit if it ran into that, else 2 seconds.

        Args:
            command: Any text. One that cannot be a command at all gets exit status 126.
            files: Path within the workspace, and content.
            timeout: Seconds of real time, above 0; at most `limits.seconds` count.
            cwd: Folder within the workspace.
            env: Additional variables, as (name, value).

        Raises:
            ValueError: an odd path, folder, name of a variable or time limit.
            RuntimeError: the sandbox could not be set up or taken down.
            OSError: the machine lacks files, memory or processes for it.
        """
        _check(files, timeout, cwd, env)
        seconds = min(timeout, self.limits.seconds)
        variables = [f"{name}={value}" for name, value in (ENVIRONMENT | dict(env)).items()]
        words = [word.encode(errors="replace").decode() for word in (cwd, command, *variables)]
        if reason := self._refusal(words, files):
            return Completed(_NOT_RUN, "", f"murk: {reason}\n", cost=COST)
        return self._run(words, files, seconds)

    def check_hidden(self, paths: Iterable[Path]) -> None:
        """Makes sure that commands cannot see some files of the host.

        Raises:
            UsageError: one lies in a folder that every sandbox shows.
        """
        for path in paths:
            if shown(path):
                raise UsageError(f"{path} lies where the shell's sandbox shows the host's files; keep it elsewhere.")

    def check_process_limit(self) -> int:
        """Proves that the limit on processes binds, without a flood: by 20 processes too many that only sleep.

        Takes about two seconds of real time.

        Returns:
            Number of processes that could be started.

        Raises:
            RuntimeError: they could all be started, or failed for another reason.
        """
        many = self.limits.processes + 20
        done = self.run(f"for ((i = 1; i <= {many}; i++)); do sleep 30 & echo $i; done", {}, 2.0)
        started = len(done.stdout.split())
        if "Resource temporarily unavailable" not in done.stderr or started > self.limits.processes:
            raise RuntimeError(f"the limit of {self.limits.processes} processes does not bind: {started} were started")
        return started

    def _refusal(self, words: Sequence[str], files: Mapping[str, bytes]) -> str:
        if any("\0" in word for word in words):
            return "a command cannot hold a NUL character"
        if (size := max(len(word.encode()) for word in words)) > _ARGUMENT:
            return f"a command or variable of {size} bytes is too long: at most {_ARGUMENT}; use a file"
        if sum(len(word.encode()) for word in words) > 8 * _ARGUMENT:
            return f"the environment is too large: at most {8 * _ARGUMENT} bytes"
        if room(files) > self.limits.disk_bytes:
            return f"the workspace is larger than the {self.limits.disk_bytes >> 20} MB of a sandbox"
        return ""

    def _run(self, words: Sequence[str], files: Mapping[str, bytes], seconds: float) -> Completed:
        tails = Tail(self.limits.output_chars), Tail(self.limits.output_chars)
        archive = pack(files) if files else b""
        with user_of_its_own() as user, cell(self.root, self.limits, seconds, user, archive, words) as inside:
            reason = watch(inside, self.limits, seconds, tails)
            code = inside.end()
            for stream, tail in zip((inside.process.stdout, inside.process.stderr), tails, strict=True):
                assert stream is not None
                drain(stream.fileno(), tail)
            changed, notes = changes(inside.disks[0], files, self.limits)
        if reason:
            code = _TIMED_OUT if reason == "time" else _KILLED
            notes.insert(0, f"killed: over the time limit of {seconds:g} s" if reason == "time" else reason)
        for name, tail in zip(("stdout", "stderr"), tails, strict=True):
            if tail.cut:
                notes.append(f"only the last {self.limits.output_chars} characters of {name} are shown")
        cost = seconds if reason == "time" else COST
        return Completed(code, tails[0].text(), tails[1].text(), tuple(changed), tuple(notes), cost)


def _check(files: Mapping[str, bytes], timeout: float, cwd: str, env: Sequence[tuple[str, str]]) -> None:
    check_files(files)
    if cwd != ".":
        check_path(cwd)
    for name, value in env:
        if not _NAME.fullmatch(name) or "\0" in value:
            raise ValueError(f"{name!r} with value {value!r} cannot be a variable of the environment")
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout}")


@functools.cache
def _require() -> bool:
    """Makes sure, once per process, that sandboxes can be made here; and finds out whether flat ones can."""
    for program in ("bwrap", "setpriv"):
        if shutil.which(program) is None and (program == "bwrap" or os.geteuid() == 0):
            raise UsageError(f"{program} is not installed: {_INSTALL}")
    try:
        code = _try(flat=False)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"no sandbox can be made on this host: {error}; {_INSTALL}") from None
    if code:
        raise UsageError(f"a sandbox on this host cannot run 'true': exit status {code}; {_INSTALL}")
    return _try(flat=True) == 0  # some containers forbid it


def _try(flat: bool) -> int:
    limits, plain = SandboxLimits(), [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    with user_of_its_own() as user, cell(Root(limits, flat), limits, 1.0, user, b"", [".", "true", *plain]) as inside:
        watch(inside, limits, limits.seconds, (Tail(1), Tail(1)))
        return inside.end()
