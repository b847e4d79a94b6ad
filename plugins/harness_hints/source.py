"""Source `hinted`: another source's tasks, and beside each the same with the beginning of its solution shown.

A hinted task has a subject and an id of its own (`names.hinted`), since it is another problem for the
policy, and `meta["plain"]` ties it to the task that it was made from: held-out protection compares that
task's prompt, too. What is judged does not change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from harness.contract import BuildContext, DataError, Task, TaskSource, digest
from harness_hints.names import hinted, parts
from harness_hints.options import HintedOptions

_WORD: Final = re.compile(r"\S+")


class Hinted:
    """Plain and hinted tasks of one source (protocol `TaskSource`)."""

    def __init__(self, options: HintedOptions, context: BuildContext) -> None:
        self.options = options
        self._inner: TaskSource = context.build("task_sources", options.source.name, options.source.options)
        self.endless: bool = self._inner.endless
        self.verifiers: Sequence[str] | None = getattr(self._inner, "verifiers", None)
        self._names: list[str] | None = None

    def subjects(self) -> Sequence[str]:
        """Of each plain subject the hinted ones from the largest share to the smallest, and then itself, if
        wanted: from easy to hard. Every task of a finite source is looked at for its solution.

        Raises:
            DataError: no task has a solution to show.
        """
        if self._names is None:
            names, shown = [], 0
            for subject in self._inner.subjects():
                mine = [hinted(subject, share) for share in sorted(self.options.shares, reverse=True)]
                if len(self._words(self._inner.draw(subject, 0))) < 2:
                    mine = []
                shown += len(mine)
                names += mine + ([subject] if self.options.plain else [])
            if not shown:
                raise DataError(
                    f"no task has a solution of two words in meta.{self.options.field}",
                    where="task source 'hinted'",
                    hint='tell the source to keep it, such as fields = { meta = ["solution"] } of jsonl',
                )
            self._names = names
        return self._names

    def draw(self, subject: str, index: int) -> Task:
        """Raises DataError for a subject that it does not have, or a task without a solution."""
        plain, share = parts(subject)
        if share and round(100 * share) not in {round(100 * known) for known in self.options.shares}:
            raise DataError(f"has no subject {subject!r}", where="task source 'hinted'")
        return self._shown(self._inner.draw(plain, index), share)

    def get(self, task_id: str) -> Task:
        """Raises DataError for an id that it never gives."""
        plain, share = parts(task_id)
        return self._shown(self._inner.get(plain), share)

    def fingerprint(self) -> str | None:
        """The inner source's, if it has one, with the hints' options."""
        known = getattr(self._inner, "fingerprint", lambda: None)()
        return None if known is None else digest(known, self.options.model_dump(mode="json"))

    def _words(self, task: Task) -> list[re.Match[str]]:
        return list(_WORD.finditer(str(task.meta.get(self.options.field) or "")))

    def _shown(self, task: Task, share: float) -> Task:
        """The task with so much of its solution shown, in whole words."""
        if not share:
            return task
        words = self._words(task)
        if len(words) < 2:
            raise DataError(
                f"task {task.id!r} has no solution of two words in meta.{self.options.field}",
                where="task source 'hinted'",
            )
        count = min(len(words) - 1, max(1, round(share * len(words))))
        hint = str(task.meta[self.options.field])[: words[count - 1].end()].strip()
        *before, last = task.prompt
        text = self.options.template.replace("{problem}", last.content, 1).replace("{hint}", hint, 1)
        plain: dict[str, Any] = {"id": task.id, "subject": task.subject, "prompt_hash": task.prompt_hash}
        return replace(
            task,
            id=hinted(task.id, share),
            prompt=(*before, replace(last, content=text)),
            stratum=None if task.stratum is None else hinted(task.stratum, share),
            tags=(*task.tags, f"hint={round(100 * share)}"),
            meta={**task.meta, "plain": plain},
        )
