"""Tasks drawn uniformly and asked in rounds: what all curricula of this package share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.index import Flags

from harness.contract import Ask, CurriculumContext, Group, Task


class Rounds:
    """Draws tasks of an epoch and remembers those of the step, so that more can be asked of them. State:
    the ids drawn in the current epoch."""

    def __init__(self, drawn: Iterable[str] = ()) -> None:
        self._epochs, self._step = Epochs(drawn), StepTasks()
        self._tasks: dict[str, Task] = {}

    def begins(self, context: CurriculumContext) -> bool:
        """Whether this is the first draw of a step; forgets the tasks of the step before if so."""
        begins = self._step.begins(context)
        if begins:
            self._tasks = {}
        return begins

    def draw(self, k: int, context: CurriculumContext, among: Flags | None = None) -> list[Task]:
        """Up to k tasks, of the subjects that `among` (shape (subjects,)) marks."""
        tasks = self._epochs.draw(k, context, self._step, among)
        self.remember(tasks)
        return tasks

    def remember(self, tasks: Sequence[Task]) -> None:
        """Tasks of this step that were drawn otherwise."""
        self._tasks.update({task.id: task for task in tasks})

    def ask(self, sizes: Mapping[str, int]) -> list[Ask]:
        """More samples of tasks of this step, by task id; numbers below 1 ask for none."""
        return [Ask(self._tasks[task], n) for task, n in sizes.items() if n > 0 and task in self._tasks]

    def drawn(self) -> list[str]:
        return self._epochs.drawn()


def counts(group: Group) -> tuple[int, int]:
    """Passes and judged samples of a group, earlier ones included."""
    judged = [sample.verdict.status for sample in group.samples if sample.judged]
    return judged.count("pass"), len(judged)


class Stateless:
    """What curricula have whose only state is the epoch."""

    def __init__(self) -> None:
        self._rounds = Rounds()

    def observe(self, group: Group) -> None:
        """Outcomes are read in `more`."""

    def finished(self, history: Sequence[Any]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self._rounds.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rounds = Rounds(state["drawn"])
