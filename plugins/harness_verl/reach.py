"""Where a job's processes reach the driver: this machine's own interface, or its address in a cluster."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from harness.contract import RecipeError

LOOPBACK: Final = "127.0.0.1"
#: Any address beyond this machine: the routing table says by which of ours it is reached. Nothing is sent.
_BEYOND: Final = "8.8.8.8"


def interface(listen: str | None, ray_address: str | None, nodes: int, where: str) -> tuple[str, str]:
    """The host that the driver binds, and the one that it is reached by.

    Raises:
        RecipeError: other machines must reach this one, and its only address is loopback.
    """
    if listen is not None:
        return listen, listen
    # On a cluster that runs already, verl spreads its reward workers over all nodes, however few train.
    if nodes == 1 and ray_address in (None, "local"):
        return LOOPBACK, LOOPBACK
    address = outward(ray_address)
    if ipaddress.ip_address(address).is_loopback:
        raise RecipeError(
            f"other nodes cannot reach the driver: the only address of this machine is {address}",
            where=f"{where}, listen",
            hint=f'name an interface with trainer.listen, or "{LOOPBACK}" if all nodes are this machine',
        )
    # The name of a machine is often its loopback address, by which nobody else reaches it.
    return "0.0.0.0", address


def outward(ray_address: str | None) -> str:
    """This machine's address on the way to a cluster's head, else to the world."""
    head = (ray_address or "").removeprefix("ray://").rpartition(":")[0]
    for host in (head, _BEYOND):
        address = _towards(host) if host else LOOPBACK
        if not ipaddress.ip_address(address).is_loopback:
            return address
    return LOOPBACK


def _towards(host: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:  # no such host, or no way to it
            return LOOPBACK
        return str(probe.getsockname()[0])
