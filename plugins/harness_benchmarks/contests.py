"""Contests whose answers are expressions, in the form of MathArena's data sets.

Columns: `problem_idx` (from 1), `problem`, `answer` (an integer or LaTeX) and `problem_type` (a list of
subjects). Answers without a proof are what is judged, also if the contest asked for a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness_tasks.rows import RowFault

from harness.contract import AnswerSpec, Message, Task
from harness_benchmarks.readers import Row, text


@dataclass(frozen=True, slots=True)
class Contest:
    """Reads one contest's rows; ids are `<prefix>-<number>`, the same from every copy."""

    prefix: str

    def __call__(self, row: Row, position: int, seed: int) -> Task:
        """The task of a row; raises RowFault for an answer that is neither an integer nor text."""
        answer = row.get("answer")
        if isinstance(answer, bool) or not isinstance(answer, str | int) or not str(answer).strip():
            raise RowFault("answer", f"must be an integer or LaTeX, not {answer!r:.60}")
        number = row.get("problem_idx", row.get("number", position + 1))
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise RowFault("problem_idx", f"must be 1, 2, 3, ..., not {number!r:.60}")
        kinds = row.get("problem_type")
        return Task(
            id=f"{self.prefix}-{number:02d}",
            prompt=(Message("user", text(row, "problem")),),
            verifier="",
            answer=str(answer).strip(),
            answer_spec=AnswerSpec(type="expression"),
            tags=tuple(f"subject={kind}" for kind in kinds) if isinstance(kinds, list) else (),
        )
