"""What each kind of plugin object must offer.

Every factory is called as `factory(options, context)`: `options` is an instance of the plugin's own
pydantic model (None when it declares none), `context` a `BuildContext`. Objects satisfy these
protocols structurally: no base class is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.records import (
    Checkpoint,
    Difficulty,
    Group,
    PolicyRef,
    Request,
    Rollout,
    StepMetrics,
    Task,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np

    from harness.recipe import Conventions, LoraOptions, Resources, Stage


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


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a factory may know of the run it is built for."""

    seed: int
    #: A folder that outlives runs, for converted models and downloads.
    cache: Path
    #: Folder of local benchmark data (`HARNESS_DATA`), None when not given.
    data: Path | None
    #: Builds another plugin object by kind and name, for wrappers: `build("engines", "vllm", {...})`.
    build: Callable[[str, str, Mapping[str, Any]], Any]
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


class Stateful(Protocol):
    """State that a checkpoint carries, keyed by ids, JSON-like."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


# Tasks -------------------------------------------------------------------------------------------


class TaskSource(Protocol):
    """Tasks by subject. Drawing is a pure function, so a source has no state to lose.

    An endless source has strata as subjects and never repeats a task within one; a finite one has
    its task ids as subjects and gives the same task at every index. A large one may have a method
    `fingerprint() -> str` and an attribute `verifiers` (names) over all of its tasks; else all are drawn.
    """

    endless: bool

    def subjects(self) -> Sequence[str]:
        """All subjects, in the source's own order (easy to hard where it has one)."""
        ...

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th task of the subject's stream."""
        ...

    def get(self, task_id: str) -> Task:
        """Rebuild any task it ever gave."""
        ...


class TaskFilter(Protocol):
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
    def load(self) -> ModelFiles:
        """Make the folder if need be (once, cached) and describe it."""
        ...


class Engine(Protocol):
    """Generates. An engine that wraps others (router, cache, beam sampler) is an engine."""

    def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield one rollout per request as they finish, in any order; `abort` where it gave up."""
        ...

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        ...

    def sync_weights(self, policy: Policy) -> None:
        """Generate with these weights from now on."""
        ...

    def close(self) -> None: ...


# Judging -----------------------------------------------------------------------------------------


class Verifier(Protocol):
    """Pure and bounded: the same task and rollout give the same verdict, in any worker."""

    def open(self) -> None:
        """Acquire what judging needs (imports, processes); called once in each worker."""
        ...

    def verify(self, task: Task, rollout: Rollout) -> Verdict: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One program execution. Expected outputs never enter it.

    A job is one of: a whole program that reads `stdin`; calls of `entry_point`, or `expressions` over
    the program's names, whose values come back one a line; `tests` that call the program's `names`
    from a process of their own; a `binary` that was compiled before. Code of a compiled language is
    compiled: the binary is the result.
    """

    code: str
    stdin: bytes = b""
    #: Calls to make for functional problems: plain values as arguments, one list a call.
    entry_point: str | None = None
    calls: Sequence[Sequence[Any]] = ()
    language: str = "python"
    #: Limits of the whole program, or of each call where there are calls.
    cpu_seconds: float = 6.0
    wall_seconds: float = 12.0
    memory_mb: int = 1024
    #: Of stdout and stderr, each.
    output_bytes: int = 1 << 20
    #: Expressions to evaluate in the program's namespace instead of calls.
    expressions: Sequence[str] = ()
    #: Of all values together.
    result_bytes: int = 8 << 20
    #: Trusted test code that sees the program's `names` as remote functions, and what it writes to its
    #: result after its last statement.
    tests: str = ""
    names: Sequence[str] = ()
    token: str = ""
    #: A compiled program to run instead of `code`.
    binary: bytes = b""


RawStatus = Literal[
    "ok", "error", "time_limit", "memory_limit", "output_limit", "compile_error", "infra_error"
]


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back from a sandbox, uninterpreted. `ok` says that the program ended by itself with
    exit code 0, `error` that it ended otherwise, `infra_error` that it is not known what it would do."""

    status: RawStatus
    exit: int | None
    stdout: bytes
    stderr: bytes
    #: One line a call: what `harness_runner.values` makes of its value or error.
    result: bytes
    wall_s: float
    cpu_s: float
    peak_mb: float
    #: The signal that ended the program.
    signal: int | None = None
    #: Processes that the program left behind, all of them killed.
    strays: int = 0
    #: Why, for an `infra_error`.
    reason: str = ""
    #: Seconds between the request and the start of its execution.
    queue_s: float = 0.0


class Sandbox(Protocol):
    @property
    def width(self) -> int:
        """Jobs that run side by side."""
        ...

    async def run(self, job: Job) -> Raw:
        """Run it and say what happened; waits while the queue is full. Never raises for what a program
        does, nor for a sandbox that broke: that is an `infra_error`."""
        ...

    def close(self) -> None: ...


# Difficulty, curriculum, groups ------------------------------------------------------------------


class DifficultyEstimator(Stateful, Protocol):
    """Decides what to sample next and turns outcomes into labels."""

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        """How many more rollouts each subject needs in this round; empty when every label is decisive."""
        ...

    def split(self, count: int, *, endless: bool) -> Sequence[int]:
        """`count` rollouts of a subject, as numbers for one task after another; a finite source has one."""
        ...

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """Labels from outcomes (IRT parameters, smoothing); the identity for plain pass rates."""
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
class CurriculumContext:
    stage: str
    step: int
    pool: Pool
    #: Seeded by run, stage, step and refill: a curriculum has no other randomness.
    rng: np.random.Generator


class Curriculum(Stateful, Protocol):
    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """The next k tasks; fewer only when the pool has no more to give."""
        ...

    def observe(self, group: Group) -> None:
        """Learn from a scored group, kept or discarded."""
        ...

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        """Why the stage should end now, or None. `history` holds the stage's steps so far."""
        ...


