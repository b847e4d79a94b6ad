"""What a registration may declare about its plugin, typed: a model per kind of plugin.

`register(..., capabilities={"needs_labels": True})` is held against the model of its kind when the
plugin is loaded: an unknown name is refused with the nearest known one, and so is a value of another
type. What a plugin leaves out has the default below. Core code reads capabilities as these models
(`Registration.able`), never by name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Strict

#: A list of words in a registration.
Words = Annotated[tuple[str, ...], Strict(False)]


class Capabilities(BaseModel):
    """Base of all; by itself that of kinds that declare nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class TaskSourceCapabilities(Capabilities):
    """What a source of tasks may declare."""

    simulated: bool = False
    """Its tasks are no text for a model: only a simulated trainer can work on them."""


class ModelCapabilities(Capabilities):
    """What a loader of models may declare."""

    local: bool = False
    """Loading takes no download and no conversion, so that `plan` may look at the files."""
    simulated: bool = False
    """What it loads is no model: only a simulated trainer can train it."""


class BenchmarkCapabilities(Capabilities):
    """What a benchmark may declare."""

    family: Words = ()
    """Names whose numbers in a profile (samples, token limits) hold for it if the profile does not name it,
    nearest first: `("aime", "aime25")` for the next year's AIME."""
    repo: str = ""
    """The data set of the Hugging Face Hub that it is, as `owner/name`: under this name its scores are
    exported."""
    gated: bool = False
    """Its owner gives access to those who ask: its problems are never shown or passed on."""


class VerifierCapabilities(Capabilities):
    """What a verifier may declare."""

    in_process: bool = False
    """Judges in the driver: it is bounded by construction and cheap."""
    submits: bool = False
    """Judges in the driver through `submit`: it runs programs elsewhere, many at a time, under limits of
    their own."""
    preload: Words = ()
    """Modules to import once, before workers are made, so that a new worker is ready at once."""
    tokens: bool = False
    """Reads token ids or log-probabilities; otherwise they stay in the driver."""
    same_answer: str = ""
    """Its comparison of two extracted answers, as `module:function` (str, str) -> bool, which counts the
    votes of maj@k by meaning. Empty counts them as they are written."""
    bounded: bool = False
    """Judges hostile completions in bounded time by itself; its suite holds it to that."""


class EngineCapabilities(Capabilities):
    """What an engine may declare."""

    weights: bool = True
    """Generates with model files; `False`: `harness eval` loads none for it."""
    fixed_weights: bool = False
    """Keeps the weights that it has, whatever `sync_weights` says: it cannot measure or evaluate a policy
    in training."""
    served: str = ""
    """Option that holds the name under which servers serve the model: its models live behind servers, need
    no files here and have no hash of their weights. Empty for engines that hold the model."""
    prefix: bool = False
    """Continues a completion from token ids (`Request.prefix_ids`)."""
    simulated: bool = False
    """Answers for a simulated trainer's policy and for no other."""


class LabelCapabilities(Capabilities):
    """What a gate may declare."""

    needs_labels: bool = False
    """Needs difficulty labels: the policy is measured before the stage if there are none yet."""


class ShaperCapabilities(LabelCapabilities):
    """What a shaper may declare."""

    token_credit: bool = False
    """May return an advantage per token; the trainer has to train on them."""


class CurriculumCapabilities(LabelCapabilities):
    """What a curriculum may declare."""

    online: bool = False
    """Decides at every step by what it has observed: a trainer that takes its tasks once per stage is
    refused."""
    group_sizes: bool = False
    """Asks for groups of other sizes than `rollout.n`, or for more samples of a task in the same step."""
    replay: bool = False
    """Mixes stored groups into its batches; the trainer has to weight them by importance."""


class TrainerCapabilities(Capabilities):
    """What a trainer may declare; `plan` compares it with the recipe."""

    kinds: Words = ("rl",)
    """Kinds of stage it trains: `rl`, `sft`."""
    losses: Words = ()
    """Parts of `loss` it honours: `kl`, `entropy`, `mask_truncated`, `terms`."""
    loss_inputs: Words = ()
    """Inputs that it gives to loss terms, by name."""
    kl_estimators: Words | None = None
    """Values of `conventions.kl_estimator` that its KL term takes; None: all."""
    entropy_normalise: Words | None = None
    """Values of `conventions.normalise` that its entropy bonus takes; None: all."""
    greedy: bool = True
    """Samples at temperature 0."""
    sampling: Words = ("temperature", "top_p", "top_k")
    """Parts of `rollout` it samples by: besides these `engine`, an engine over its own."""
    optimizer: Words = ("weight_decay", "betas", "max_grad_norm", "warmup_steps", "reset")
    """Parts of `optimizer` it honours besides `lr`."""
    curriculum_granularity: Literal["step", "stage"] = "step"
    """`step`: asks for tasks at each step; `stage`: once per stage."""
    dynamic_sampling: bool = False
    """Honours gates."""
    group_sizes: bool = True
    """Takes groups of any size."""
    token_credit: bool = False
    """Trains on an advantage per token."""
    replay: bool = False
    """Weights stored groups by the ratio to the log-probabilities that they were sampled with."""
    in_stage_evaluation: bool = False
    """Evaluates with live weights inside a stage."""
    engine: bool = False
    """Has an engine of its own."""
    lora: bool = False
    """Trains adapters (`model.lora`)."""
    devices: Words | None = None
    """Values of `resources.device` it takes, besides `auto`; None: all."""
    precisions: Words | None = None
    """Values of `resources.precision` it takes; None: all."""
    nodes: bool = False
    """Runs on several machines or GPUs (`resources.nodes`, `resources.gpus_per_node`)."""
    python: bool = False
    """Its backend may live in another environment (`resources.python`)."""
    resume: bool = False
    """Goes on inside a stage from a checkpoint."""
    exact_resume: bool = True
    """And ends with the numbers of an unbroken stage."""
    transformers_checkpoint: bool = True
    """A checkpoint's `model/` opens with transformers."""
    checkpoint_dtype: str = "float32"
    """Type of the weights in a checkpoint, as torch names it."""
    simulated: bool = False
    """Its outcomes are no model's; it needs a simulated model and simulated tasks."""
