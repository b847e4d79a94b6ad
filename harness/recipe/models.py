"""The recipe: one file that names the plugin for each part of a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.recipe.stage import Conventions, Count, Model, Plugin, Share, Stage, Use


class LoraOptions(Model):
    """Train low-rank adapters instead of all weights (LoRA, arXiv 2106.09685)."""

    rank: Count = 16
    """Rank of the adapters: the inner dimension of their two matrices."""
    alpha: Count = 32
    """Adapters are scaled by `alpha / rank`."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Modules that get adapters: `all-linear` means every linear layer except the output layer; otherwise a
    list of module names such as `["q_proj", "v_proj"]`."""


class ModelOptions(Model):
    """The initial policy."""

    name: str
    """The model: with the default loader a folder in transformers' form or an id on the Hugging Face Hub;
    otherwise whatever `loader` understands."""
    loader: Plugin = Use(name="folder")
    """Plugin of kind `models` that turns `name` into model files."""
    prompt: Literal["chat", "raw"] = "chat"
    """`chat` renders prompts with the tokenizer's chat template, `raw` joins the texts of the messages."""
    context_length: Count | None = None
    """Longest prompt plus completion, in tokens. If not set, the model's own config decides."""
    lora: LoraOptions | None = None
    """Train adapters with these options. If not set, all weights are trained."""


class Tasks(Model):
    """Where training tasks come from."""

    train: tuple[Plugin, ...]
    """One or more plugins of kind `task_sources`; their tasks together are the pool to train on."""
    filters: tuple[Plugin, ...] = ()
    """Plugins of kind `task_filters`, each of which drops tasks. By default every task is kept."""


class Heldout(Model):
    """A set of tasks for evaluations during the run. They are never trained on, which is checked."""

    name: str = "heldout"
    """Name of the set in the ledger, in reports and on leaderboards. Once per recipe."""
    tasks: tuple[Plugin, ...] = ()
    """Plugins of kind `task_sources` that give the set's tasks."""
    per_stratum: Count = 64
    """Tasks per stratum of an endless source. A finite source gives all of its tasks, up to `limit`."""
    limit: Count | None = None
    """At most this many tasks of a finite source are taken, in the source's own order. If not set, all
    are."""
    needs_data: bool = False
    """If true, and the environment variable HARNESS_DATA names no data folder, the set is left out with a
    notice. By default its absence is an error."""
    samples: Count = 1
    """Completions per task."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Sampling temperature. 1 samples from the model's own distribution, 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: only the most likely tokens whose probabilities add up to this share are sampled. 1
    switches it off."""
    max_tokens: Count = 1024
    """Longest completion, in tokens. A longer one is cut there and counts as truncated."""


class Evaluation(Model):
    """Evaluations during the run. There is always one before the first stage and one after the last."""

    heldout: tuple[Heldout, ...] = ()
    """The held-out sets. Without any, nothing is evaluated."""
    every_steps: Count | None = None
    """Also evaluate inside each stage, once per this many training steps. If not set, there is no
    evaluation inside a stage."""
    each_stage: bool = True
    """Whether to evaluate after each stage, too."""


class LabelFile(Model):
    """Published difficulty labels of one model: a file, and what its columns mean."""

    path: str
    """The file: jsonl (also .gz) or parquet. A relative path starts at the recipe."""
    subject: str = "id"
    """Column with the subject's name: the task id, or the stratum of an endless source."""
    pass_rate: str = "pass_rate"
    """Column with the pass rate, from 0 to 1. Not read if `passes` names a column."""
    samples: Count | None = None
    """Samples behind each row's pass rate or passes. If not set and no `samples_column` names a column, the
    rate is kept as it is and counts no samples (`n` is 0 in rules)."""
    passes: str | None = None
    """Column with the number of passes, for files that hold counts and no rate. If not set, `pass_rate` is
    read."""
    samples_column: str | None = None
    """Column with the number of samples, which is read together with `passes`. If not set, `samples` holds
    for every row."""
    extra: dict[str, str] = Field(default_factory=dict)
    """Further columns of numbers to keep, by the name that rules use: `{a = "irt_a", b = "irt_b"}`."""
    criterion: str = "all_pass"
    """What counted as a pass, in words that the labels keep; it changes no number."""


class DifficultyOptions(Model):
    """How the difficulty of tasks for the policy is measured, and which labels of other models rules may
    use."""

    estimator: Plugin = Use(name="pass-rate")
    """Plugin of kind `difficulty_estimators` that decides how many rollouts a label takes and what they
    say."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Sampling temperature of the measurement. 1 samples from the model's own distribution, 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling of the measurement: only the most likely tokens whose probabilities add up to this
    share are sampled. 1 switches it off."""
    max_tokens: Count = 1024
    """Longest completion of the measurement, in tokens."""
    labels: dict[str, LabelFile] = Field(default_factory=dict)
    """Published labels of other models, by the name that rules use: `labels.7b = {path = "7b.jsonl",
    samples = 4}` makes `p["7b"]` available to rules. By default there are none."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags, each with the rule that gives it, such as `{"level-1" = '0 < p["1.5b"] < 1'}`. Later rules may
    ask for `tag("level-1")`."""
    discard: str = ""
    """Rule whose subjects are dropped from the whole run, such as `p["r1"] == 0`. Empty drops none."""
    store: str | None = None
    """Folder of a label store that later runs reuse; a relative path starts at the recipe. If not set,
    labels stay in the run."""
    reuse: Share = 0.0
    """Use the rollouts of training as labels, too: the share of this evidence that is kept from one step to
    the next, as the policy changes. 0 uses none."""


