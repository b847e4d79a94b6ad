"""Launching servers in containers with nothing but what the server needs.

All capabilities are dropped but three: SETUID and SETGID to become a job's uid, KILL to end it. No
network, a read-only root, a small tmpfs, limits on memory, processes and cores; a job drops the
three as well and gets a system call filter of its own. The client's end of the attached stream is
the server's lifeline: when it closes, the server ends and the engine removes its container.
"""

from __future__ import annotations

import logging
import struct
import time
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import LogConfig, Ulimit
from harness_sandbox import owner, rootfs, servers
from harness_sandbox.channel import Channel, SocketChannel, StartError
from harness_sandbox.pool import SandboxPool

from harness.contract import BuildContext
from harness_docker import engine, image
from harness_docker.options import DockerOptions

log = logging.getLogger(__name__)
#: Marks our containers with the process that they belong to.
LABEL = "staged-harness.sandbox.owner"
_STREAM = struct.Struct(">BxxxL")


def warm(options: DockerOptions, context: BuildContext) -> SandboxPool:
    """The `docker` kind: containers that serve many jobs."""
    return SandboxPool(DockerLauncher("docker", options, warm=True), options)


def per_job(options: DockerOptions, context: BuildContext) -> SandboxPool:
    """The `docker-run` kind: a container for each job."""
    return SandboxPool(DockerLauncher("docker-run", options, warm=False), options)


class DockerLauncher:
    """Starts a container per slot (or per job) and talks to the server in it."""

    def __init__(self, kind: str, options: DockerOptions, *, warm: bool) -> None:
        self.kind, self.warm = kind, warm
        self._options = options
        #: First uids of the servers that were started.
        self.uid_bases: list[int] = []
        self._client = engine.connect()
        self._image = options.image or image.name(language=options.language)
        image.require(self._client, self._image)

    def start(self, slot: int) -> Channel:
        try:
            made = self._client.api.create_container_from_config(self._config())
            return DockerChannel(self._client, made["Id"])
        except engine.ENGINE_ERRORS as error:
            raise StartError(f"no container could be started: {error}") from error

    def sweep(self) -> int:
        """Remove containers whose run is gone."""
        listed = self._client.api.containers(all=True, filters={"label": LABEL})
        gone = [c["Id"] for c in listed if owner.dead(c["Labels"].get(LABEL, ""))]
        for container in gone:
            remove(self._client, container)
        return len(gone)

    def close(self) -> None:
        self._client.close()

    def _config(self) -> Any:
        options = self._options
        memory = (options.memory_mb + options.tmp_mb + servers.SERVER_MB) << 20
        server = servers.config(warm=self.warm, uids=True)
        self.uid_bases.append(server["uid_base"])
        api = self._client.api
        host = api.create_host_config(
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=["SETUID", "SETGID", "KILL"],
            security_opt=["no-new-privileges"],
            pids_limit=160,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(options.cpus * 1e9),
            tmpfs={
                "/tmp": f"rw,nosuid,nodev,noexec,size={options.tmp_mb}m,nr_inodes=4096,mode=1777",
                "/dev/shm": f"rw,nosuid,nodev,noexec,size={options.tmp_mb}m,nr_inodes=1024,mode=1777",
            },
            ulimits=[Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=1024, hard=1024)],
            log_config=LogConfig(type="none"),
            auto_remove=True,
            runtime=options.runtime or None,
        )
        return api.create_container_config(
            self._image,
            command=[*rootfs.SERVER_COMMAND, servers.dumps(server)],
            entrypoint=[],
            environment=rootfs.WARM_ENVIRONMENT if self.warm else rootfs.ENVIRONMENT,
            user="0:0",
            working_dir="/",
            labels={LABEL: owner.mine()},
            stdin_open=True,
            tty=False,
            network_disabled=True,
            host_config=host,
            hostname="sandbox",
        )


class DockerChannel(SocketChannel):
    """The attached stream of a container: stdin one way, stdout and stderr in chunks the other."""

    def __init__(self, client: Any, container: str) -> None:
        self._client, self._container = client, container
        self._left = 0
        self._stderr = bytearray()
        self._response: Any = None
        try:
            self._response = client.api.attach_socket(
                container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            super().__init__(getattr(self._response, "_sock", self._response))
            client.api.start(container)
        except BaseException:
            self.kill()
            raise

    def read_into(self, view: memoryview, deadline: float) -> int:
        while not self._left:
            head = bytearray(_STREAM.size)
            if not self._fill(memoryview(head), deadline):
                return 0
            stream, length = _STREAM.unpack(head)
            if stream == 1:
                self._left = length
                continue
            words = bytearray(length)
            self._fill(memoryview(words), deadline)
            self._stderr = (self._stderr + words)[-2000:]
        count = super().read_into(view[: self._left], deadline)
        self._left -= count
        return count

    def _fill(self, view: memoryview, deadline: float) -> bool:
        done = 0
        while done < len(view):
            count = super().read_into(view[done:], deadline)
            if not count:
                return False
            done += count
        return True

    def last_words(self) -> str:
        return self._stderr.decode(errors="replace").strip()

    def kill(self) -> None:
        # Our end first: a kill waits for output that nobody reads any more.
        if self._response is not None:
            self._response.close()
            self._sock.close()
        remove(self._client, self._container)


def remove(client: Any, container: str) -> None:
    """Force a container away; one that is gone, or going, is fine. One that an engine cannot remove
    now is reported, and swept at the next start."""
    for pause in (0.1, 0.3, 1.0, 0.0):
        try:
            client.api.remove_container(container, force=True, v=True)
            return
        except NotFound:
            return
        except engine.ENGINE_ERRORS as error:
            if isinstance(error, APIError) and "already in progress" in str(error) and pause:
                time.sleep(pause)
                continue
            log.warning("container %s could not be removed: %s", container[:12], error)
            return
