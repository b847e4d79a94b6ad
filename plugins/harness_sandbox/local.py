"""The `unsafe-local` kind: limits but no containment. A program can read what you can read and reach the
network. It is meant for programs that you wrote yourself, and `i_know_what_i_do` must confirm it."""

from __future__ import annotations

import sys

from harness.contract import BuildContext
from harness_sandbox import rootfs, servers
from harness_sandbox.channel import Channel
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxError, SandboxPool
from harness_sandbox.spawned import SpawnedChannel


class UnsafeOptions(PoolOptions):
    """Options of the other kinds, and a confirmation."""

    i_know_what_i_do: bool = False
    """Confirms that programs may run as you, unconfined, with everything that you may do. Without it the
    sandbox is refused."""


def unsafe_local(options: UnsafeOptions, context: BuildContext) -> SandboxPool:
    """Build the kind; raises SandboxError unless `i_know_what_i_do` is set."""
    if not options.i_know_what_i_do:
        raise SandboxError(
            "it contains nothing: a program can read your files and use your network",
            where="sandbox 'unsafe-local'",
            hint="use another kind, or set i_know_what_i_do = true for programs that you wrote yourself",
        )
    return SandboxPool(LocalLauncher(), options)


class LocalLauncher:
    """Starts a server per job as a plain child process."""

    kind = "unsafe-local"
    warm = False

    def start(self, slot: int) -> Channel:
        code = (
            f"import sys; sys.path.insert(0, {str(rootfs.RUNNER.parent)!r}); "
            "from harness_runner.server import main; main()"
        )
        config = servers.config(warm=False, uids=False) | {"seccomp": False}
        command = [sys.executable, "-s", "-P", "-S", "-X", "utf8", "-c", code, servers.dumps(config)]
        return SpawnedChannel(command, self.environment())

    def environment(self) -> dict[str, str]:
        """What programs see of our environment: nothing."""
        return dict(rootfs.ENVIRONMENT)

    def sweep(self) -> int:
        return 0

    def close(self) -> None:
        pass
