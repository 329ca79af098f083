"""A filter of system calls: those that hold memory outside any process, and those that open doors in the kernel.

Memory of System V segments and of memfds counts towards no limit of a process, so they are refused; programs take
"not implemented" for an old kernel and do without. With ptrace a command could hold up the sandbox's process 1, and so
its own end. Sockets are of the families that a network of one's own keeps in; a virtual machine's vsock is the host's.
The rest of the list is of no use to a shell command and has a history of holes. Namespaces, mounts and the like are
refused here as well as by having no capabilities.
"""

import errno
import os
import struct

_NUMBERS = {  # name: (x86_64, aarch64)
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
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
}
_SOCKET = (41, 198)
_FAMILIES = (1, 2, 10, 16)  # Unix, IPv4, IPv6, netlink
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.ENOSYS
_NUMBER_AT, _MACHINE_AT, _ARGUMENT_AT = 0, 4, 16  # of the first argument the lower half, on these machines
_NO_FAMILY = 0x00050000 | errno.EAFNOSUPPORT
_X32 = 0x40000000  # x86_64 knows its calls by a second set of numbers, from here on


def program(machine: str | None = None) -> bytes:
    """The filter as bwrap's `--seccomp` wants it; empty for a machine whose numbers are not known here."""
    known = _MACHINES.get(machine or os.uname().machine)
    if known is None:
        return b""
    column, audit = known
    lines = [(_LOAD, 0, 0, _MACHINE_AT), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for numbers in _NUMBERS.values():
        lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE)]
    lines += [(_EQUAL, 0, len(_FAMILIES) + 2, _SOCKET[column]), (_LOAD, 0, 0, _ARGUMENT_AT)]
    lines += [(_EQUAL, len(_FAMILIES) - i, 0, family) for i, family in enumerate(_FAMILIES)]
    lines += [(_RETURN, 0, 0, _NO_FAMILY), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
