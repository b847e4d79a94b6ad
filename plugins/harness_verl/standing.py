"""A job that outlives its stage: verl started once for all stages that it can take over.

A start of verl costs a minute or more and loads everything anew. So a job that has ended a stage stays, with
its weights, moments and rollout servers. The next stage of the run is a command to it, if it begins with
those weights and asks for nothing that verl fixes at its start (`harness_verl_worker.restage`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from harness_transformers.prompts import Renderer

from harness.contract import Policy, PolicyRef, Session
from harness.training import TimeUp, silence
from harness_verl.hub import Hub
from harness_verl.job import RayJob
from harness_verl.live import LiveEngine

BETWEEN: Final = "trainer 'verl', between stages"


class StandingJob:
    """verl's job, what is needed to talk to it, and the policy that its weights are."""

    def __init__(self, hub: Hub, job: RayJob, renderer: Renderer, ends: frozenset[int], context: int) -> None:
        """
        Args:
            ends: tokens that end a completion.
            context: longest prompt plus completion, in tokens.
        """
        self.hub, self.job, self.renderer, self.ends, self._context = hub, job, renderer, ends, context
        #: None while a stage changes the weights.
        self._policy: Policy | None = None
        #: Numbers of groups: their names are never used twice.
        self.numbers: Iterator[int] = itertools.count()

    def holds(self, policy: Policy) -> bool:
        """Whether its weights and moments are those of a policy on disk."""
        mine = self._policy
        return (
            mine is not None
            and mine.checkpoint == policy.checkpoint
            and mine.ref.weights_sha == policy.ref.weights_sha
        )

    def take(self, spec: Mapping[str, Any], session: Session, where: str, *, reset: bool) -> list[str]:
        """Go on with another stage; or the settings of verl's, of which one at least it was not started for.

        Args:
            reset: whether the optimizer forgets its moments.

        Raises:
            TrainingError: the job died or stalled.
        """
        self.hub.session, self.job.where = session, where  # type: ignore[assignment]
        self._policy = None
        answer = self.job.call("stage", spec=dict(spec), reset=reset)
        return list(answer.get("fixed", ()))

    def rest(self, policy: Policy) -> None:
        """The stage is over; the weights are this policy's."""
        self.hub.session, self.job.where = None, BETWEEN
        self._policy = policy

    def engine(self, policy: PolicyRef) -> LiveEngine:
        """An engine with the weights that it has now."""
        return LiveEngine(self.job, self.renderer, self.ends, policy, self._context)

    def end(self) -> None:
        """Have it end by itself; nothing of it is left in any case. One that still owes a result, because its
        answer was not waited for to the end, is not waited for now.

        Raises:
            TrainingError: it ended with an error after all, or did not end.
        """
        if self.hub.busy:
            _close(self.job, self.hub, keep_log=True)
            return
        with closing_on_failure(self.job, self.hub):
            self.job.finish()
            _close(self.job, self.hub)


@contextmanager
def closing_on_failure(job: RayJob, hub: Hub) -> Iterator[None]:
    """Whatever goes wrong inside, nothing of the job is left but its log.

    Raises:
        TrainingError: in place of the watchdog's alarm, which may ring anywhere: verl is what was waited for.
    """
    try:
        yield
    except TimeUp as up:
        silence()
        fault = job.out_of_time(up)
        _close(job, hub, keep_log=True)
        raise fault from None
    except BaseException:
        silence()
        _close(job, hub, keep_log=True)
        raise


def _close(job: RayJob, hub: Hub, *, keep_log: bool = False) -> None:
    job.close(keep_log=keep_log)
    hub.close()
