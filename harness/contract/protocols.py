"""What each kind of plugin object must offer.

Every factory is called as `factory(options, context)`: `options` is an instance of the plugin's own
pydantic model (None if it declares none), `context` a `BuildContext`. Objects satisfy these
protocols structurally: no base class is needed. What an object may have besides, and what holds if it
has not, is in `harness.contract.optional`. Trainers are in `sessions`, sandboxes in `programs`, launchers
in `launching`, all beside this module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.contract.records import (
    Difficulty,
    PolicyRef,
    Request,
    Rollout,
    StepMetrics,
    Task,
    Verdict,
)
from harness.contract.samples import Group

if TYPE_CHECKING:
    import numpy as np

    from harness.recipe import LoraOptions, Resources


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run an event belongs to."""

    #: The run's folder.
    folder: Path
    recipe: str
    arm: str
    seed: int

    @property
    def stream(self) -> str:
        """Name of the run's random stream: recipe, arm and seed, never a folder or a date."""
        return f"{self.recipe}/{self.arm}/{self.seed}"


class Build(Protocol):
    """Builds another plugin object, for wrappers."""

    def __call__(self, kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        """`build("engines", "vllm", {...})`.

        Args:
            kind: of the plugin.
            name: under which it is registered.
            options: of the plugin.
            model: name of another model than the run's, for loaders and for engines of several models.
        """
        ...


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a factory may know of the run it is built for."""

    seed: int
    #: A folder that outlives runs, for converted models and downloads.
    cache: Path
    #: Folder of local benchmark data (`HARNESS_DATA`), None if not given.
    data: Path | None
    #: Builds another plugin object by kind and name.
    build: Build
    resources: Resources
    #: How prompts are rendered: by the chat template, or their texts joined.
    render: Literal["chat", "raw"] = "chat"
    #: The recipe's `model.name` and `model.context_length`, for loaders.
    model: str = ""
    context_length: int | None = None
    #: Adapters that trainers train in the place of all weights, None for all weights.
    lora: LoraOptions | None = None
    #: The run's initial policy, once its files are there: what a KL term refers to.
    initial: ModelFiles | None = None
    #: The recipe's folder: relative paths in options start here.
    base: Path = Path()
    #: Labels of other models (the recipe's `difficulty.labels`) by model and subject; empty until a run has
    #: read them.
    labels: Mapping[str, Mapping[str, Difficulty]] = field(default_factory=dict)

    def of_model(self, model: str) -> BuildContext:
        """What a factory may know that is built for another model; this context if the name is empty."""
        if not model:
            return self
        return replace(
            self, model=model, context_length=None, lora=None, initial=None,
            build=partial(self.build, model=model),
        )  # fmt: skip


class Stateful(Protocol):
    """State that a checkpoint carries, keyed by ids, JSON-like."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


# Tasks -------------------------------------------------------------------------------------------


class TaskSource(Protocol):
    """Tasks by subject. Drawing is a pure function, so a source has no state to lose.

    An endless source has strata as subjects and never repeats a task within one; a finite one has
    its task ids as subjects and gives the same task at every index. A large one should have the optional
    members `fingerprint` and `verifiers`: without them all of its tasks are drawn.
    """

    endless: bool

    def subjects(self) -> Sequence[str]:
        """All subjects, in the source's own order (easy to hard if it has one)."""
        ...

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th task of the subject's stream."""
        ...

    def get(self, task_id: str) -> Task:
        """Rebuild any task it ever gave."""
        ...


class TaskFilter(Protocol):
    """Decides which tasks may be trained on."""

    def keep(self, task: Task) -> bool: ...


# Models and engines ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as transformers opens it."""

    path: Path
    weights_sha: str
    #: Longest prompt plus completion, in tokens.
    context_length: int
    #: Whether its tokenizer has a chat template.
    chat: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """Weights to generate with or to train on."""

    ref: PolicyRef
    files: ModelFiles
    #: Folder of the checkpoint it comes from (trainer and session state), None for a base model.
    checkpoint: Path | None = None


class ModelLoader(Protocol):
    """Turns a model's name into a folder that transformers can open."""

    def load(self) -> ModelFiles:
        """Make the folder if need be (once, cached) and describe it."""
        ...


class Engine(Protocol):
    """Generates. An engine that wraps others (router, cache, beam sampler) is an engine."""

    def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield one rollout per request as they finish, in any order; `abort` if it gave up."""
        ...

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        ...

    def sync_weights(self, policy: Policy) -> None:
        """Generate with these weights from now on."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Served:
    """A model behind servers. What it is called there is its identity: nobody here has its weights."""

    name: str
    #: Longest prompt plus completion, in tokens; None if no server says.
    context_length: int | None = None


class ServedEngine(Engine, Protocol):
    """An engine whose model others serve: capability `served`, the name of the option that holds the model's
    name. It needs no `sync_weights` before it generates."""

    def served(self) -> Served:
        """Ask the servers which model they serve.

        Raises:
            RecipeError: they serve another model, or refuse the key.
            EngineError: none of them answers.
        """
        ...


# Judging -----------------------------------------------------------------------------------------


class Verifier(Protocol):
    """Pure and bounded: the same task and rollout give the same verdict, in any worker.

    It may also have `check(task) -> str | None`: why no completion of this task could be judged (its answer
    is none, or tests nothing), None if completions can be. It needs no `open`, and is asked for every task
    of a finite source before a run starts. A verifier without one is asked for its verdict on an aborted
    completion, where a DataError says the same.
    """

    def open(self) -> None:
        """Acquire what judging needs (imports, processes); called once in each worker."""
        ...

    def verify(self, task: Task, rollout: Rollout) -> Verdict: ...

    def close(self) -> None: ...


# Difficulty, curriculum, groups ------------------------------------------------------------------


class DifficultyEstimator(Stateful, Protocol):
    """Decides what to sample next and turns outcomes into labels. It may also have `look`, which is given the
    prompts (`harness.contract.optional`)."""

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        """How many more rollouts each subject needs in this round; empty if every label is decisive."""
        ...

    def split(self, count: int, *, endless: bool) -> Sequence[int]:
        """`count` rollouts of a subject, as numbers for one task after another; a finite source has one."""
        ...

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """Labels from outcomes; the identity for plain pass rates.

        Counts are those of the outcomes. A subject without outcomes may have a label with `samples` 0 and
        a `predicted` rate, and any label numbers of its own in `extra`. Labels of other models are in
        `BuildContext.labels`. Labels are never outcomes of a later measurement.
        """
        ...


class Pool(Protocol):
    """The subjects a stage may train on, and their tasks."""

    #: After the stage's `select` rule, in the source's order.
    subjects: Sequence[str]
    #: What is known of each subject's difficulty for the policy in training.
    labels: Mapping[str, Difficulty]

    def draw(self, subject: str) -> Task:
        """The subject's next training task: fresh from an endless source."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """A task with the number of samples that its group should have, in the place of the stage's G."""

    task: Task
    n: int


@dataclass(frozen=True, slots=True)
class Slot:
    """The samples of a task that are generated together."""

    task: Task
    #: Sample numbers within the step.
    samples: range
    #: Which of the task's groups in this step they belong to.
    index: int
    #: Whether that group has samples already, which these join.
    joins: bool = False


class Store(Protocol):
    """Groups of earlier steps, with token ids and sampling log-probabilities (`stages.replay`)."""

    def groups(self) -> Sequence[Group]:
        """The stored groups, the oldest first. Each sample's `rollout.policy.step` says how old it is."""
        ...


@dataclass(frozen=True, slots=True)
class CurriculumContext:
    """What a curriculum sees when it picks the tasks of a step."""

    stage: str
    step: int
    pool: Pool
    #: Seeded by run, stage, step and refill: a curriculum has no other randomness.
    rng: np.random.Generator
    #: The group store of a stage with `replay`; None without one.
    store: Store | None = None
    #: The stage's `rollout.n`: samples of a task that is asked for without a size.
    group_size: int = 8


class Curriculum(Stateful, Protocol):
    """Chooses what the next groups are about, and how large they are. It may also have `more` and `replay`
    (`harness.contract.optional`)."""

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task | Ask]:
        """The next k tasks; fewer only when the pool has no more to give. An `Ask` has a group size of its
        own (capability `group_sizes`)."""
        ...

    def observe(self, group: Group) -> None:
        """Learn from a scored group, kept or discarded. `group.fresh` are the samples not seen before."""
        ...

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        """Why the stage should end now, or None.

        Args:
            history: the stage's steps so far, but for those of which nothing could be judged.
        """
        ...


