"""What befalls a cluster while it works."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from clusters.machines import Host, Node
from clusters.network import Network, send

T = TypeVar("T")
#: Share of the connections that a server hangs up on in mid-answer, where servers die.
HANGUP: Final = 0.02
#: How much longer a slow server takes.
SLOW: Final = 4.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What can be hurt."""

    network: Network
    nodes: Sequence[Node]
    hosts: Sequence[Host]
    #: Seconds between two blows, and seconds that each lasts.
    every: float
    lasts: float


#: A blow: what it hurts is whole again when the context ends.
Blow = Callable[[Cluster, int], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table."""

    name: str
    #: What happens, for people.
    about: str
    #: What is different in the latency model.
    latency: Mapping[str, Any] = field(default_factory=dict)
    #: How servers behave from the beginning (`servers.Node.tell`), a part of them or all.
    behaviour: Mapping[str, float] = field(default_factory=dict)
    part: float = 1.0
    blow: Blow | None = None

    def begin(self, cluster: Cluster) -> None:
        for node in cluster.nodes[: self._concerned(len(cluster.nodes))]:
            node.tell(**self.behaviour)

    def slowness(self, servers: int) -> list[float]:
        """For each server, how many times as long as the latency model says it takes."""
        concerned = self._concerned(servers)
        return [self.behaviour.get("slow", 1.0)] * concerned + [1.0] * (servers - concerned)

    def _concerned(self, number: int) -> int:
        """How many of so many behave otherwise."""
        return max(int(number * self.part), 1) if self.behaviour else 0

    def strike(self, cluster: Cluster, over: threading.Event) -> int:
        """Blow after blow until it is over; returns how many fell."""
        number = 0
        while self.blow is not None and not over.wait(cluster.every):
            with self.blow(cluster, number):
                number += 1
                over.wait(cluster.lasts)
        return number


def _part(members: Sequence[T], number: int) -> Sequence[T]:
    """A quarter of them, another one each time."""
    size = max(len(members) // 4, 1)
    start = number * size % len(members)
    return members[start : start + size]


@contextlib.contextmanager
def _killed(cluster: Cluster, number: int) -> Iterator[None]:
    node = cluster.nodes[number % len(cluster.nodes)]
    node.kill()
    try:
        yield
    finally:
        node.start()
        node.ready()
        node.tell(hangup=HANGUP)


@contextlib.contextmanager
def _stopped(cluster: Cluster, number: int) -> Iterator[None]:
    hosts = _part(cluster.hosts, number)
    send(hosts, signal.SIGSTOP)
    try:
        yield
    finally:
        send(hosts, signal.SIGCONT)


@contextlib.contextmanager
def _cut_off(cluster: Cluster, number: int) -> Iterator[None]:
    members = [*_part(cluster.nodes, number), *_part(cluster.hosts, number)]
    cluster.network.cut(members)
    try:
        yield
    finally:
        cluster.network.heal(members)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario("steady", "nothing happens"),
    Scenario(
        "long tails", "one answer in fifteen has 32k tokens: a spread of 1.4", latency={"tokens_spread": 1.4}
    ),
    Scenario(
        "slow servers",
        "a quarter of the servers takes four times as long",
        behaviour={"slow": SLOW},
        part=0.25,
    ),
    Scenario(
        "dying servers",
        f"node after node is killed and started again; {100 * HANGUP:g} % of the answers end in the middle",
        behaviour={"hangup": HANGUP},
        blow=_killed,
    ),
    Scenario("hanging hosts", "a quarter of the sandbox hosts stops, then another one", blow=_stopped),
    Scenario(
        "partition", "a quarter of the nodes and hosts is cut off, and back, then another one", blow=_cut_off
    ),
)
