"""From easy to hard, by measured pass rates, over and over."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness import hookimpl
from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness.plugging import Register


@hookimpl
def register_curricula(register: Register) -> None:
    # Without labels there is no order: the policy is measured before the stage.
    register("easy-first", f"{__name__}:EasyFirst", capabilities={"needs_labels": True})


class EasyFirst:
    def __init__(self, options: None, context: BuildContext) -> None:
        self._next = 0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        labels = context.pool.labels
        ordered = sorted(context.pool.subjects, key=lambda s: -labels[s].mean if s in labels else -0.5)
        chosen = [ordered[(self._next + i) % len(ordered)] for i in range(min(k, len(ordered)))]
        self._next = (self._next + len(chosen)) % max(1, len(ordered))
        return [context.pool.draw(subject) for subject in chosen]

    def observe(self, group: Group) -> None: ...

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return "everything is solved" if history and history[-1].pass_rate == 1 else None

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])
