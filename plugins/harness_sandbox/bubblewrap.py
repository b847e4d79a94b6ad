"""The `bubblewrap` kind: a `bwrap` process for each job, with the same tree and server inside.

Everything that bwrap leaves open by default is closed: it is started with an empty environment (its
own is readable as /proc/1/environ), the server is process 1, further user namespaces are disabled,
and the job gets the server's system call filter. The one uid inside is why no server serves twice.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from harness.contract import BuildContext
from harness_sandbox import cgroups, rootfs, servers
from harness_sandbox.channel import Channel
from harness_sandbox.namespaces import PIDS
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxError, SandboxPool
from harness_sandbox.spawned import SpawnedChannel

#: The uid inside.
UID = 65534


def bubblewrap(options: PoolOptions, context: BuildContext) -> SandboxPool:
    """Build the kind; raises SandboxError if this host cannot contain with it."""
    why = unavailable()
    if why:
        raise SandboxError(why, where="sandbox 'bubblewrap'", hint="apt-get install bubblewrap")
    return SandboxPool(
        BubblewrapLauncher(options, rootfs.build(context.cache, language=options.language)), options
    )


def unavailable() -> str:
    """Why this host does not have the kind; empty if it does."""
    if sys.platform != "linux":
        return "it needs Linux"
    if shutil.which("bwrap") is None:
        return "bwrap is not on the PATH"
    return cgroups.unavailable()


class BubblewrapLauncher:
    """Starts a bwrap per job, in control groups of the slot, because bwrap itself limits nothing."""

    kind = "bubblewrap"
    warm = False

    def __init__(self, options: PoolOptions, root: Path) -> None:
        self._options, self._root = options, root
        self._bwrap = shutil.which("bwrap") or "bwrap"

    def start(self, slot: int) -> Channel:
        options = self._options
        group = cgroups.Group(options.memory_mb + options.tmp_mb + servers.SERVER_MB, PIDS)
        size = str(options.tmp_mb << 20)
        command = [
            self._bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1",
            "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox",
            "--ro-bind", str(self._root), "/", "--proc", "/proc", "--dev", "/dev",
            "--size", size, "--perms", "1777", "--tmpfs", "/tmp",
            "--size", size, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
            *rootfs.SERVER_COMMAND, servers.dumps(servers.config(warm=False, uids=False)),
        ]  # fmt: skip
        join = [sys.executable, "-I", "-S", str(Path(__file__).with_name("join.py"))]
        groups = [f"{path}/cgroup.procs" for path in group.paths]
        return SpawnedChannel([*join, *groups, "--", *command], rootfs.ENVIRONMENT, cleanup=group.remove)

    def sweep(self) -> int:
        return cgroups.sweep()

    def close(self) -> None:
        pass
