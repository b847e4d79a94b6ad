"""verl's agent loop workers with the loop `harness` in them.

verl finds further agent loops by a file, which would have to be on every node. Our loop is registered by
its module, which each of these workers imports when it starts (Ray sends the class itself by value, so
that importing this module there is not enough).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ
from verl.utils.rollout_trace import RolloutTraceConfig

from harness_verl_worker import restage

#: The class behind verl's actor.
_Worker: Any = AgentLoopWorkerTQ.__ray_metadata__.modified_class


@ray.remote
class SessionAgentWorker(_Worker):  # type: ignore[misc]
    """verl's worker, which knows our loop."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        import harness_verl_worker.agent  # noqa: F401 - importing it registers the loop

        super().__init__(*arguments, **named)

    def take_stage(self, changed: Mapping[str, Any]) -> None:
        """Sample as another stage says, and trace under its name (`harness_verl_worker.restage`)."""
        restage.put(self.config, changed)
        RolloutTraceConfig.get_instance().experiment_name = self.config.trainer.experiment_name


class SessionAgentManager(AgentLoopManagerTQ):  # type: ignore[misc]
    """verl's manager, over those workers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.agent_loop_workers_class = SessionAgentWorker

    def take_stage(self, changed: Mapping[str, Any]) -> None:
        """Have every worker do so."""
        ray.get([worker.take_stage.remote(changed) for worker in self.agent_loop_workers])
