"""Host users for sandboxes, one to each that runs at a time.

A limit on processes does not bind for root, so a sandbox started by root runs as another user. It gets one of its own
because Linux before 5.14 counts the processes of a user over the whole host, and newer ones still count pipes and
pending signals so: sandboxes that shared a user would share a limit.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from murk.envs.errors import UsageError

USERS = range(60_706, 61_184)
"""Numbers that systemd's table of users keeps free, within the 65,536 that a container has at least."""

_OURS = Path("/run/murk-sandboxes")


@contextlib.contextmanager
def user_of_its_own() -> Iterator[int | None]:
    """Gives the number of a user that no other sandbox of this host has; None where we are not root and cannot change.

    The lease is a lock on a file that only root can reach, so it ends with the process that holds it.

    Raises:
        UsageError: locks cannot be kept in /run, or all users are taken.
    """
    if os.geteuid() != 0:
        yield None
        return
    user, lock = _lease()
    try:
        yield user
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a process forked meanwhile may have a copy, which would hold the lock
        os.close(lock)


def root_folder() -> Path:
    """A folder that root alone writes to and every user can pass through, as a private temporary one may not be."""
    _OURS.mkdir(exist_ok=True)
    _OURS.chmod(0o711)
    return _OURS


def process_limit(wanted: int, user: int | None) -> int:
    """The value for RLIMIT_NPROC that leaves a sandbox `wanted` processes.

    Since Linux 5.14 the limit counts the processes within the sandbox's own user namespace, before that all of the
    user: then those that run already are added, where the user is not the sandbox's own.
    """
    major, minor = (int("".join(filter(str.isdigit, part))) for part in os.uname().release.split(".")[:2])
    if user is not None or (major, minor) >= (5, 14):
        return wanted
    return wanted + _tasks(os.getuid())


def _lease() -> tuple[int, int]:
    try:
        folder = root_folder()
        for user in USERS:
            lock = os.open(folder / str(user), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return user, lock
    except OSError as error:
        raise UsageError(f"sandboxes started by root need to write {_OURS}: {error.strerror}") from None
    raise UsageError(f"all {len(USERS)} users for sandboxes are taken on this host")


def _tasks(user: int) -> int:
    count = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                count += len(list((entry / "task").iterdir()))
    return count
