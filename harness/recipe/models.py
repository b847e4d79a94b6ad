"""The recipe: one file that names which plugin does each job of a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.recipe.stage import Conventions, Count, Model, Plugin, Share, Stage, Use


class LoraOptions(Model):
    """Train low-rank adapters in the place of all weights (LoRA, arXiv 2106.09685)."""

    rank: Count = 16
    #: Adapters are scaled by alpha / rank.
    alpha: Count = 32
    #: `all-linear`, which leaves out the output layer, or names of modules such as `["q_proj", "v_proj"]`.
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class ModelOptions(Model):
    """The initial policy."""

    #: A folder in transformers' form, or what `loader` understands.
    name: str
    #: A plugin of kind `models`.
    loader: Plugin = Use(name="folder")
    #: `chat` renders prompts with the tokenizer's chat template, `raw` joins their texts.
    prompt: Literal["chat", "raw"] = "chat"
    #: Longest prompt plus completion where the model's own config should not decide, in tokens.
    context_length: Count | None = None
    #: Train adapters; None trains all weights.
    lora: LoraOptions | None = None


class Tasks(Model):
    """Where tasks come from."""

    #: One or more plugins of kind `task_sources`.
    train: tuple[Plugin, ...]
    filters: tuple[Plugin, ...] = ()


class Heldout(Model):
    """Tasks that evaluations during the run use; they are never trained on, which is checked."""

    name: str = "heldout"
    tasks: tuple[Plugin, ...] = ()
    #: Tasks of each stratum of an endless source; a finite source gives all of its tasks.
    per_stratum: Count = 64
    #: At most this many tasks of a finite source, in its own order.
    limit: Count | None = None
    #: Leave the set out, and say so, where HARNESS_DATA names no data folder; else that is an error.
    needs_data: bool = False
    samples: Count = 1
    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count = 1024


class Evaluation(Model):
    """What is evaluated, and when: always before the first and after the last stage."""

    heldout: tuple[Heldout, ...] = ()
    #: Also inside a stage, every so many steps; None never.
    every_steps: Count | None = None
    #: Also after each stage.
    each_stage: bool = True


class LabelFile(Model):
    """Published labels of one model: a file, and which of its columns mean what."""

    #: jsonl (also .gz) or parquet, relative to the recipe.
    path: str
    subject: str = "id"
    pass_rate: str = "pass_rate"
    #: Samples behind each pass rate.
    samples: Count = 1
    #: Columns with counts, where the file has them instead of a rate.
    passes: str | None = None
    samples_column: str | None = None
    #: What counted as a pass.
    criterion: str = "all_pass"


class DifficultyOptions(Model):
    """How the policy in training is measured, and which labels of other models rules may use."""

    estimator: Plugin = Use(name="pass-rate")
    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count = 1024
    #: Published labels by the name that `select` rules use: `labels.7b = {path = "7b.jsonl", samples = 4}`.
    labels: dict[str, LabelFile] = Field(default_factory=dict)
    #: Tags by rule, such as `{"level-1" = '0 < p["1.5b"] < 1'}`; later rules may use `tag("level-1")`.
    tags: dict[str, str] = Field(default_factory=dict)
    #: Subjects for which this rule holds are dropped, such as `p["r1"] == 0`.
    discard: str = ""
    #: A label store (a folder, relative to the recipe) that later runs reuse; None keeps labels in the run.
    store: str | None = None
    #: Count the rollouts of training as labels too, this share of them surviving each step.
    reuse: Share = 0.0


class Budget(Model):
    """What a run may spend in all, difficulty measurement included, evaluation not."""

    rollouts: Count | None = None
    tokens: Count | None = None


class Checkpoints(Model):
    """Which checkpoints stay on disk."""

    every_steps: Count = 20
    #: Checkpoints kept inside a stage; the last of each stage always stays.
    keep: Count = 2
    #: Refuse to start, and stop cleanly, below this much free disk.
    min_free_gb: Annotated[float, Field(ge=0)] = 1.0


class Resources(Model):
    """Hardware of a run; backends that need more declare it in their own options."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    #: Threads a process; 1 is right where arms run side by side.
    threads: Count = 1
    #: Give up, with an error, on a stage that takes longer than this, in seconds of the clock; None never.
    stage_seconds: Annotated[float, Field(gt=0)] | None = None
    #: Give up on a stage in which nothing is judged, reported or saved for this long, in seconds; a trainer
    #: may report what its own processes do.
    stall_seconds: Annotated[float, Field(gt=0)] | None = None
    #: Machines, for trainers that run on several.
    nodes: Count = 1
    #: GPUs of each machine (on a CPU: worker processes); None for one.
    gpus_per_node: Count | None = None
    #: Interpreter of the environment that a trainer's backend lives in, where it is not this one. `~` and
    #: `$NAME` are expanded; relative paths start at the recipe.
    python: str | None = None


class Report(Model):
    """What is made of a finished run."""

    reporters: tuple[Plugin, ...] = (Use(name="page"), Use(name="leaderboard"))
    #: Folder of leaderboards that entries go to, relative to the recipe.
    leaderboards: str | None = None


class Arm(Model):
    """A variant of the recipe that is run beside the others: tables merge, arrays replace."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    #: What it is there to show, for the report.
    about: str = ""
    set: dict[str, Any] = Field(default_factory=dict)


class Recipe(Model):
    """A run file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    about: str = ""
    #: Every arm is run once for each of these.
    seeds: tuple[int, ...] = (0,)
    model: ModelOptions
    tasks: Tasks
    #: The verifier of tasks whose source names none.
    verifier: Plugin = Use(name="exact")
    #: Options of further verifiers that tasks name, by name.
    verifiers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    difficulty: DifficultyOptions = DifficultyOptions()
    #: Generates for measurements and evaluations; "trainer" uses the trainer's own engine.
    engine: Plugin = Use(name="trainer")
    trainer: Plugin = Use(name="torch")
    conventions: Conventions = Conventions()
    stages: tuple[Stage, ...]
    evaluation: Evaluation = Evaluation()
    budget: Budget = Budget()
    checkpoints: Checkpoints = Checkpoints()
    resources: Resources = Resources()
    #: Ledger detail of training: every rollout, or one line a group (texts are not kept).
    detail: Literal["sample", "group"] = "sample"
    report: Report = Report()
    arms: tuple[Arm, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Recipe:
        for what, names in (
            ("stages", [stage.name for stage in self.stages]),
            ("arms", [arm.name for arm in self.arms]),
            ("evaluation.heldout", [heldout.name for heldout in self.evaluation.heldout]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: the name {twice[0]!r} is used twice")
        for stage in self.stages:
            base, _, number = stage.name.rpartition("-")
            if number.isdigit() and any(s.name == base and s.repeat != 1 for s in self.stages):
                raise ValueError(f"stages: {stage.name!r} is also a repeat of the stage {base!r}")
        if not self.seeds:
            raise ValueError("seeds: at least one is needed")
        if len(set(self.seeds)) < len(self.seeds):
            again = next(seed for seed in self.seeds if self.seeds.count(seed) > 1)
            raise ValueError(f"seeds: {again} is given twice; it would be the same run twice")
        if not self.stages:
            raise ValueError("stages: at least one is needed")
        return self
