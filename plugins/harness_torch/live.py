"""What trainers in this process share: weights that live from stage to stage, and the engine on them.

`torch` and `trl` differ in how they make an update. Both open the weights once, keep them under the name
of the last policy, let the engine generate with them, and drop them if a stage fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import torch
from harness_transformers.device import resolve_device, set_threads
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_transformers.generation import Generator
from harness_transformers.lora import ADAPTER, open_lora
from harness_transformers.network import Network, open_network
from harness_transformers.prompts import Renderer, end_tokens
from harness_transformers.reading import reading
from harness_transformers.weights import check_weights

from harness.contract import BuildContext, Policy, PolicyRef, TrainingError
from harness_torch.live_options import LiveOptions

#: File with the optimizer's state, in a checkpoint's folder.
STATE: Final = "trainer.pt"


@dataclass(frozen=True, slots=True)
class Opened:
    """A policy as it goes on being trained; under LoRA the initial policy, frozen, with an adapter."""

    network: Network
    renderer: Renderer
    #: Folder of the policy that the run started from.
    origin: Path
    #: AdamW's state in the checkpoint, None for a base model.
    moments: dict[str, Any] | None


class Weights(Protocol):
    """Live weights, as a trainer keeps them."""

    network: Network
    renderer: Renderer


W = TypeVar("W", bound=Weights)


class Live(Generic[W]):
    """The live weights of a trainer, and whose they are."""

    def __init__(
        self,
        trainer: str,
        options: LiveOptions,
        context: BuildContext,
        wrap: Callable[[Opened, W | None], W],
    ) -> None:
        """
        Args:
            trainer: its name: a checkpoint of another one is refused.
            wrap: from weights that were opened, and those that they take the place of, to the trainer's.
        """
        self._trainer, self._options, self._context, self._wrap = trainer, options, context, wrap
        self.device = resolve_device(options.device or context.resources.device)
        self.precision: Literal["fp32", "bf16"] = options.precision or context.resources.precision
        self._mode = options.prompt or context.render
        set_threads(options.threads or context.resources.threads)
        self.weights: W | None = None
        #: Folder of the policy that the run started from.
        self._origin: Path | None = None
        self._policy: Policy | None = None
        self._engine = TransformersEngine(
            EngineOptions(
                prompt=self._mode,
                device=self.device.type,
                precision=self.precision,
                threads=options.threads,
                batch_rows=options.batch_rows,
                batch_tokens=options.batch_tokens,
                own_decoder=options.own_decoder,
            ),
            context,
        )

    def load(self, policy: Policy) -> W:
        """The live weights, which `policy` becomes if it is not them already.

        Raises:
            TrainingError: its checkpoint is another trainer's, or its adapter is not the recipe's.
            DataError: the weights of its checkpoint have changed.
        """
        known = self._policy.ref.weights_sha if self._policy else None
        if self.weights is None or known != policy.ref.weights_sha:
            self.weights = self._wrap(self._open(policy), self.weights)
        self._policy = policy
        return self.weights

    def begin(self) -> None:
        """From here on the live weights are on disk nowhere, until a stage has ended well."""
        self._policy = None

    def end(self, policy: Policy) -> Policy:
        """The live weights are this policy again."""
        self._policy = policy
        return policy

    def engine(self, ref: PolicyRef, context_length: int) -> TransformersEngine:
        """The engine on the live weights, under a name."""
        weights, options = self.weights, self._options
        assert weights is not None
        config = getattr(weights.network.module, "generation_config", None)
        generator = Generator(
            weights.network,
            weights.renderer,
            end_tokens(weights.renderer, config),
            self.device,
            options.batch_rows,
            options.batch_tokens,
        )
        self._engine.adopt(generator, ref, context_length)
        return self._engine

    def close(self) -> None:
        """Free the weights."""
        self.weights = self._policy = None
        self._engine.close()

    def _open(self, policy: Policy) -> Opened:
        options, context, checkpoint = self._options, self._context, policy.checkpoint
        origin, moments = policy.files.path, None
        check_weights(policy)
        if checkpoint is not None:
            if not (checkpoint / STATE).exists():
                raise TrainingError(
                    f"the checkpoint has no state of the trainer {self._trainer!r}", where=str(checkpoint)
                )
            with reading("the trainer's state", checkpoint / STATE):
                state = torch.load(checkpoint / STATE, map_location=self.device, weights_only=True)
                origin, moments = Path(state["origin"]), state["optimizer"]
        # Other weights of the same run.
        self._origin = self._origin or origin
        if context.lora is None:
            network: Network = open_network(
                policy.files.path,
                device=self.device.type,
                precision=self.precision,
                own_decoder=options.own_decoder,
            )
        else:
            network = open_lora(
                context.initial.path if context.initial is not None else self._origin,
                None if checkpoint is None else checkpoint / ADAPTER,
                context.lora,
                seed=context.seed,
                device=self.device.type,
                precision=self.precision,
            )
        renderer = Renderer.open(policy.files.path, self._mode)
        return Opened(network, renderer, self._origin, moments)
