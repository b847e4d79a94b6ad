"""The `namespaces` kind: what Docker would set up, set up by ourselves; needs root on Linux."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.contract import BuildContext
from harness_sandbox import cgroups, rootfs, servers
from harness_sandbox.channel import Channel
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxError, SandboxPool
from harness_sandbox.spawned import SpawnedChannel

#: Processes and threads in a slot: a job's, a test program's and the server.
PIDS = 160


def namespaces(options: PoolOptions, context: BuildContext) -> SandboxPool:
    """Build the kind; raises SandboxError if this host cannot contain with it."""
    why = unavailable()
    if why:
        raise SandboxError(why, where="sandbox 'namespaces'", hint="use the docker kind")
    return SandboxPool(
        NamespaceLauncher(options, rootfs.build(context.cache, language=options.language)), options
    )


def unavailable() -> str:
    """Why this host does not have the kind; empty if it does."""
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root: another uid for each job, mounts and control groups"
    return cgroups.unavailable()


class NamespaceLauncher:
    """Starts `harness_runner.enclose`, which becomes the server."""

    kind = "namespaces"
    warm = True

    def __init__(self, options: PoolOptions, root: Path) -> None:
        self._options, self._root = options, root
        #: First uids of the servers that were started.
        self.uid_bases: list[int] = []

    def start(self, slot: int) -> Channel:
        options = self._options
        group = cgroups.Group(options.memory_mb + options.tmp_mb + servers.SERVER_MB, PIDS)
        server = servers.config(warm=True, uids=True)
        self.uid_bases.append(server["uid_base"])
        config = {
            "parent": os.getpid(),
            "root": str(self._root),
            "tmp_mb": options.tmp_mb,
            "cgroups": [str(path) for path in group.paths],
            "memory_cgroup": str(group.memory),
            "command": list(rootfs.SERVER_COMMAND),
            "environment": rootfs.WARM_ENVIRONMENT,
            "server": server,
        }
        return SpawnedChannel(
            [sys.executable, "-I", "-S", str(rootfs.RUNNER / "enclose.py"), servers.dumps(config)],
            {},
            cleanup=group.remove,
        )

    def sweep(self) -> int:
        return cgroups.sweep()

    def close(self) -> None:
        pass