class Gate(Protocol):
    """Decides which groups reach the loss. One with state has the optional members `state_dict` and
    `load_state_dict`."""

    def keep(self, group: Group) -> bool: ...


class Reward(Protocol):
    """From evidence to a number. One with state has the optional members `state_dict` and
    `load_state_dict`."""

    def __call__(self, verdict: Verdict) -> float | None:
        """The reward of a judged sample; None masks it out of the loss. Samples that could not be judged
        are masked before a reward is asked."""
        ...


class Shaper(Protocol):
    """Sees a whole group with its evidence, and its subject's difficulty if known. One with state has the
    optional members `state_dict` and `load_state_dict`.

    For each group, in this order: every shaper's `rewards`, the normalisation within the group, every
    shaper's `advantages`. Checkpoints and later stages carry its state.
    """

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        """Rewards of shape (G,); a masked one (None) stays masked."""
        ...

    def advantages(
        self, group: Group, label: Difficulty | None
    ) -> Sequence[float] | Sequence[float | Sequence[float]]:
        """Advantages of shape (G,): a number per completion, or one per token of it (capability
        `token_credit` of shaper and trainer)."""
        ...


class LossTerm(Protocol):
    """A per-token term of the loss; the trainer aggregates. One with state is `Stateful`, too: then
    checkpoints carry it, and it goes on in later stages that name it."""

    #: Names of what it is given. Matrices (rows, tokens): logprobs, old_logprobs, ref_logprobs, entropy,
    #: advantages, rewards, scores, mask. Flat, in the mask's order: logits and ref_logits, both (tokens,
    #: vocabulary), targets (token ids). Plain: step (its number), stage, conventions. A gradient goes
    #: through logprobs, entropy and logits.
    #: A trainer says in its capability `loss_inputs` which of them it has.
    inputs: Sequence[str]

    def __call__(self, **inputs: Any) -> Any:
        """A matrix of the mask's shape, finite where the mask is; or that and numbers by name, whose means
        per token are in the step's metrics as `term/number`."""
        ...


