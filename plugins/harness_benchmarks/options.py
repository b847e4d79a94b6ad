"""Options of the benchmarks, the task source `hub` and the verifier `choice`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.recipe.stage import Model

Where = Literal["auto", "local", "hub"]


class BenchmarkOptions(Model):
    """Where a benchmark's rows come from."""

    #: `local` is the folder HARNESS_DATA, `auto` prefers it where it is set and has the file.
    source: Where = "auto"
    #: Another commit, branch or tag of the Hub's repository; scores then say so.
    revision: str | None = None
    #: Order of the options of multiple-choice problems.
    seed: int = 0


class HubFields(Model):
    """Which column of a data set holds what."""

    problem: str = "problem"
    answer: str = "answer"
    #: None numbers the rows.
    id: str | None = None
    tags: tuple[str, ...] = ()


class HubOptions(Model):
    """A benchmark of the catalogue, or any data set of the Hub."""

    #: Name of a benchmark: its rows, read as the benchmark reads them.
    benchmark: str | None = None
    #: `owner/name` of a data set; needs `fields`, unless the columns are `problem` and `answer`.
    repo: str | None = None
    config: str | None = None
    #: The benchmark's own when left out.
    split: str | None = None
    revision: str | None = None
    source: Where = "auto"
    fields: HubFields = HubFields()
    #: First rows only.
    limit: Annotated[int, Field(gt=0)] | None = None
    #: Starts the task ids; the repository's name when left out.
    prefix: str = ""
    #: Wording around the problem.
    template: str = "{problem}"
    verifier: str = ""
    domain: str = "math"
    answer_spec: dict[str, Any] = Field(default_factory=dict)


class ChoiceOptions(Model):
    """How the letter is found."""

    #: Where thinking ends, as for the verifier `math`.
    thinking: Literal["prefilled", "model", "none"] = "model"
    #: `boxed`: the last box or nothing. `any`: also a stated answer, or a response that is a letter.
    extraction: Literal["boxed", "any"] = "any"
