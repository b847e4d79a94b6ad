"""verl's synchronous trainer, one command of the driver at a time, for one stage after the other.

The driver draws tasks, judges, gates and decides, as it does for every trainer; what happens between is
verl's own: generation through its rollout servers, old and reference log-probabilities, the update, the
transfer of weights, checkpoints. Advantages are the session's: the recipe's conventions and shapers made
them, and what could not be judged, or what the stage masks, is taken out of the loss's tokens.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import ray
import torch
import transfer_queue as tq
from omegaconf import OmegaConf, open_dict
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.utils import Role, need_reference_policy
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils as tu
from verl.utils.debug import marked_timer
from verl.utils.skip import SkipManager
from verl.utils.tracking import Tracking

from harness_verl_worker import restage
from harness_verl_worker.agent import GIVEN
from harness_verl_worker.configuration import compose
from harness_verl_worker.dealing import dealt
from harness_verl_worker.driver import Driver, said
from harness_verl_worker.metrics import sendable
from harness_verl_worker.reply import answers
from harness_verl_worker.worker import StageWorker

#: Seconds between two looks for finished groups; verl's own is 2.
POLL: Final = 0.2
#: More steps than any stage has: the driver says stop.
ENDLESS: Final = 1 << 30


class _NoData:
    """Where verl expects a data loader: tasks come from the driver, which keeps their state too."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class SessionTrainer(PPOTrainerSync):  # type: ignore[misc]
    """Stages under verl, as long as the job can take the next one over."""

    #: Updates of a pass over this step's batch.
    _parts = 1

    def __init__(self, config: Any, *, composed: Mapping[str, Any], optimizer: str | None) -> None:
        """
        Args:
            config: verl's complete configuration, to which verl adds.
            composed: the same as it was composed.
            optimizer: verl's checkpoint of the stage before, for its moments.
        """
        self.driver = Driver()
        self._optimizer = optimizer
        self._composed = composed
        #: This step's groups so far, and whether a step is under way.
        self._drawn: list[KVBatchMeta] = []
        self._open = False
        self._worth: Mapping[str, Mapping[str, Any]] = {}
        self.timing_raw: dict[str, float] = {}
        #: verl's count of the job's steps, and how many of them are those of earlier stages.
        self.global_steps: int = 0
        self._before = 0
        self.actor_rollout_wg: Any
        super().__init__(config)
        self.use_reference_policy: bool
        self._has_reference = self.use_reference_policy

    # What verl sets up ----------------------------------------------------------------------------

    def _init_dataloader(self) -> None:
        self.train_dataloader = _NoData()
        self.steps_per_epoch = self.total_training_steps = ENDLESS
        with open_dict(self.config):
            self.config.actor_rollout_ref.actor.optim.total_training_steps = ENDLESS

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role in (Role.ActorRollout, Role.ActorRolloutRef):
            if role in self.role_worker_mapping:
                self.role_worker_mapping[role] = ray.remote(StageWorker)

    def on_init_end(self) -> None:
        if self._optimizer is not None:
            self.actor_rollout_wg.take_optimizer(self._optimizer)
        super().on_init_end()

    # Stages ---------------------------------------------------------------------------------------

    def fit(self, agent_loop_manager: Any) -> None:
        """Do what the driver says until it says stop."""
        self.agent_loop_manager = agent_loop_manager
        SkipManager.init(self.config)
        self._track()
        self.replay_buffer.poll_interval = POLL
        self.prev_step_profile = self.curr_step_profile = self.next_step_profile = False
        handlers: dict[str, Callable[..., Any]] = {
            "generate": self._generate,
            "update": self._update,
            "answer": self._answer,
            "save": self._save,
            "stage": self._stage,
        }
        result: Any = {"step": self._steps}
        while True:
            command = self.driver.call("next", result)
            name, arguments = command["do"], command["with"]
            if name == "stop":
                self._shutdown_dump_executor()
                return
            result = handlers[name](**arguments)

    def _stage(self, spec: Mapping[str, Any], reset: bool) -> Mapping[str, Any]:
        """Go on with another stage from the weights that are here; or what of it this job is not for."""
        try:
            wanted = OmegaConf.to_container(compose(spec), resolve=True)
        except Exception as error:  # noqa: BLE001 - a job of its own will say it as its refusal
            return {"fixed": [said(error)]}
        changed = restage.changes(self._composed, wanted)
        strategy = self.config.actor_rollout_ref.actor.strategy
        # An adapter's reference is its base, which every job has.
        reference = self._has_reference or self.ref_in_actor
        if fixed := restage.fixed(self._composed, changed, strategy=strategy, reference=reference):
            return {"fixed": fixed}
        self._composed = restage.taken(self._composed, wanted)
        self._abandon()
        self._before = self.global_steps
        restage.put(self.config, changed)
        self.use_reference_policy = need_reference_policy(self.config)
        self.agent_loop_manager.take_stage(changed)
        self.actor_rollout_wg.take_stage(changed, reset)
        self.logger.finish(exit_code=0)
        self._track()
        return {"step": self._steps}

    @property
    def _steps(self) -> int:
        """Steps of the stage done, or the one under way."""
        return self.global_steps - self._before

    def _track(self) -> None:
        """A run of its own for each stage in whatever verl logs to."""
        self.logger = Tracking(
            project_name=self.config.trainer.project_name,
            experiment_name=self.config.trainer.experiment_name,
            default_backend=self.config.trainer.logger,
            config={},
        )

    def _generate(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """Sample a group for each row; how many completions of each came through. They reach the driver
        one by one, by the reward workers."""
        if not self._open:
            self._open, self.global_steps = True, self.global_steps + 1
            self.timing_raw = {}
        batch = tu.get_tensordict(
            {
                "uid": _objects([row["uid"] for row in rows]),
                "index": _objects(list(range(len(rows)))),
                "raw_prompt": _objects([row["messages"] for row in rows]),
                GIVEN: _objects([dict(row) for row in rows]),
            }
        )
        tu.assign_non_tensor_data(batch, "global_steps", self.global_steps)
        with marked_timer("gen", self.timing_raw):
            self._submit_batch_to_rollout(batch)
            drawn, _ = self.replay_buffer.sample(
                global_steps=self.global_steps, partition_id="train", batch_size=len(rows)
            )
        self._drawn.append(drawn)
        counts = {row["uid"]: 0 for row in rows}
        for key in drawn.keys:
            counts[_uid(key)] += 1
        return counts

    def _update(self, groups: Mapping[str, Mapping[str, Any]], rate: float) -> Mapping[str, float | str]:
        """The step's optimizer updates on the groups that were kept, and new weights for the servers."""
        self._worth = groups
        if all(all(worth["masked"]) for worth in groups.values()):
            return self._idle()
        metrics: dict[str, Any] = {}
        self._say("sleep")
        self.on_sample_end()
        batch = self._kept()
        with marked_timer("step", self.timing_raw):
            batch.extra_info["temperature"] = self.config.actor_rollout_ref.rollout.temperature
            self._mask(batch)
            batch = self._balance_batch(batch, metrics=metrics)
            self._deal(batch)
            for phase, name, work in self._phases():
                self._say(phase)
                with marked_timer(name, self.timing_raw):
                    if phase == "update":
                        self.actor_rollout_wg.set_learning_rate(rate)
                    batch = work(batch, metrics=metrics)
            self._say("weights")
            self.on_step_end()
            metrics.update(self._consume_sync_metrics())
        self._compute_metrics(batch, metrics, self.timing_raw, global_steps=self.global_steps, epoch=0)
        tq.kv_clear(keys=batch.keys, partition_id=batch.partition_id)
        # verl tells the rate of a schedule that was made with the first stage's.
        metrics["actor/lr"] = rate
        self.logger.log(data=metrics, step=self._steps)
        self._open = False
        return sendable(metrics)

    def _idle(self) -> Mapping[str, float | str]:
        """A step whose every sample is masked: no token is left to divide by, and nothing to learn."""
        batch = self._kept()
        self._forget(batch.keys)
        self._open = False
        return {"actor/loss": 0.0, "actor/grad_norm": 0.0}

    def _phases(self) -> list[tuple[str, str, Any]]:
        reference = [("reference", "ref", self._compute_ref_log_prob)] if self.use_reference_policy else []
        return [
            ("old log-probabilities", "old_log_prob", self._compute_old_log_prob),
            *reference,
            ("advantages", "adv", self._compute_advantage),
            ("update", "update_actor", self._update_actor),
        ]

    def _answer(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Completions of single prompts by the weights as they are, for measuring and evaluating."""
        return asyncio.run(answers(self.get_llm_client(), requests, self._say))

    def _save(self, folder: str) -> None:
        """verl's checkpoint as `<folder>/global_step_<n>`."""
        self._abandon()
        with open_dict(self.config):
            self.config.trainer.default_local_dir = folder
        counted, self.global_steps = self.global_steps, self._steps
        try:
            # It is named by the stage's step, from which a resume inside the stage goes on.
            self._save_checkpoint()
        finally:
            self.global_steps = counted
        if self.config.actor_rollout_ref.model.lora_rank:
            self.actor_rollout_wg.write_adapter(f"{folder}/global_step_{self._steps}/adapter")

    def _abandon(self) -> None:
        """A step that was begun and found nothing to learn from is none."""
        if self._open:
            self._open, self.global_steps = False, self.global_steps - 1
            self._forget([key for batch in self._drawn for key in batch.keys])
            self._drawn.clear()

    # Groups and what they are worth ---------------------------------------------------------------

    def _kept(self) -> KVBatchMeta:
        """This step's rows of kept groups; the others are forgotten."""
        rows = [(key, tag) for batch in self._drawn for key, tag in zip(batch.keys, batch.tags, strict=True)]
        self._drawn.clear()
        self._forget([key for key, _ in rows if _uid(key) not in self._worth])
        kept = [(key, tag) for key, tag in rows if _uid(key) in self._worth]
        return KVBatchMeta(partition_id="train", keys=[k for k, _ in kept], tags=[t for _, t in kept])

    def _forget(self, keys: list[str]) -> None:
        if keys:
            tq.kv_clear(keys=keys, partition_id="train")

    def _mask(self, batch: KVBatchMeta) -> None:
        """Take rows that must not count out of the loss: no token of theirs is one of the batch's."""
        masks = [
            torch.zeros_like(mask) if self._is_masked(key) else mask
            for key, mask in zip(batch.keys, self._rows(batch, "response_mask"), strict=True)
        ]
        self._put(batch, response_mask=masks, loss_mask=masks)

    def _get_required_batch_multiple(self, dp_size: int) -> int:
        """A batch that stayed short is filled up to a whole one: it has as many mini-batches as any."""
        data, rollout = self.config.data, self.config.actor_rollout_ref.rollout
        return math.lcm(super()._get_required_batch_multiple(dp_size), data.train_batch_size * rollout.n)

    def _deal(self, batch: KVBatchMeta) -> None:
        """Give each mini-batch its part of the rows that count. Where there are fewer of them than
        mini-batches, the step makes one update per pass."""
        self._parts = self._mini_batches()
        if self._parts == 1:
            return
        counts = self._counting(batch)
        ranks = max(self.actor_rollout_wg._dispatch_info["actor"]) + 1
        order = dealt(counts, ranks, self._parts)
        if order is None:
            self._parts = 1
        else:
            batch.reorder(order)

    def _mini_batches(self) -> int:
        """Updates of a pass over a whole batch."""
        return int(
            self.config.data.train_batch_size // self.config.actor_rollout_ref.actor.ppo_mini_batch_size
        )

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """The session's advantages, on every token that counts."""
        # verl's own come first: importance weights and rejection of its rollout correction are made there.
        batch = super()._compute_advantage(batch, metrics=metrics)
        masks = self._rows(batch, "response_mask")
        advantages = [
            mask.float() * self._advantage(key, tag, len(mask))
            for key, tag, mask in zip(batch.keys, batch.tags, masks, strict=True)
        ]
        self._put(batch, advantages=advantages, returns=advantages)
        if any(mask.any() for mask in masks):
            # verl takes what it rejects out of the sum alone; if that is all, it must have a count.
            self._put(batch, loss_mask=masks)
        return batch

    def _update_actor(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        """verl's, with means over sequences taken over those that have a token in the loss.

        verl divides by the number of rows that a step is asked for (its `global_batch_size`, which
        `agg_loss` uses for nothing else), whether they are masked, padding or not there at all.
        """
        group = self.actor_rollout_wg
        self.actor_rollout_wg = _Counted(group, self._counted(batch), len(batch), self._parts)
        try:
            return super()._update_actor(batch, metrics)
        finally:
            self.actor_rollout_wg = group

    def _counted(self, batch: KVBatchMeta) -> int:
        """Rows with a token in the loss; at least 1, so that a mean of none is 0."""
        return max(1, sum(self._counting(batch)))

    def _counting(self, batch: KVBatchMeta) -> list[bool]:
        """Whether each row has a token in the loss."""
        rows = zip(batch.tags, self._rows(batch, "response_mask"), strict=True)
        return [bool(mask.any()) and not tag.get("is_padding", False) for tag, mask in rows]

    def _advantage(self, key: str, tag: Mapping[str, Any], tokens: int) -> torch.Tensor:
        """The sample's advantage for each of so many tokens."""
        if tag.get("is_padding", False):
            return torch.zeros(tokens)
        worth = self._worth[_uid(key)]["advantages"][_sample(key)]
        if not isinstance(worth, list):
            return torch.full((tokens,), float(worth))
        credit = torch.zeros(tokens)
        credit[: len(worth)] = torch.tensor(worth)
        return credit

    def _is_masked(self, key: str) -> bool:
        return bool(self._worth[_uid(key)]["masked"][_sample(key)])

    def _rows(self, batch: KVBatchMeta, field: str) -> list[torch.Tensor]:
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=[field])
        return list(data[field].unbind())

    def _put(self, batch: KVBatchMeta, **fields: list[torch.Tensor]) -> None:
        nested = {
            name: torch.nested.as_nested_tensor(rows, layout=torch.jagged) for name, rows in fields.items()
        }
        tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=tu.get_tensordict(nested))

    def _say(self, phase: str) -> None:
        """What it is at: a driver that hears nothing for long knows what hangs."""
        self.driver.call("phase", phase)


class _Counted:
    """verl's worker group, told the number of rows to divide by just before the update: an equal share of
    those that count for each mini-batch."""

    def __init__(self, group: Any, counted: int, rows: int, parts: int) -> None:
        self._group, self._counted, self._rows, self._parts = group, counted, rows, parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)

    def update_actor(self, batch: KVBatchMeta) -> Any:
        batch.extra_info["global_batch_size"] = self._counted / self._parts
        batch.extra_info["mini_batch_size"] = self._rows // self._parts
        return self._group.update_actor(batch)


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _uid(key: str) -> str:
    return key.split("_", 1)[0]


def _sample(key: str) -> int:
    return int(key.split("_")[1])
