"""verl's agent loop workers with the loop `harness` in them.

verl finds further agent loops by a file, which would have to be on every node; importing this module, as
each of its workers does, registers ours instead.
"""

from __future__ import annotations

from typing import Any, Final

import ray
from verl.experimental.agent_loop.agent_loop import register
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from harness_verl_worker.agent import GivenPrompt

LOOP: Final = "harness"

register(LOOP)(GivenPrompt)

#: The class behind verl's actor; Ray's own way to derive from one.
_Worker: Any = AgentLoopWorkerTQ.__ray_metadata__.modified_class


@ray.remote
class SessionAgentWorker(_Worker):  # type: ignore[misc]
    """verl's worker, from a module that registers the loop."""


class SessionAgentManager(AgentLoopManagerTQ):  # type: ignore[misc]
    """verl's manager, over those workers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.agent_loop_workers_class = SessionAgentWorker