class Budget(Model):
    """What a run may spend in all, difficulty measurement included and evaluation excluded."""

    rollouts: Count | None = None
    """Most rollouts of the run. If not set, rollouts are not limited."""
    tokens: Count | None = None
    """Most tokens of the run. If not set, tokens are not limited."""


class Checkpoints(Model):
    """Which checkpoints are written and which stay on disk."""

    every_steps: Count = 20
    """Training steps between two checkpoints. A stage that is resumed goes on from its last checkpoint."""
    keep: Count = 2
    """Checkpoints of a stage that stay on disk while it runs; older ones are deleted. The last one of each
    stage always stays."""
    min_free_gb: Annotated[float, Field(ge=0)] = 1.0
    """Free disk space, in GB, below which a run refuses to start, or stops cleanly."""


class Resources(Model):
    """Hardware of a run. Backends that need more say so in their own options."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the model. `auto` takes a GPU if there is one."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of matrix products. `bf16` is faster on most GPUs; weights and optimizer moments stay
    fp32."""
    threads: Count = 1
    """CPU threads per process. 1 suits arms that run side by side."""
    stage_seconds: Annotated[float, Field(gt=0)] | None = None
    """Longest duration of a stage, in seconds of wall-clock time; a stage that takes longer ends with an
    error. If not set, there is no limit."""
    stall_seconds: Annotated[float, Field(gt=0)] | None = None
    """Longest time, in seconds, in which a stage judges, reports and saves nothing; after that the stage
    ends with an error. If not set, there is no limit, unless the trainer has one of its own."""
    nodes: Count = 1
    """Machines, for trainers that run on several."""
    gpus_per_node: Count | None = None
    """GPUs per machine; on a CPU, worker processes per machine. If not set, one."""
    python: str | None = None
    """Python interpreter of the environment that holds a trainer's backend, such as verl. `~` and `$NAME`
    are expanded; a relative path starts at the recipe. If not set, the backend runs in this environment."""


class Report(Model):
    """What is shown of a run, and what is written about the finished one."""

    reporters: tuple[Plugin, ...] = (Use(name="page"), Use(name="leaderboard"))
    """Plugins of kind `reporters`, run in this order at the end."""
    trackers: tuple[Plugin, ...] = ()
    """Plugins of kind `trackers`, which show each run's metrics elsewhere while it goes on. They change no
    number, and one that fails harms no run."""
    leaderboards: str | None = None
    """Folder of the leaderboards that entries are added to; a relative path starts at the recipe. If not
    set, no entry is written."""


class Arm(Model):
    """A variant of the recipe that is run beside the others."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the arm, once per recipe. Letters, digits, `.`, `_` and `-`."""
    about: str = ""
    """What the arm is there to show, in words for the report."""
    set: dict[str, Any] = Field(default_factory=dict)
    """The fields of the recipe that this arm changes: tables are merged, arrays and values are replaced."""


class Recipe(Model):
    """A run file: everything that `harness run` needs to know."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the recipe; it names the folders of its runs. Letters, digits, `.`, `_` and `-`."""
    about: str = ""
    """What the recipe is for, in words for the report."""
    seeds: tuple[int, ...] = (0,)
    """Every arm is run once per seed."""
    model: ModelOptions
    """The initial policy."""
    tasks: Tasks
    """Where training tasks come from."""
    verifier: Plugin = Use(name="exact")
    """Plugin of kind `verifiers` that judges tasks whose source names no verifier."""
    verifiers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options of the verifiers that task sources name, by the verifier's name: `[verifiers.code]`."""
    difficulty: DifficultyOptions = DifficultyOptions()
    """How difficulty is measured."""
    engine: Plugin = Use(name="trainer")
    """Plugin of kind `engines` that generates for measurements and evaluations. `trainer` takes the
    trainer's own engine."""
    trainer: Plugin = Use(name="torch")
    """Plugin of kind `trainers` that trains the stages."""
    conventions: Conventions = Conventions()
    """Conventions in which training frameworks differ."""
    stages: tuple[Stage, ...]
    """The stages, run in this order. At least one."""
    evaluation: Evaluation = Evaluation()
    """Evaluations during the run."""
    budget: Budget = Budget()
    """What the run may spend in all."""
    checkpoints: Checkpoints = Checkpoints()
    """Which checkpoints are written and which stay on disk."""
    resources: Resources = Resources()
    """Hardware of the run."""
    launcher: Plugin = Use(name="local")
    """Plugin of kind `launchers` that starts the runs of a study: `local` as processes of this machine. Where
    a run is started changes none of its numbers."""
    detail: Literal["sample", "evidence", "group"] = "sample"
    """How much of each group the ledger keeps in training: `sample` all of it; `evidence` what the verifier
    found, without texts and token ids; `group` numbers alone."""
    report: Report = Report()
    """What is shown of a run, and what is written about the finished one."""
    arms: tuple[Arm, ...] = ()
    """Variants of the recipe that are run side by side. Without any there is one arm, `main`: the recipe
    itself."""

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
