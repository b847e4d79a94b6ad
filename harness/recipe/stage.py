"""A stage of training, and the plugin references inside it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.contract.records import Sampling


class Model(BaseModel):
    """Base of every recipe table and of plugins' options: unknown fields are errors, values are frozen.

    The text under a field describes it in the JSON schema, in `harness plugins show` and in recipe.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Use(BaseModel):
    """A plugin by name with its options: `"uniform"`, or `{name = "staged", mastery = 0.9}`."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str
    """Name of the plugin: bare for first-party plugins, `distribution/name` for others, `local/name` for a
    plugin in the file `harness_plugin.py` beside the recipe. `harness plugins list` prints all names."""

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's own options, validated against its own model when the plan is made."""
        return dict(self.model_extra or {})


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


#: A plugin reference as a recipe writes it: a bare name, or a table with `name` and options. An option of a
#: plugin that names another one says of which kind: `Annotated[Plugin, kind("sandboxes")]`; a recipe's check
#: then looks for that one, too (`harness.contract.kinds`).
Plugin = Annotated[Use, BeforeValidator(_named)]


#: A share of a whole, from 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]
#: A whole number above 0.
Count = Annotated[int, Field(gt=0)]


class RolloutOptions(Model):
    """How a stage samples completions."""

    n: Annotated[int, Field(ge=2)] = 8
    """Group size G: completions per task. Advantages are computed within a group, so it takes at least 2."""
    batch: Count = 32
    """Tasks per training step. A step samples `batch * n` completions."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Sampling temperature: logits are divided by it. 1 samples from the model's own distribution, 0 is
    greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: only the most likely tokens whose probabilities add up to this share are sampled. 1
    switches it off."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Only this many most likely tokens are sampled. 0 switches it off."""
    max_tokens: Count = 1024
    """Longest completion, in tokens. A longer one is cut there and counts as truncated."""
    engine: Plugin = Use(name="trainer")
    """Plugin of kind `engines` that samples the stage's groups through the trainer's own engine, which its
    options name `trainer`: a beam, for example. `trainer` is the trainer's own engine alone."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature, top_p=self.top_p, top_k=self.top_k, max_tokens=self.max_tokens
        )


class LossOptions(Model):
    """The loss that a stage minimises. A coefficient of 0 switches its term off."""

    kl: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the KL divergence from the reference model (nats per token), estimated as
    `conventions.kl_estimator` says. 0 needs no reference model."""
    entropy: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the entropy bonus (nats per token). Above 0 it rewards less certain predictions."""
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Lower clip range of the importance ratio, which is kept in [1 - clip_low, 1 + clip_high] (PPO, arXiv
    1707.06347)."""
    clip_high: Annotated[float, Field(gt=0)] = 0.2
    """Upper clip range of the importance ratio, which is kept in [1 - clip_low, 1 + clip_high]. DAPO (arXiv
    2503.14476) sets it above `clip_low`."""
    mask_truncated: bool = False
    """Whether completions that were cut at `rollout.max_tokens` are left out of the loss. By default they
    are trained on, with the reward that they got."""
    terms: tuple[Plugin, ...] = ()
    """Plugins of kind `losses`, each of which adds a term per token. By default there are none."""


