"""A column that a row does not have: which of its columns was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

#: What other data sets call the columns, likeliest first.
OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "problem": ("question", "prompt", "input", "instruction", "query", "text", "statement"),
    "answer": (
        "gold", "target", "final_answer", "expected_answer", "ground_truth", "solution", "label", "output",
        "reference", "expected",
    ),
    "id": ("task_id", "question_id", "problem_id", "unique_id", "uid", "name", "index", "idx"),
}  # fmt: skip


def missing(column: str, what: str, row: Iterable[str]) -> str:
    """Why a row without this column does not fit, with the column that may be meant and how to say so.

    Args:
        column: the column that was looked for.
        what: the field that names it: `problem`, `answer` or `id`.
        row: the columns that there are.
    """
    names = sorted(row)
    lowered = {name.lower(): name for name in reversed(names)}
    meant = [lowered[other] for other in (what, *OTHERS.get(what, ())) if other in lowered]
    close = difflib.get_close_matches(column.lower(), lowered, n=1, cutoff=0.7)
    near = (lowered[close[0]] if close else "") or (meant[0] if meant else "")
    if not near:
        return f"is missing; the row has {', '.join(names)}"
    return (
        f"is missing; did you mean {near!r}? The row has {', '.join(names)}. "
        f'A TOML file that describes the benchmark may say: fields = {{ {what} = "{near}" }}'
    )
