"""What a sandbox looks like from inside: its root folder, its mounts, its environment, and how it begins."""

import math
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from murk.envs.sandbox.files import TIME
from murk.envs.sandbox.limits import LOCKED_KB, OPEN_FILES, SHM_BYTES, SandboxLimits
from murk.envs.sandbox.users import process_limit, root_folder

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/workspace",
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/bash",
    "TERM": "dumb",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PERL_HASH_SEED": "0",
    "PERL_PERTURB_KEYS": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "SOURCE_DATE_EPOCH": str(TIME),
    "BASH_ENV": "/etc/seed.sh",
}
"""The whole environment of a command, before what its caller adds."""

_ETC = {
    "passwd": "root:x:0:0:root:/:/bin/false\nagent:x:1000:1000:agent:/workspace:/bin/bash\n",
    "group": "root:x:0:\nagent:x:1000:\n",
    "hosts": "127.0.0.1 localhost murk\n",
    "seed.sh": "RANDOM=20000101\n",  # each bash reads it first
}
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr on most hosts, folders on some
_SHOWN = [Path("/", name).resolve() for name in ("usr", *_TOP)]
_HIDDEN = [Path(name).resolve() for name in ("/usr/local", "/usr/src")]  # where others than the distribution put things
_MURK = Path(__file__).resolve().parents[2]

_FROM_ETC = ("alternatives", "ld.so.cache")  # what programs in /usr need to be found, and nothing secret

# Runs in the sandbox before the command, with nothing of the agent's in its environment: unpacks the workspace, lowers
# the limits for good, offers itself to the kernel when memory runs out, tells us that it is ready, and waits. The
# command is one argument of its own, so no quote leads out of it.
_PRELUDE = """
ready=$1 go=$2 archive=$3 folder=$4 command=$5; shift 5
umask 022
if ((archive)); then tar -x -f - -C /workspace <&$archive || exit; exec {{archive}}<&-; fi
echo 1000 >/proc/self/oom_score_adj
ulimit -c 0 -q 0 -l {locked} -f {file} -n {open} -t {seconds} -u {processes} -v {memory} || exit
echo >&$ready && read -r -u $go || exit
exec {{ready}}>&- {{go}}<&-
cd -- "$folder" && exec env -i "$@" /bin/bash -c -- "$command" bash
"""
FLAT = ("setarch", os.uname().machine, "-R")
"""A command to begin with, by which the kernel loads programs at the same addresses in each run."""

_NAMESPACES = """--unshare-all --unshare-user --disable-userns --die-with-parent --new-session --clearenv
--cap-drop ALL --uid 1000 --gid 1000 --hostname murk"""
# A filesystem in memory takes half of the machine's unless it is told a size, and bwrap tells none to that of /dev.
_DISKS = """--proc /proc --dev /dev --size {shm} --perms 1777 --tmpfs /dev/shm --remount-ro /dev
--size {disk} --perms 1777 --tmpfs /tmp --size {disk} --perms 0755 --tmpfs /workspace --chdir /workspace"""


def prelude(limits: SandboxLimits, seconds: float, user: int | None) -> str:
    """The bash program that a sandbox begins with.

    Args:
        limits: What the command may use.
        seconds: Processor time of each process.
        user: Number of the host user.

    Its arguments: the descriptors to be ready on, to go on, and to unpack from or 0; the folder in the workspace; the
    command; and each variable of its environment as `NAME=value`.
    """
    return _PRELUDE.format(
        file=limits.file_bytes // 1024,
        locked=LOCKED_KB,
        open=OPEN_FILES,
        seconds=math.ceil(seconds) + 1,
        processes=process_limit(limits.processes, user),
        memory=limits.memory // 1024,
    )


class Root:
    """The folder that becomes the /, shared by sandboxes and removed with this object, and what is mounted on it.

    A folder rather than the empty root that bwrap makes, because that one's time, which `ls -la` shows, would vary.

    A process that is killed leaves it behind, and so does one that was root when it made it and is no longer: a handful
    of tiny files in /run, or for an ordinary user in /tmp.

    Attributes:
        flat: Whether programs are loaded at the same addresses in each run.
        path: Where it is on the host.
        options: bwrap's options for all that a sandbox sees.
    """

    def __init__(self, limits: SandboxLimits, flat: bool = False) -> None:
        self.flat = flat
        self.path = root = Path(tempfile.mkdtemp(prefix="murk-", dir=root_folder() if os.geteuid() == 0 else None))
        weakref.finalize(self, _remove, root, os.getpid())
        mounts = _mirror(root, ("usr", *_TOP))
        for name in ("dev", "etc", "proc", "tmp", "workspace"):
            (root / name).mkdir()
        for name, text in _ETC.items():
            (root / "etc" / name).write_text(text)
        mounts += _mirror(root, tuple(f"etc/{name}" for name in _FROM_ETC))
        mounts += _covered(root / "workspace")  # which is empty
        for path in (*root.rglob("*"), root):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (TIME, TIME), follow_symlinks=False)
        disks = _DISKS.format(disk=limits.disk_bytes, shm=SHM_BYTES).split()
        self.options = [*_NAMESPACES.split(), "--ro-bind", str(root), "/", *mounts, *disks]


def shown(path: Path) -> bool:
    """Whether every sandbox shows a path of the host: one in /usr or the like, but not in /usr/local or /usr/src."""
    path = path.resolve()
    return any(map(path.is_relative_to, _SHOWN)) and not any(map(path.is_relative_to, _HIDDEN))


def _remove(root: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child has a copy of the object, but the folder is its parent's
        shutil.rmtree(root, ignore_errors=True)


def _covered(empty: Path) -> list[str]:
    """Puts an empty folder over those of the host's /usr that are not the distribution's, and over murk itself."""
    there = [folder for folder in _HIDDEN if folder.is_dir() and any(map(folder.is_relative_to, _SHOWN))]
    there += [_MURK] if shown(_MURK) else []
    return [word for folder in there for word in ("--ro-bind", str(empty), str(folder))]


def _mirror(root: Path, names: tuple[str, ...]) -> list[str]:
    """Puts into the root what it takes to mount these files and folders of the host, where the host has them."""
    mounts: list[str] = []
    for name in names:
        host, ours = Path("/") / name, root / name
        if host.is_symlink():
            ours.symlink_to(host.readlink())
            continue
        if host.is_dir():
            ours.mkdir()
        elif host.exists():
            ours.touch()
        else:
            continue
        mounts += ["--ro-bind", str(host), str(host)]
    return mounts