class Gate(Protocol):
    """One with state of its own is `Stateful`, too: then checkpoints carry it inside a stage."""

    def keep(self, group: Group) -> bool: ...


class Shaper(Protocol):
    """Sees a whole group, and its subject's difficulty if known. One with state is `Stateful`, too."""

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]: ...

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float]: ...


class LossTerm(Protocol):
    """Per-token matrices in (rows, tokens), per-token matrix out; the trainer aggregates."""

    #: Names of the inputs it needs: logprobs, old_logprobs, ref_logprobs, entropy, rewards, mask.
    inputs: Sequence[str]

    def __call__(self, **inputs: Any) -> Any: ...


# Training ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directive:
    """What a trainer does after a step, in this order."""

    evaluate: bool = False
    checkpoint: bool = False
    #: The reason to end the stage; None to go on.
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class GroupStream:
    """Completions of whole groups as they finish, for trainers that go on with a group at once."""

    #: Yields the rollouts of complete groups, and is sent those groups of them that were kept.
    groups: Generator[Sequence[Rollout], Sequence[Group], None]


#: What a trainer makes of tasks: rollouts, at once or from an iterator, or groups where it judges itself.
Generated = Iterable[Rollout] | Sequence[Group] | GroupStream
Generate = Callable[[Sequence[Task]], Generated]


@dataclass(frozen=True, slots=True)
class Batch:
    """A step's groups, gated, rewarded and with advantages, plus what the search for them cost."""

    groups: Sequence[Group]
    discarded: int
    rollouts: int
    tokens: int


class Session(Protocol):
    """What a trainer sees of the harness, in process or over a socket.

    A step is: `next_tasks` and `submit` until enough groups are kept (or `collect`, which does both),
    an optimizer update, `finish_step`, and then what the directive says.
    """

    stage: Stage
    conventions: Conventions
    #: Steps of this stage already done, when it is resumed.
    first_step: int
    #: How often a step may draw again for groups that its gates discarded.
    max_refills: int

    def next_tasks(self, count: int) -> Sequence[Task]:
        """Tasks chosen by the curriculum for the current step."""
        ...

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        """G requests a task, keyed and thereby seeded for the current step."""
        ...

    def offer(self, rollout: Rollout) -> None:
        """Begin to judge a completion while others are still generated; `submit` takes it up. Waits where
        judging has fallen far behind."""
        ...

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        """Verify, reward, shape and gate complete groups; the kept ones come back with advantages."""
        ...

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        """As `submit`, for trainers whose capability `simulated` says that they judge themselves."""
        ...

    def collect(self, generate: Generate) -> Batch:
        """Draw, generate and submit until the step has its groups; refills are bounded by the gate.
        Rollouts from an iterator are judged as they come, while the others are generated.

        An empty batch ends the stage: there is nothing left to learn from. The trainer saves, if it
        has not just saved, and returns.
        """
        ...

    def exhaust(self, reason: str) -> None:
        """End the stage after the steps done so far; raises TrainingError when there were none."""
        ...

    def finish_step(self, metrics: StepMetrics) -> Directive:
        """Report a step. When it returns, the step is durable."""
        ...

    def evaluate(self, engine: Engine) -> Mapping[str, float]:
        """Score the held-out tasks with the live weights."""
        ...

    def save(self, write: Callable[[Path], PolicyRef]) -> Checkpoint:
        """Make a durable checkpoint: `write` fills a fresh folder (`model/` in transformers' form, the
        trainer's own state beside it) and returns the policy; the session adds its state."""
        ...


class Trainer(Protocol):
    """A backend. Its registration declares `capabilities`; `plan` refuses recipes that need others.

    It may also have `dry_run(stage, conventions, context_length) -> Mapping`: the complete configuration
    that it would hand to the framework behind it, validated by that framework, with nothing started and
    no model opened. `harness plan --dry-run` calls it.
    """

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage from `policy` (a checkpoint inside the stage when it is resumed) until the
        session says stop; return the policy, saved by a last `session.save`."""
        ...

    def engine(self, policy: Policy) -> Engine | None:
        """An engine with the policy's weights, for measuring and evaluating; None when it has none."""
        ...

    def close(self) -> None: ...


# Evaluating and reporting ------------------------------------------------------------------------


class Benchmark(Protocol):
    """A fixed set of problems. `origin`, if it has one, maps source, revision and hash; it is recorded."""

    #: Like "5-A": the number changes when scores stop being comparable, the letter with the interface.
    version: str

    def tasks(self) -> Sequence[Task]:
        """All problems in order: the bare problem as last message, domain, tags (`level=3`) to report by."""
        ...


class Profile(Protocol):
    def describe(self) -> Mapping[str, Any]:
        """The profile's values, as `harness.benchmarking.profile.Profile` reads them."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredSample:
    task: Task
    rollout: Rollout
    verdict: Verdict


class Metric(Protocol):
    def __call__(self, samples: Sequence[ScoredSample]) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class ReportContext:
    """A study to report on: its folder and the folders of its runs (one an arm and seed)."""

    folder: Path
    runs: Sequence[RunInfo]
    #: Where leaderboards live, None to leave them alone.
    leaderboards: Path | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """What a reporter wrote, and the lines that the command line closes with."""

    files: Sequence[Path]
    lines: Sequence[str] = ()


class Reporter(Protocol):
    def report(self, context: ReportContext) -> Reported: ...
