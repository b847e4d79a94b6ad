"""Source `traced-programs`: what does this program print, and what did its run do until then?

A stratum is a number of statements. The right completion is the trace that the sandbox's tracer recorded,
a line per step, and `>` with what the program printed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from harness.contract import AnswerSpec, BuildContext, DataError, Message, Sandbox, Task, digest, kind, near
from harness.recipe import Model, Plugin, Use
from harness_tasks.strata import Strata, parse_strata
from pydantic import Field

from harness_codethinker.programs import STATEMENTS, Split, Statement, dealt, patterns, program
from harness_codethinker.tracing import Trace, traced

NAME: Final = "traced-programs"
VERIFIER: Final = "staged-harness-codethinker/steps"
#: Most statements of a program.
LONGEST: Final = 12
#: Programs that are run in one job.
BLOCK: Final = 512
#: Changes when traces of the same programs do.
VERSION: Final = 1
_ID: Final = re.compile(rf"{NAME}/([a-z+]+)/([12])/([1-9]\d?)/(train|heldout)/(0|[1-9]\d*)@(0|-?[1-9]\d*)")


class SourceOptions(Model):
    """Which programs are asked for, and where they are run."""

    strata: Strata = Field(default_factory=lambda: parse_strata("1-4"))
    """Numbers of statements after the first, which set the variables: `"1-4"`, `"1-3,5"` or a list.
    From 1 to 12."""
    statements: Annotated[tuple[Statement, ...], Field(min_length=1)] = STATEMENTS
    """Kinds of statements: `assign` (`a=b+4`), `if` (the same under a condition), `loop` (two turns). All
    orders of them are equally frequent."""
    variables: Literal[1, 2] = 2
    """Variables of a program: `a` alone, or `a` and `b`."""
    split: Split = "train"
    """Which part of the programs to give. `train` and `heldout` never share one, whatever the seed."""
    seed: int | None = None
    """Names the order in which programs are dealt. If not set, training follows the run's seed, and held-out
    programs are the same in every run."""
    sandbox: Annotated[Plugin, kind("sandboxes")] = Use(name="unsafe-local", i_know_what_i_do=True)
    """Plugin of kind `sandboxes` that runs the programs. They are this package's own and do nothing but
    arithmetic, so that by default they are not confined."""


class TracedPrograms:
    """An endless source (protocol `TaskSource`); traces are made in blocks and kept in the cache."""

    endless = True
    verifiers = (VERIFIER,)

    def __init__(self, options: SourceOptions | None, context: BuildContext) -> None:
        self.options = options or SourceOptions()
        if self.options.strata[0] < 1 or self.options.strata[-1] > LONGEST:
            raise DataError(
                f"strata run from {self.options.strata[0]} to {self.options.strata[-1]}",
                where=f"task source {NAME!r}",
                allowed=f"1 to {LONGEST}",
            )
        following = context.seed if self.options.split == "train" else 0
        self.seed = following if self.options.seed is None else self.options.seed
        self._build, self._cache = context.build, context.cache / "codethinker"
        self._subjects = tuple(str(length) for length in self.options.strata)
        self._block = lru_cache(maxsize=64)(self._made)

    def subjects(self) -> Sequence[str]:
        """Numbers of statements, as strings, easy to hard."""
        return self._subjects

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th program of a stratum.

        Raises:
            DataError: there is no such stratum, or the programs could not be traced.
        """
        if subject not in self._subjects:
            raise DataError(
                f"has no stratum {subject!r}",
                where=f"task source {NAME!r}",
                allowed=near(subject, self._subjects),
            )
        options = self.options
        return self._task(
            _Stream(_kinds(options.statements), options.variables, int(subject), options.split, self.seed),
            index,
        )

    def get(self, task_id: str) -> Task:
        """The program of this id, of any statements, stratum, split and seed; raises DataError for another
        form."""
        match = _ID.fullmatch(task_id)
        kinds = _kinds(match[1].split("+")) if match else ""
        if match is None or kinds != match[1] or int(match[3]) > LONGEST:
            raise DataError(
                f"{task_id!r} is not a task of this source",
                where=f"task source {NAME!r}",
                allowed=f"{NAME}/<statements>/<variables>/<length>/<train|heldout>/<index>@<seed>",
            )
        split: Split = "train" if match[4] == "train" else "heldout"
        return self._task(_Stream(kinds, int(match[2]), int(match[3]), split, int(match[6])), int(match[5]))

    def fingerprint(self) -> str:
        """Hash of all that its programs and traces depend on."""
        options = self.options
        return digest(NAME, VERSION, _kinds(options.statements), options.variables, self._subjects, self.seed,
                      options.split)  # fmt: skip

    def _task(self, stream: _Stream, index: int) -> Task:
        text, trace = self._block(stream, index // BLOCK)[index % BLOCK]
        return Task(
            id=f"{NAME}/{stream.kinds}/{stream.variables}/{stream.length}/{stream.split}/{index}@{stream.seed}",
            prompt=(Message("user", text),),
            verifier=VERIFIER,
            answer=trace.printed,
            answer_spec=AnswerSpec(type="text"),
            domain="traced-code",
            stratum=str(stream.length),
            meta={"solution": trace.told, "steps": list(trace.steps)},
        )

    def _made(self, stream: _Stream, block: int) -> list[tuple[str, Trace]]:
        """A block of programs with their traces, from the cache or from the sandbox."""
        texts = [stream.text(index) for index in range(block * BLOCK, (block + 1) * BLOCK)]
        file = self._cache / f"{digest(VERSION, texts)}.json"
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf-8"))
            return [
                (text, Trace(tuple(steps), said)) for text, (steps, said) in zip(texts, kept, strict=True)
            ]
        sandbox: Sandbox = self._build("sandboxes", self.options.sandbox.name, self.options.sandbox.options)
        try:
            traces = traced(sandbox, texts)
        finally:
            sandbox.close()
        _keep(file, traces)
        return list(zip(texts, traces, strict=True))


class _Stream(NamedTuple):
    """The programs of a stratum in the order of a seed."""

    #: Kinds of statements, as an id has them.
    kinds: str
    variables: int
    length: int
    split: Split
    seed: int

    def text(self, index: int) -> str:
        """The `index`-th program; patterns take turns."""
        orders = patterns([s for s in STATEMENTS if s in self.kinds.split("+")], self.length)
        position, turn = divmod(index, len(orders))
        number = dealt(orders[turn], self.variables, self.split, position, self.seed)
        return program(orders[turn], self.variables, number)


def _kinds(statements: Sequence[str]) -> str:
    return "+".join(s for s in STATEMENTS if s in statements)


def _keep(file: Path, traces: Sequence[Trace]) -> None:
    """Write a block whole or not at all: other processes make the same one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}-{os.getpid()}")
    scratch.write_text(json.dumps(traces), encoding="utf-8")
    scratch.replace(file)
