"""Benchmarks of output prediction: items of this package, and CRUXEval's in their public form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from harness.contract import BuildContext, DataError, Message, Task, digest
from harness.recipe import Model, validated
from pydantic import Field

from harness_codethinker.source import SourceOptions, TracedPrograms

#: Names the order in which held-out programs become items.
SEED: Final = 2605


#: The parts of `predict-output`, as options of the source.
PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "": {"strata": "1-4"},
    "one-variable": {"strata": "2", "statements": ["assign"], "variables": 1},
}


class ItemOptions(Model):
    """Which programs are asked."""

    part: Literal["", "one-variable"] = ""
    """A part with scores of its own: `predict-output@one-variable` are two assignments to one variable, which
    is what the recipe teaches. Empty: 1 to 4 statements of all kinds over two variables."""
    items: Annotated[int, Field(ge=4)] = 200
    """How many items there are, in equal numbers per number of statements. Scores of another number do not
    compare."""


class PredictOutput:
    """Held-out programs of the source `traced-programs` in a fixed order (protocol `Benchmark`)."""

    version = "1-A"

    def __init__(self, options: ItemOptions | None, context: BuildContext) -> None:
        self._options, self._context = options or ItemOptions(), context
        self.origin: Mapping[str, Any] = {"made": "traced-programs", "seed": SEED}

    def tasks(self) -> Sequence[Task]:
        """All items, easy to hard, tagged with their number of statements (`statements=3`)."""
        values = {**PARTS[self._options.part], "split": "heldout", "seed": SEED}
        source = TracedPrograms(validated(SourceOptions, values, where="predict-output"), self._context)
        subjects = source.subjects()
        return [
            Task(
                id=f"{subject}-{index:03}",
                prompt=task.prompt,
                verifier="",
                answer=task.answer,
                answer_spec=task.answer_spec,
                domain="traced-code",
                tags=(f"statements={subject}",),
                meta={"steps": task.meta["steps"]},
            )
            for subject in subjects
            for index in range(self._options.items // len(subjects))
            for task in [source.draw(subject, index)]
        ]


class CruxOptions(Model):
    """Where CRUXEval is."""

    path: str = "cruxeval.jsonl"
    """CRUXEval's own file, `data/cruxeval.jsonl` of github.com/facebookresearch/cruxeval (MIT). A relative
    path starts at the data folder (the environment variable HARNESS_DATA)."""


class _Row(msgspec.Struct):
    code: str
    input: str
    output: str
    id: str


class CruxEval:
    """CRUXEval-O (arXiv 2401.03065): what does a function return? (protocol `Benchmark`)."""

    version = "1-A"

    def __init__(self, options: CruxOptions | None, context: BuildContext) -> None:
        options = options or CruxOptions()
        self._path = (context.data or Path()) / options.path
        self.origin: Mapping[str, Any] = {"file": Path(options.path).name, "sha": digest(self._read())}

    def tasks(self) -> Sequence[Task]:
        """All items in the file's order; the problem is the function and the call."""
        return [_crux(row) for row in self._rows()]

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"cannot be read: {error}",
                where=str(self._path),
                hint="put data/cruxeval.jsonl of github.com/facebookresearch/cruxeval into HARNESS_DATA",
            ) from None

    def _rows(self) -> list[_Row]:
        rows = []
        for number, line in enumerate(self._read().splitlines(), 1):
            try:
                rows.append(msgspec.json.decode(line, type=_Row))
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                raise DataError(
                    f"line {number} is no item of CRUXEval: {error}",
                    where=str(self._path),
                    allowed="fields code, input, output and id",
                ) from None
        return rows


def _crux(row: _Row) -> Task:
    return Task(
        id=row.id,
        prompt=(Message("user", f"{row.code}\n\nassert f({row.input}) == "),),
        verifier="",
        answer=row.output,
        domain="code-output",
    )
