"""What a plugin's object may have besides the members of its protocol, and what holds if it has not.

A plugin may inherit from these classes or ignore them. The harness reads an optional member only
through `harness.contract.members.member`, which returns the plugin's own or the default below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar

from harness.contract.errors import PluginError

if TYPE_CHECKING:
    from harness.contract.protocols import Ask, CurriculumContext
    from harness.contract.records import Message, Rollout, Task, Verdict
    from harness.contract.samples import Group
    from harness.recipe import Conventions, Stage


class TaskSourceOptional:
    """Optional members of a source of tasks."""

    #: Names of the verifiers of all of its tasks; None: every task is looked at (of an endless source,
    #: the first task of each stratum).
    verifiers: Sequence[str] | None = None

    def fingerprint(self) -> str | None:
        """Hash of the content of all of its tasks; None: it is taken from the tasks themselves."""
        return None

    def place(self, task_id: str) -> str:
        """Where a task's answer stands, as file:line:field; empty if it stands in no file."""
        return ""


class ModelOptional:
    """Optional members of a loader of models."""

    #: `False` if this model must be fetched or converted first although its loader has the capability
    #: `local`.
    local: bool = True


class BenchmarkOptional:
    """Optional members of a benchmark."""

    #: Where its problems come from (source, revision, hash), for the record.
    origin: ClassVar[Mapping[str, Any]] = {}

    #: Verifier with its options, `name` among them, that judges instead of the profile's. Options that it
    #: does not set are the profile's, if it has them. None: the profile decides.
    verifier: Mapping[str, Any] | None = None


class VerifierOptional:
    """Optional members of a verifier."""

    #: Covers its code, its options and the versions of its libraries (`harness.recording.verifier_hash`);
    #: it is the `verifier_hash` of each of its verdicts.
    hash: str = ""

    #: `check(task) -> str | None`: why no completion of the task can be judged, asked of every task of a
    #: finite source before a run. Without it an empty completion is judged, and what that raises is told.
    check: Callable[[Task], str | None] | None = None

    def submit(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        """Begin to judge; the future holds the verdict. Called if the capability `submits` says so."""
        raise PluginError(
            f"{type(self).__name__} declares the capability 'submits' and has no method 'submit'"
        )


class EngineOptional:
    """Optional members of an engine."""

    #: Longest prompt plus completion, in tokens; 0 if it is not known.
    context_length: int = 0


class StateOptional:
    """State that checkpoints carry and a resumed run restores, keyed by ids, JSON-like."""

    def state_dict(self) -> dict[str, Any]:
        """Empty for an object without state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class EstimatorOptional:
    """Optional members of a difficulty estimator."""

    def look(self, prompt: Callable[[str], Sequence[Message]]) -> None:
        """Called before the first `requests` of each measurement: `prompt(subject)` gives the turns of the
        subject's first task (of a stratum, an example), for estimators that predict from them. It may be kept
        until the labels are fitted. Answers are not shown."""


class CurriculumOptional:
    """Optional members of a curriculum."""

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        """Tasks of this step that deserve further samples, with how many (capability `group_sizes`).

        `groups` are those answered so far. The new samples join the task's last group, which is shaped,
        observed and gated again. It is asked after each round of answers until it wants no more.
        """
        return ()

    def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
        """Groups of samples from `context.store` that join this step's batch, marked as replayed (capability
        `replay`). `groups` are those of the step that were kept."""
        return ()


class GateOptional(StateOptional):
    """Optional members of a gate."""

    #: How often a step may draw again for groups that the gates discarded; of several gates the
    #: smallest number counts.
    max_refills: int = 8


class ShaperOptional(StateOptional):
    """Optional members of a shaper."""


class RewardOptional(StateOptional):
    """Optional members of a reward."""


class LossOptional(StateOptional):
    """Optional members of a loss term."""


class TrainerOptional:
    """Optional members of a trainer."""

    def dry_run(
        self, stage: Stage, conventions: Conventions, context_length: int
    ) -> Mapping[str, Any] | None:
        """The complete configuration that it would hand to the framework behind it, validated by that
        framework, with nothing started and no model opened; None if there is none besides the recipe.
        `harness plan --dry-run` calls it."""
        return None
