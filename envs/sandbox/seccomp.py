"""A filter of system calls: those that hold memory outside any process, and those that open doors in the kernel.

Some memory counts towards no limit of a process, so that what holds it is refused; programs take "not implemented" for
an old kernel and do without. It is that of System V segments and of memfds; and that of pages which a pipe or a socket
refers to instead of holding a copy, where a byte can hold two megabytes. What a socket holds counts by the number of
sockets (`watch`), so none may ask for more than the usual: it is told that it has it.

With ptrace a command could hold up the sandbox's process 1, and so its own end. Sockets are of the families that a
network of one's own keeps in, for a virtual machine's vsock is the host's, and of the protocols whose memory is known.
The rest of the list is of no use to a shell command and has a history of holes. Namespaces, mounts and the like are
refused here as well as by having no capabilities.
"""

import errno
import os
import struct
from collections.abc import Sequence

_NUMBERS = {  # name: (x86_64, aarch64)
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "sendfile": (40, 71),
    "splice": (275, 76),
    "tee": (276, 77),
    "vmsplice": (278, 75),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_setup": (206, 0),  # takes from what the host has for all
}
_SOCKET, _SOCKETPAIR, _SETSOCKOPT = (41, 198), (53, 199), (54, 208)
_FAMILIES = (1, 2, 10, 16)  # Unix, IPv4, IPv6, netlink
_PROTOCOLS = (0, 6, 17)  # the usual one, which is netlink's for routes; TCP; UDP
_SOL_SOCKET, _SO_SNDBUF, _SO_RCVBUF = 1, 7, 8
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000  # to fail with error 0 is to succeed and do nothing
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16  # of an argument the lower half, on these machines
_X32 = 0x40000000  # x86_64 knows its calls by a second set of numbers, from here on

Line = tuple[int, int, int, int]  # operation, lines to skip if it is true, and if not, operand


def program(machine: str | None = None) -> bytes:
    """The filter as bwrap's `--seccomp` wants it; empty for a machine whose numbers are not known here."""
    known = _MACHINES.get(machine or os.uname().machine)
    if known is None:
        return b""
    column, audit = known
    lines = [(_LOAD, 0, 0, _MACHINE_AT), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]
    for numbers in _NUMBERS.values():
        lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]
    for numbers in (_SOCKET, _SOCKETPAIR):
        lines += _of_call(numbers[column], _unless(0, _FAMILIES, errno.EAFNOSUPPORT))
        lines += _of_call(numbers[column], _unless(2, _PROTOCOLS, errno.EPROTONOSUPPORT))
    lines += _of_call(_SETSOCKOPT[column], _buffer_sizes())
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _of_call(number: int, lines: Sequence[Line]) -> list[Line]:
    """Lines that are for one system call only."""
    return [(_LOAD, 0, 0, _NUMBER_AT), (_EQUAL, 0, len(lines), number), *lines]


def _unless(argument: int, values: Sequence[int], error: int) -> list[Line]:
    """Fails unless an argument, counted from 0, has one of some values."""
    tests = [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
    return [_argument(argument), *tests, (_RETURN, 0, 0, _FAIL | error)]


def _buffer_sizes() -> list[Line]:
    """Does nothing where the sizes of a socket's buffers are to be set."""
    return [
        *(_argument(1), (_EQUAL, 0, 4, _SOL_SOCKET)),
        *(_argument(2), (_EQUAL, 1, 0, _SO_SNDBUF), (_EQUAL, 0, 1, _SO_RCVBUF), (_RETURN, 0, 0, _FAIL)),
    ]


def _argument(argument: int) -> Line:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)
