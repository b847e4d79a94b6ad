"""Filling a step: tasks from the curriculum, completions by the engine or by TRL, refills by the gates.

`session.collect` does the asking, so that dynamic sampling, its bound and the order of draws are the
same as for every other trainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from harness.protocols import Batch
from harness.records import Request, Rollout, RolloutKey, Task
from harness.seeds import seed_of
from harness_trl.options import DISTORTING
from harness_trl.rows import StepRows, step_rows

if TYPE_CHECKING:
    from harness_trl.grpo import StageTrainer
    from harness_trl.trainer import StageRun


class NothingLeft(Exception):
    """No group was kept: the stage is over before this step (control flow, never shown)."""


class Filling:
    """Fills the steps of one stage."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self.tasks: dict[str, Task] = {}
        #: Log-probabilities as a sampler of TRL's saw them, for its own correction.
        self.logprobs: dict[RolloutKey, tuple[float, ...]] = {}
        #: Completion tokens in the loss of the last step.
        self.tokens = 0

    def fill(self, trainer: StageTrainer) -> tuple[Batch, StepRows]:
        """A step's groups, and their rows.

        Raises:
            NothingLeft: no group was kept.
        """
        run = self.run
        self.tasks.clear()
        self.logprobs.clear()

        def generate(tasks: Sequence[Task]) -> Iterator[Rollout]:
            """One by one: each is judged while the next ones are generated."""
            self.tasks |= {task.id: task for task in tasks}
            requests = [request for group in run.session.requests(tasks) for request in group]
            with run.phases("generate"):
                yield from self._generate(requests, trainer)

        batch = run.session.collect(generate)
        if not batch.groups:
            raise NothingLeft
        rows = step_rows(
            batch.groups,
            self.tasks,
            trainer.args.generation_batch_size,
            mask_truncated=run.stage.loss.mask_truncated,
            pad=trainer.eos_token_ids[0],
            logprobs=self.logprobs,
        )
        self.tokens = rows.tokens
        # TRL shuffles the rows; seeded by the step, a resumed run shuffles alike.
        torch.manual_seed(self._seed("update"))
        return batch, rows

    def _generate(self, requests: Sequence[Request], trainer: StageTrainer) -> Iterator[Rollout]:
        if self.run.by.options.by_trl:
            return iter(self._generate_by_trl(requests, trainer))
        return self.run.engine(self.run.step - 1).rollouts(requests)

    def _generate_by_trl(self, requests: Sequence[Request], trainer: StageTrainer) -> list[Rollout]:
        """As TRL generates: by transformers' `generate`, continuous batching, or vLLM. Its draws come from
        the global random state, which is seeded by the first key."""
        run = self.run
        torch.manual_seed(seed_of(self._seed("generate"), requests[0].key.task, requests[0].key.sample))
        fitting = run.weights.renderer.fitting(requests, run.policy.files.context_length)
        prompts = [fitting[request.prompt] for request in requests]
        given: Any = trainer._generate_single_turn(
            [list(ids) for ids in prompts], None, {}, run.stage.rollout.n
        )
        completions, logprobs = given
        ref = run.engine(run.step - 1).policy
        ends = set(trainer.eos_token_ids)
        # vLLM's are those after temperature and truncation; a rollout's are those before.
        sampling = run.stage.rollout
        plain = sampling.temperature == 1 and sampling.top_p == 1 and not sampling.top_k
        plain = plain and not DISTORTING & run.by.options.grpo.keys()
        texts = run.weights.renderer.texts(completions)
        rollouts = []
        for i, (request, ids, text) in enumerate(zip(requests, completions, texts, strict=True)):
            ended = bool(ids) and ids[-1] in ends
            full = len(ids) >= request.sampling.max_tokens
            rollouts.append(
                Rollout(
                    key=request.key,
                    prompt_ids=prompts[i],
                    completion_ids=tuple(ids),
                    text=text,
                    finish="length" if full and not ended else "stop",
                    policy=ref,
                    sampling=request.sampling,
                    logprobs=tuple(logprobs[i]) if logprobs is not None and plain else None,
                )
            )
            if logprobs is not None:
                self.logprobs[request.key] = tuple(logprobs[i])
        return rollouts

    def _seed(self, purpose: str) -> int:
        run = self.run
        return seed_of(run.by.context.seed, "trl", purpose, run.stage.name, run.step) % 2**63
