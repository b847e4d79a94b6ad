"""Tasks whose answers no verifier can judge: named before a run and not after a night of `infra_error`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from harness.contract.errors import DataError
from harness.contract.members import member
from harness.contract.protocols import TaskSource, Verifier
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Task

#: Tasks that one message lists.
SHOWN: Final = 10
_ABORTED: Final = Rollout(
    key=RolloutKey("", "eval", "", 0, "", 0), prompt_ids=(), completion_ids=(), text="", finish="abort",
    policy=PolicyRef(weights_sha=""), sampling=Sampling(),
)  # fmt: skip


def unfit(verifier: Verifier, task: Task) -> str | None:
    """Why no completion of the task can be judged; None if completions can be."""
    check = member("verifiers", verifier, "check")
    if check is not None:
        reason: str | None = check(task)
        return reason
    try:
        verifier.verify(task, _ABORTED)
    except DataError as error:
        return error.what
    except Exception:  # noqa: BLE001 - it is not open here: what it says of a task alone is a DataError
        return None
    return None


def refuse_unfit(tasks: Iterable[tuple[TaskSource | None, Task]], verifiers: Mapping[str, Verifier]) -> None:
    """Look at tasks, each with the source that it comes from.

    Args:
        verifiers: by the names that tasks use.

    Raises:
        DataError: some task can never be judged; up to 10 are named with their places.
    """
    faults: list[str] = []
    more = 0
    for source, task in tasks:
        reason = unfit(verifiers[task.verifier], task) if task.verifier in verifiers else None
        if reason is None:
            continue
        if len(faults) == SHOWN:
            more += 1
            continue
        place = "" if source is None else member("task_sources", source, "place")(task.id)
        where = place or f"task {task.id!r}"
        faults.append(f"{where}: verifier {task.verifier!r} cannot judge it: {reason}")
    if faults:
        raise DataError(
            "\n".join(faults) + (f"\nand {more} tasks more" if more else ""),
            hint="mend these answers, leave the rows out, or name the verifier that they are for",
        )