class OptimizerOptions(Model):
    """How a stage's batches become updates, by AdamW (arXiv 1711.05101)."""

    epochs: Count = 1
    """Passes over each step's batch (PPO's epochs; verl's `ppo_epochs`, TRL's `num_iterations`). From the
    second pass on the clip range matters: the importance ratio is to the policy that sampled."""
    mini_batches: Count = 1
    """Parts that a step's batch is divided into, each an update of its own (PPO's mini-batches; verl's
    `ppo_mini_batch_size` is rollout.batch over this). A step makes `epochs` times `mini_batches` updates."""
    lr: Annotated[float, Field(gt=0)] = 1e-6
    """Learning rate after warm-up; it stays constant from there on."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay. 0 switches it off."""
    betas: tuple[Share, Share] = (0.9, 0.98)
    """Decay rates of the running means of the gradient and of its square, each between 0 and 1."""
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    """The global norm of the gradient is clipped to this. 0 switches clipping off."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises linearly from 0 to `lr`. 0 starts at `lr`."""
    reset: bool = False
    """Whether the stage starts with fresh optimizer moments. By default it keeps those of the stage
    before."""

    def warmup(self, step: int) -> float:
        """The share of `lr` that a step has, which counts from 1 within its stage."""
        return min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then constant."""
        return self.lr * self.warmup(step)

    @property
    def updates(self) -> int:
        """Optimizer updates per step."""
        return self.epochs * self.mini_batches


class ReplayOptions(Model):
    """The group store of a stage: finished groups that later steps may train on once more."""

    keep: Count = 256
    """Groups that the store holds. The oldest is forgotten first."""


class Until(Model):
    """Budgets that end a stage. They are counted and never timed, so that a resumed run ends where an
    unbroken one does. A stage may give several; the first that is spent ends it."""

    rollouts: Count | None = None
    """The stage ends once it has spent this many rollouts. If not set, rollouts do not end it."""
    tokens: Count | None = None
    """The stage ends once it has spent this many tokens. If not set, tokens do not end it."""
    steps: Count | None = None
    """The stage ends after this many training steps. If not set, steps do not end it."""


class Conventions(Model):
    """Conventions in which training frameworks differ. Every trainer gets these."""

    advantage_epsilon: Annotated[float, Field(ge=0)] = 1e-6
    """Added to the standard deviation of a group's rewards before dividing by it. TRL uses 1e-4, verl
    1e-6."""
    std: Literal["sample", "population", "none"] = "sample"
    """Standard deviation that advantages are divided by: `sample` (divisor n - 1), `population` (divisor
    n), or `none` for no division (Dr. GRPO, arXiv 2503.20783)."""
    normalise: Literal["token", "sequence"] = "token"
    """How the losses of tokens become one number: `token` weighs all tokens of a step alike, `sequence`
    takes the mean of each sequence and weighs all sequences alike."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """Estimator of the KL divergence for `loss.kl` (Schulman 2020). With d = log p(policy) - log
    p(reference): `k1` is d, `k2` is d^2 / 2, `k3` is exp(-d) - 1 + d."""


class Stage(Model):
    """One stage: which tasks it takes, how they are sampled, what is minimised and when it ends."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the stage, once per recipe. It names the stage's checkpoint folders too. Letters, digits,
    `.`, `_` and `-`."""
    kind: Literal["rl", "sft", "label", "eval"] = "rl"
    """`rl` trains with rewards, `sft` trains on the tasks' gold answers, `label` only measures difficulty,
    `eval` only evaluates."""
    select: str = ""
    """Rule over difficulty labels that picks the subjects, such as `0.05 <= p <= 0.9` (p is the policy's
    measured pass rate). Empty takes all subjects."""
    mixture: dict[str, Share] = Field(default_factory=dict)
    """Share of each batch per tag or domain, such as `{math = 0.68, code = 0.32}`. Empty draws from all
    subjects. The share of a tag of `difficulty.tags` that no selected subject has at present goes to the
    others."""
    curriculum: Plugin = Use(name="uniform")
    """Plugin of kind `curricula` that picks each step's tasks from the selected subjects."""
    gates: tuple[Plugin, ...] = ()
    """Plugins of kind `gates`, which discard groups; discarded groups are drawn anew. By default every
    group is trained on."""
    rollout: RolloutOptions = RolloutOptions()
    """How the stage samples completions."""
    reward: Plugin = Use(name="all_pass")
    """Plugin of kind `rewards` that makes a number of each verdict. Samples that could not be judged have no
    reward and are masked out of the loss."""
    reward_metrics: tuple[Plugin, ...] = ()
    """Plugins of kind `rewards` whose values are kept on each sample with weight 0; their means are reported
    per step."""
    replay: ReplayOptions | None = None
    """The group store, for curricula that replay finished groups. By default none is kept."""
    shapers: tuple[Plugin, ...] = ()
    """Plugins of kind `shapers`, which change rewards or advantages, in this order. By default there are
    none."""
    loss: LossOptions = LossOptions()
    """The loss that the stage minimises."""
    optimizer: OptimizerOptions = OptimizerOptions()
    """The stage's optimizer."""
    until: Until = Until()
    """Budgets that end the stage. Without any, the curriculum, `max_steps` or the run's budget ends it."""
    max_steps: Count | None = None
    """The stage ends after this many training steps at the latest. If not set, there is no such limit."""
    reestimate: bool = False
    """Whether the policy's difficulty labels are measured anew before this stage. By default the last
    labels are used; the run's first measurement always happens if a rule or a curriculum needs labels."""
    reset: bool = False
    """Whether curriculum, reward, gates and shapers start without the state that earlier stages left them."""
    repeat: Count | Literal["budget"] = 1
    """How often the stage is run, each time from the last one's policy. `budget` repeats it until the run's
    budget is spent. A repeat whose rule selects no subject any more ends the repeats, and the next stage
    follows."""

    @model_validator(mode="after")
    def _mini_batches_are_equal(self) -> Stage:
        batch, parts = self.rollout.batch, self.optimizer.mini_batches
        if batch % parts:
            raise ValueError(f"rollout.batch = {batch} cannot be divided into {parts} optimizer.mini_batches")
        return self
