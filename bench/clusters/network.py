"""The network between the driver and what it asks: a bridge and a namespace for each machine, or loopback.

Nothing outside is touched: bridge and links lie in namespaces of the bench, which end with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Spot:
    """Where processes of one machine of the cluster run."""

    name: str
    address: str
    #: The words that start a command there.
    enter: tuple[str, ...] = ()


@dataclass
class Member:
    """A process whose machine can be cut off; `pid` is None while it is down."""

    spot: Spot
    pid: int | None = field(default=None, init=False)


class Network(Protocol):
    """Spots, and links that can be cut."""

    #: How it is made, for the report.
    about: str
    driver: Spot

    def spot(self, name: str) -> Spot:
        """The spot of this name, the same whenever it is asked for."""
        ...

    def ports(self, count: int) -> list[int]:
        """Ports that are free at a spot that has no processes yet."""
        ...

    def cut(self, members: Sequence[Member]) -> None: ...

    def heal(self, members: Sequence[Member]) -> None: ...


class Loopback:
    """All at 127.0.0.1. A link cannot be cut here: processes behind it are stopped and do not answer."""

    about = "processes on loopback; a cut link is a stopped process"

    def __init__(self) -> None:
        self.driver = Spot("driver", "127.0.0.1")

    def spot(self, name: str) -> Spot:
        return Spot(name, "127.0.0.1")

    def ports(self, count: int) -> list[int]:
        with contextlib.ExitStack() as stack:
            free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
            return [one.getsockname()[1] for one in free]

    def cut(self, members: Sequence[Member]) -> None:
        send(members, signal.SIGSTOP)

    def heal(self, members: Sequence[Member]) -> None:
        send(members, signal.SIGCONT)


def send(members: Sequence[Member], number: signal.Signals) -> None:
    """A signal to those that are up."""
    for member in members:
        if member.pid is not None:
            os.kill(member.pid, number)


class Namespaces:
    """A namespace with the bridge, in which the driver runs, and one for each spot."""

    about = "a network namespace for each node and host, a bridge between them; a cut link is down"

    def __init__(self) -> None:
        self._prefix = f"cluster-{os.getpid()}"
        self._links: dict[str, str] = {}
        self._spots: dict[str, Spot] = {}
        self._made: list[str] = []
        self.driver = Spot("driver", "10.77.0.1", self._enter(f"{self._prefix}-driver"))

    def open(self) -> None:
        self._add("driver")
        _ip("-n", self._made[0], "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._made[0], "addr", "add", "10.77.0.1/16", "dev", "bridge")
        _ip("-n", self._made[0], "link", "set", "bridge", "up")

    def spot(self, name: str) -> Spot:
        if name in self._spots:
            return self._spots[name]
        space, number = self._add(name), len(self._made)
        link, address = f"to-{number}", f"10.77.1.{number}"
        driver = ("-n", self._made[0])
        _ip(*driver, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip(*driver, "link", "set", link, "master", "bridge", "up")
        _ip("-n", space, "addr", "add", f"{address}/16", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        self._links[name] = link
        self._spots[name] = Spot(name, address, self._enter(space))
        return self._spots[name]

    def ports(self, count: int) -> list[int]:
        return list(range(8000, 8000 + count))

    def cut(self, members: Sequence[Member]) -> None:
        self._set(members, "down")

    def heal(self, members: Sequence[Member]) -> None:
        self._set(members, "up")

    def _set(self, members: Sequence[Member], state: str) -> None:
        for member in members:
            _ip("-n", self._made[0], "link", "set", self._links[member.spot.name], state)

    def _add(self, name: str) -> str:
        space = f"{self._prefix}-{name}"
        _ip("netns", "add", space)
        self._made.append(space)
        _ip("-n", space, "link", "set", "lo", "up")
        return space

    @staticmethod
    def _enter(space: str) -> tuple[str, ...]:
        # `ip netns exec` would mount another /sys, and hide the control groups that sandboxes need.
        return ("nsenter", f"--net=/run/netns/{space}")

    def close(self) -> None:
        while self._made:
            _ip("netns", "del", self._made.pop())
        self._spots.clear()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def missing() -> str:
    """What namespaces lack on this machine; empty if nothing."""
    if os.geteuid():
        return "they need root"
    for command in ("ip", "nsenter"):
        if shutil.which(command) is None:
            return f"{command} is not installed"
    return ""


@contextlib.contextmanager
def network(kind: str) -> Iterator[Network]:
    """The network of this kind; `auto` is namespaces where they can be had.

    Raises:
        OSError, subprocess.CalledProcessError: namespaces were asked for and cannot be had.
    """
    if kind == "loopback" or (kind == "auto" and missing()):
        yield Loopback()
        return
    if why := missing():
        raise OSError(f"no network namespaces: {why}")
    spaces = Namespaces()
    try:
        spaces.open()
        yield spaces
    finally:
        spaces.close()
