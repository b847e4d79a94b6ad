"""Making a container out of namespaces, and becoming the server in it.

Started by the trusted side as root. New pid, mount, network, IPC, UTS and cgroup namespaces; a root
that holds the sandbox's tree and nothing else, read-only; all capabilities gone but the three that
the server needs; then the tree's own Python in place of the host's.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
from typing import Any

_NEWNS, _NEWCGROUP, _NEWUTS = 0x00020000, 0x02000000, 0x04000000
_NEWIPC, _NEWPID, _NEWNET = 0x08000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_SETGID, _SETUID, _KILL, _SETPCAP = 6, 7, 5, 8
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

#: As `limits.NICE`, which this file, run by its path, cannot import.
NICE = 10

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _check(result, f"mount {source} on {target}")


def _bind(source: str, target: str, flags: int) -> None:
    _mount(source, target, "", _BIND | _REC)
    _mount("none", target, "", _BIND | _REMOUNT | flags)


def main() -> None:
    """Enclose and serve descriptors 0 and 1; the configuration is the first argument."""
    config = json.loads(sys.argv[1])
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != config["parent"]:
        os._exit(1)
    for path in config["cgroups"]:
        with open(f"{path}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    _check(_libc.unshare(_NEWNS | _NEWCGROUP | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET), "unshare")
    heard, lifeline = os.pipe()
    pid = os.fork()
    if pid:
        # The init of the namespace dies with us, and everything in the namespace with it.
        os.close(0)
        os.close(1)
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.close(lifeline)
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    _die_if_orphaned(heard)
    os.setsid()
    _enter_root(config)
    os.umask(0o022)
    # Jobs stand back behind the server, not behind the rest of the host.
    os.nice(-NICE)
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 1024)):
        resource.setrlimit(kind, (value, value))
    _drop_capabilities()
    command = config["command"]
    os.execve(command[0], [*command, json.dumps(config["server"])], config["environment"])


def _die_if_orphaned(heard: int) -> None:
    """End when the launcher ended before the death signal was asked for: it would never come, and a server
    that nobody can kill would go on answering. The parent's id says nothing in a new pid namespace; a pipe
    of which it alone holds the other end does."""
    poll = select.poll()
    poll.register(heard, 0)
    if poll.poll(0):
        os._exit(1)
    os.close(heard)


def _enter_root(config: dict[str, Any]) -> None:
    root = config["root"]
    _mount("none", "/", "", _REC | _PRIVATE)
    _bind(root, root, _RDONLY | _NOSUID | _NODEV)
    _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC, "hidepid=2")
    size = f"size={config['tmp_mb']}m"
    _mount("tmpfs", f"{root}/tmp", "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"{size},nr_inodes=4096,mode=1777")
    _mount("tmpfs", f"{root}/dev", "tmpfs", _NOSUID | _NOEXEC, "size=64k,nr_inodes=64,mode=755")
    for name in _DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        _mount(f"/dev/{name}", f"{root}/dev/{name}", "", _BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")
    os.mkdir(f"{root}/dev/shm")
    _mount("none", f"{root}/dev", "", _REMOUNT | _RDONLY | _NOSUID | _NOEXEC)
    _mount(
        "tmpfs", f"{root}/dev/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"{size},nr_inodes=1024,mode=1777"
    )
    # Where the server counts out-of-memory kills; its files are root's and the mount is read-only.
    _bind(config["memory_cgroup"], f"{root}/sys", _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount of the old root")
    os.chdir("/")
    _check(_libc.sethostname(b"sandbox", 7), "sethostname")


def _drop_capabilities() -> None:
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        # The right to drop goes last; what is out of the bounding set is gone at the coming exec.
        if capability not in (_SETGID, _SETUID, _KILL, _SETPCAP):
            _check(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), f"dropping capability {capability}")
    _check(_libc.prctl(_PR_CAPBSET_DROP, _SETPCAP, 0, 0, 0), "dropping the right to drop")


if __name__ == "__main__":
    main()
