"""Filling a step: tasks from the curriculum, completions by the engine or by TRL, refills by the gates.

`session.collect` does the asking, so that dynamic sampling, its bound and the order of draws are the
same as for every other trainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from harness.contract import Batch, Request, Rollout, RolloutKey, Task, seed_of
from harness.training import Step
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

    def clear(self) -> None:
        """Begin a new step."""
        self.tasks.clear()
        self.logprobs.clear()

    def rows(self, batch: Batch, trainer: StageTrainer) -> StepRows:
        """The rows of a step's groups."""
        run = self.run
        rows = step_rows(
            batch.groups,
            self.tasks,
            trainer.args.generation_batch_size,
            trainer.multiple,
            mask_truncated=run.stage.loss.mask_truncated,
            pad=trainer.eos_token_ids[0],
            logprobs=self.logprobs,
            parts=run.stage.optimizer.mini_batches,
        )
        self.tokens = rows.tokens
        # Of what an update draws at random, such as dropout; seeded by the step, a resumed run draws alike.
        torch.manual_seed(self._seed("update", run.drive.step))
        return rows

    def generate(self, tasks: Sequence[Task], step: Step, trainer: StageTrainer) -> Iterator[Rollout]:
        """One by one: each is judged while the next ones are generated."""
        self.tasks |= {task.id: task for task in tasks}
        requests = [request for group in step.requests(tasks) for request in group]
        if self.run.by.options.by_trl:
            return self._generate_by_trl(requests, step, trainer)
        return self.run.engine(step.policy).rollouts(requests)

    def _generate_by_trl(
        self, requests: Sequence[Request], step: Step, trainer: StageTrainer
    ) -> Iterator[Rollout]:
        """As TRL generates: by transformers' `generate`, continuous batching, or vLLM. Its draws come from
        the global random state, which is seeded by the first key."""
        run = self.run
        torch.manual_seed(seed_of(self._seed("generate", step), requests[0].key.task, requests[0].key.sample))
        fitting = run.weights.renderer.fitting(requests, run.context_length)
        prompts = [fitting[request.prompt] for request in requests]
        given: Any = trainer._generate_single_turn(
            [list(ids) for ids in prompts], None, {}, run.stage.rollout.n
        )
        completions, logprobs = given
        ends = set(trainer.eos_token_ids)
        # vLLM's are those after temperature and truncation; a rollout's are those before.
        sampling = run.stage.rollout
        plain = sampling.temperature == 1 and sampling.top_p == 1 and not sampling.top_k
        plain = plain and not DISTORTING & run.by.options.grpo.keys()
        texts = run.weights.renderer.texts(completions)
        for i, (request, ids, text) in enumerate(zip(requests, completions, texts, strict=True)):
            ended = bool(ids) and ids[-1] in ends
            full = len(ids) >= request.sampling.max_tokens
            if logprobs is not None:
                self.logprobs[request.key] = tuple(logprobs[i])
            yield Rollout(
                key=request.key,
                prompt_ids=prompts[i],
                completion_ids=tuple(ids),
                text=text,
                finish="length" if full and not ended else "stop",
                policy=step.policy,
                sampling=request.sampling,
                logprobs=tuple(logprobs[i]) if logprobs is not None and plain else None,
            )

    def _seed(self, purpose: str, step: Step) -> int:
        return seed_of(self.run.by.context.seed, "trl", purpose, step.stage.name, step.number) % 2**63