# Evaluating and reporting ------------------------------------------------------------------------


class Benchmark(Protocol):
    """A fixed set of problems."""

    #: Like "5-A": the number changes when scores stop being comparable, the letter with the interface.
    version: str

    def tasks(self) -> Sequence[Task]:
        """All problems in order: the bare problem as last message, domain, tags (`level=3`) to report by."""
        ...


class Profile(Protocol):
    """Everything that moves a score besides the model."""

    def describe(self) -> Mapping[str, Any]:
        """The profile's values, as `harness.benchmarking.profile.Profile` reads them."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """A sample of a benchmark with its verdict."""

    task: Task
    rollout: Rollout
    verdict: Verdict


class Metric(Protocol):
    """Numbers about a benchmark's samples, by name."""

    def __call__(self, samples: Sequence[ScoredSample]) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class ReportContext:
    """A study to report on: its folder and the folders of its runs (one per arm and seed)."""

    folder: Path
    runs: Sequence[RunInfo]
    #: Where leaderboards live, None to leave them alone.
    leaderboards: Path | None = None
    #: Steps, as numbered within their stage, whose samples somebody asked to see; without any the reporter
    #: chooses.
    steps: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """What a reporter wrote (pages that one of these files links to may be left out), and the lines that the
    command line closes with."""

    files: Sequence[Path]
    lines: Sequence[str] = ()


class Reporter(Protocol):
    """Turns a finished study into files or messages."""

    def report(self, context: ReportContext) -> Reported: ...
