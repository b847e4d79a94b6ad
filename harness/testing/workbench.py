"""Real runs in a test's folder: a recipe as a dict, the real loop, and a record of what the trainer did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from harness.contract.protocols import BuildContext, Engine, Policy
from harness.contract.records import Rollout, RolloutKey, StepMetrics, Task, Verdict
from harness.contract.sessions import Session, Trainer
from harness.plugging.plugins import Plugins
from harness.recipe import Recipe, RecipeFile, Resources, Stage, Use
from harness.recipe.errors import validated
from harness.recording.ledger import Line, read
from harness.scoring import Scorer
from harness.testing.session import Call, Crash, RecordingSession


def context(plugins: Plugins, cache: Path, *, base: Path = Path(), seed: int = 0) -> BuildContext:
    """A build context whose `build` goes through the registry; `base` is where relative paths start."""

    def build(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        return plugins.registry.find(kind, name).build(options, made.of_model(model))

    made = BuildContext(
        seed=seed,
        cache=cache,
        data=None,
        build=build,
        resources=Resources(device="cpu", threads=1),
        render="raw",
        base=base,
    )
    return made


@dataclass(slots=True)
class Recorded:
    """What a run left behind."""

    folder: Path
    calls: list[Call] = field(default_factory=list)
    #: The policy that each call of `train` started from and what it returned.
    trained: list[tuple[Policy, Policy]] = field(default_factory=list)
    crashed: bool = False

    def of(self, *names: str) -> list[Call]:
        return [call for call in self.calls if call.name in names]

    def metrics(self) -> list[StepMetrics]:
        return [call.value for call in self.of("finish_step")]

    def lines(self, kind: str) -> list[Line]:
        """The ledger's lines of a type."""
        return [line for line in read(self.folder / "ledger.jsonl") if line["t"] == kind]

    def numbers(self) -> list[Line]:
        """What the run found, in order, without times: two runs that did the same have equal numbers."""
        return [_without_times(line) for line in read(self.folder / "ledger.jsonl") if line["t"] in FOUND]


#: Types of the ledger's lines that hold what a run found, rather than how it came there.
FOUND: Final = frozenset({"labels", "stage_started", "step", "evaluation", "stage_finished", "finished"})


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if not k.endswith("seconds") and k != "at"}
    if isinstance(value, list):
        return [_without_times(v) for v in value]
    return value


class RecordingTrainer:
    """A trainer that meets its sessions through a record."""

    def __init__(self, trainer: Trainer, record: Recorded, **limits: Any) -> None:
        self._trainer, self._record, self._limits = trainer, record, limits

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        recording = RecordingSession(session, self._record.calls, **self._limits)
        trained = self._trainer.train(stage, policy, recording)
        self._record.trained.append((policy, trained))
        return trained

    def engine(self, policy: Policy) -> Engine | None:
        return self._trainer.engine(policy)

    def close(self) -> None:
        self._trainer.close()


class Unjudging:
    """A scorer whose verifiers cannot judge some rollouts of training, for a reason of ours."""

    def __init__(self, scorer: Scorer, unjudged: Callable[[Rollout], bool]) -> None:
        self._scorer, self._unjudged = scorer, unjudged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def score_many(self, pairs: Sequence[tuple[Task, Rollout]]) -> list[Verdict]:
        return [future.result() for future in [self.begin(task, rollout) for task, rollout in pairs]]

    def begin(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        judged = self._scorer.begin(task, rollout)
        if rollout.key.phase != "train" or not self._unjudged(rollout):
            return judged
        broken: Future[Verdict] = Future()
        judged.add_done_callback(lambda done: broken.set_result(_broken(done.result())))
        return broken


def _broken(verdict: Verdict) -> Verdict:
    return replace(verdict, status="infra_error", score=None, reason="the sandbox broke")


class Workbench:
    """A folder in which recipes are run for real."""

    def __init__(self, folder: Path, plugins: Plugins) -> None:
        self.folder, self.plugins = folder, plugins
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, values: Mapping[str, Any]) -> RecipeFile:
        """A recipe from plain values, as its TOML would give them."""
        path = self.folder / "recipe.toml"
        return RecipeFile(path, validated(Recipe, values, where=str(path)), dict(values))

    def run(
        self,
        values: Mapping[str, Any],
        name: str = "run",
        *,
        arm: str = "main",
        crash_after: int | None = None,
        exhaust_after: int | None = None,
        fail_after: int | None = None,
        hang_after: int | None = None,
        unjudged: Callable[[Rollout], bool] | None = None,
        disturbed: Callable[[Rollout], Rollout] | None = None,
        replay: Mapping[RolloutKey, Rollout] | None = None,
    ) -> Recorded:
        """Run one arm with its first seed, from where its ledger ends.

        Args:
            values: the recipe.
            name: of the run's folder; the same name resumes.
            arm: which arm, `main` for a recipe without.
            crash_after: end the run in the middle, after this step of a stage.
            exhaust_after: let there be no tasks after this step of a stage.
            fail_after: let the session fail while it judges, after this step of a stage.
            hang_after: let judging take a minute, after this step of a stage.
            replay: recorded rollouts of training that are judged in the place of the trainer's own.
            unjudged: which training rollouts the verifiers cannot judge, for a reason of ours.
            disturbed: what becomes of each training rollout before it is judged, as if the engine had
                returned that.

        Raises:
            HarnessError: what the plan or the run refuses.
        """
        from harness.planning.plan import make_plans
        from harness.running.loop import proceed
        from harness.running.parts import Parts

        (plan, *_) = make_plans(self.file(values), self.plugins, arms=[arm])
        record = Recorded(self.folder / name)
        with ExitStack() as stack:
            parts = Parts(plan, record.folder, stack)
            parts.trainer = RecordingTrainer(
                parts.trainer,
                record,
                crash_after=crash_after,
                exhaust_after=exhaust_after,
                fail_after=fail_after,
                hang_after=hang_after,
                replay=replay,
                disturbed=disturbed,
            )
            if unjudged is not None:
                parts.scorer = cast(Scorer, Unjudging(parts.scorer, unjudged))
            record.crashed = True
            with suppress(Crash):
                proceed(parts)
                record.crashed = False
        return record

    def build(self, kind: str, use: Mapping[str, Any]) -> Any:
        """A plugin object from a reference as a recipe writes it."""
        named = Use.model_validate(use)
        made = context(self.plugins, self.folder / "cache", base=self.folder)
        return made.build(kind, named.name, named.options)
