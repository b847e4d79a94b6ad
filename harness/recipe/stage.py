"""A stage of training, and the plugin references inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.records import Sampling


class Model(BaseModel):
    """Base of every recipe table: unknown fields are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Use(BaseModel):
    """A plugin by name with its options: `"uniform"`, or `{name = "staged", low = 0.05}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's own options, validated against its own model when the plan is made."""
        return dict(self.model_extra or {})


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


#: A plugin reference as a recipe writes it: a bare name, or a table with `name` and options.
Plugin = Annotated[Use, BeforeValidator(_named)]


@dataclass(frozen=True, slots=True)
class Kind:
    """Mark of a plugin's option that names another plugin: `Annotated[Plugin, Kind("sandboxes")]`. A recipe's
    check then looks for that one, too."""

    name: str


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class RolloutOptions(Model):
    """How a stage samples."""

    #: Group size G: completions a task.
    n: Annotated[int, Field(ge=2)] = 8
    #: Tasks a step.
    batch: Count = 32
    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    #: Longest completion, in tokens.
    max_tokens: Count = 1024

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature, top_p=self.top_p, top_k=self.top_k, max_tokens=self.max_tokens
        )


class LossOptions(Model):
    """What is minimised. Coefficients of 0 switch a term off."""

    #: Coefficient of the KL divergence to the reference model (`conventions.kl_estimator`, nats a token).
    kl: Annotated[float, Field(ge=0)] = 0.0
    #: Coefficient of the entropy bonus (nats a token).
    entropy: Annotated[float, Field(ge=0)] = 0.0
    #: Clip range of the importance ratio: [1 - clip_low, 1 + clip_high].
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    clip_high: Annotated[float, Field(gt=0)] = 0.2
    #: Leave completions that were cut at max_tokens out of the loss.
    mask_truncated: bool = False
    #: Further per-token terms, by plugin name.
    terms: tuple[Plugin, ...] = ()


class OptimizerOptions(Model):
    """AdamW's knobs for a stage."""

    lr: Annotated[float, Field(gt=0)] = 1e-6
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[Share, Share] = (0.9, 0.98)
    #: Global gradient norm is clipped to this; 0 is off.
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    #: Steps of linear warm-up from 0.
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    #: Forget the moments of the stage before.
    reset: bool = False

    def warmup(self, step: int) -> float:
        """The share of `lr` that a step has, which counts from 1 within its stage."""
        return min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then constant."""
        return self.lr * self.warmup(step)


class Until(Model):
    """Budgets of a stage: counted, never timed, so that a resumed run ends where an unbroken one does."""

    rollouts: Count | None = None
    tokens: Count | None = None
    steps: Count | None = None


class Conventions(Model):
    """What frameworks differ in; injected into every trainer."""

    #: Added to the group's standard deviation (TRL 1e-4, verl 1e-6).
    advantage_epsilon: Annotated[float, Field(ge=0)] = 1e-6
    #: Divide by the sample (n - 1) or the population (n) deviation, or do not divide (Dr. GRPO).
    std: Literal["sample", "population", "none"] = "sample"
    #: How per-token losses become one number: all tokens of the step alike, or each sequence alike.
    normalise: Literal["token", "sequence"] = "token"
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"


class Stage(Model):
    """One stage: which tasks, how they are sampled, what is minimised and when it ends."""

    #: Names folders of checkpoints too.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["rl", "sft", "label", "eval"] = "rl"
    #: Rule over difficulty labels that picks the subjects, such as `0.05 <= p <= 0.9`; empty takes all.
    select: str = ""
    #: Share of each batch by tag or domain, such as `{math = 0.68, code = 0.32}`; empty draws from all.
    mixture: dict[str, Share] = Field(default_factory=dict)
    curriculum: Plugin = Use(name="uniform")
    gates: tuple[Plugin, ...] = ()
    rollout: RolloutOptions = RolloutOptions()
    #: Named reduction of a verdict to a number.
    reward: str = "all_pass"
    shapers: tuple[Plugin, ...] = ()
    loss: LossOptions = LossOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    until: Until = Until()
    max_steps: Count | None = None
    #: Measure the policy anew before this stage; the run's first measurement always happens when a
    #: rule or a curriculum needs labels.
    reestimate: bool = False
    #: Run the stage this often, each time from the last one's policy; "budget" repeats it until the
    #: run's budget is spent. A repeat whose rule selects nothing any more makes room for the next stage.
    repeat: Count | Literal["budget"] = 1
