"""How the server inside is configured, the same in every kind."""

from __future__ import annotations

import json
import random
from typing import Any, Final

from harness_sandbox.exchange import OUTPUT_BYTES, RESULT_BYTES

#: Uids of one server: more than it will ever use.
UIDS: Final = 0x10000
#: The first uid that jobs may have.
FIRST_UID: Final = 16 * UIDS
#: Memory that a server and its buffers take beside its jobs, in MiB.
SERVER_MB: Final = 96


def config(*, warm: bool, uids: bool) -> dict[str, Any]:
    """A server's configuration: whether it outlives a job, and whether jobs get uids of their own."""
    made: dict[str, Any] = {"warm": warm, "output_bytes": OUTPUT_BYTES, "result_bytes": RESULT_BYTES}
    if uids:
        # Limits on processes count by uid over all namespaces of a host: no two servers may share any.
        made["uid_base"] = UIDS * random.SystemRandom().randrange(FIRST_UID // UIDS, 0x7000)
    return made


def dumps(value: Any) -> str:
    """A configuration as the one argument that carries it."""
    return json.dumps(value, separators=(",", ":"))
