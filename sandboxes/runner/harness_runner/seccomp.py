"""A system call filter for jobs, in classic BPF.

Everything that an ordinary program needs is allowed; what only opens kernel surface, leaves
something behind for the next job or reaches another process is refused with EPERM. It is a second
wall: a job has no capability, no network and another uid as well.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NR, _ARCH, _ARG0 = 0, 4, 16
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
#: CLONE_NEW*: time, cgroup, uts, ipc, user, pid, net, mount.
_CLONE_NEW = 0x80 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00020000

#: name: (x86_64, aarch64); None where the architecture has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161),
    "setdomainname": (171, 162), "personality": (135, 92), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "fanotify_init": (300, 262), "lookup_dcookie": (212, 18),
    "vhangup": (153, 58), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # What outlives its process, or reaches another's: System V IPC, message queues, sockets.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190),
    "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "socket": (41, 198), "mknod": (133, None), "mknodat": (259, 33),
}  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
_CLONE3 = 435
_X32_BIT = 0x40000000


def program(machine: str | None = None) -> bytes:
    """The filter as an array of `sock_filter`.

    Raises:
        OSError: the architecture is not one we know the call numbers of.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"no system call numbers for {machine}; known: {', '.join(_ARCHITECTURES)}")
    column, audit, clone = _ARCHITECTURES[machine]
    refused = {n for pair in _REFUSED.values() if (n := pair[column]) is not None}
    # Where the answer changes: at a number that is refused after one that is not, and the other way round.
    changes = sorted({n for n in refused if n - 1 not in refused} | {n + 1 for n in refused} - refused)
    code = [
        (_LD, 0, 0, _ARCH),
        (_JEQ, 1, 0, audit),
        (_RET, 0, 0, _KILL),
        (_LD, 0, 0, _NR),
        (_JSET, 0, 1, _X32_BIT),
        (_RET, 0, 0, _KILL),
        # clone3 hides its flags behind a pointer: unknown to the program, it falls back to clone.
        (_JEQ, 0, 1, _CLONE3),
        (_RET, 0, 0, _ERRNO | _ENOSYS),
        (_JEQ, 0, 4, clone),
        (_LD, 0, 0, _ARG0),
        (_JSET, 0, 1, _CLONE_NEW),
        (_RET, 0, 0, _ERRNO | _EPERM),
        (_RET, 0, 0, _ALLOW),
    ]
    code += _search(changes, refused=False)
    return b"".join(struct.pack("HBBI", *line) for line in code)


def _search(changes: list[int], *, refused: bool) -> list[tuple[int, int, int, int]]:
    """Finds by halves between which changes the number lies: the kernel runs a new filter once for each of
    its system calls, and every job brings a new one."""
    if not changes:
        return [(_RET, 0, 0, _ERRNO | _EPERM if refused else _ALLOW)]
    half = len(changes) // 2
    below = _search(changes[:half], refused=refused)
    above = _search(changes[half + 1 :], refused=refused ^ (half % 2 == 0))
    return [(_JGE, len(below), 0, changes[half]), *below, *above]


class Filter:
    """The filter, made once in the server so that a job pays one system call for it."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        self._libc = libc
        self._code = program()
        self._buffer = ctypes.create_string_buffer(self._code, len(self._code))
        length = len(self._code) // 8
        self._fprog = ctypes.create_string_buffer(
            struct.pack("HxxxxxxQ", length, ctypes.addressof(self._buffer)), 16
        )

    def install(self) -> None:
        """Filter this process and all it will start; needs no_new_privs. Raises OSError."""
        if self._libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, self._fprog, 0, 0):
            raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
