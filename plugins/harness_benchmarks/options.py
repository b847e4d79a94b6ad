"""Options of the benchmarks, the task source `hub` and the verifier `choice`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.recipe import Model

Where = Literal["auto", "local", "hub"]


class BenchmarkOptions(Model):
    """Where a benchmark's rows come from."""

    source: Where = "auto"
    """Where rows are read from: `local` is the folder that HARNESS_DATA names, `hub` the Hugging Face Hub.
    `auto` reads the local file if there is one, and else the Hub."""
    revision: str | None = None
    """Another commit, branch or tag of the data set on the Hub, which scores then name. If not set, the
    benchmark's own pinned commit is used."""
    seed: int = 0
    """Names the order of the options of multiple-choice problems. Problems of other forms do not depend on
    it."""


class HubFields(Model):
    """Which column of a data set holds what."""

    problem: str = "problem"
    """Column with the problem's text."""
    answer: str = "answer"
    """Column with the answer. A row without one is an error."""
    id: str | None = None
    """Column with the row's id. If not set, rows are numbered."""
    tags: tuple[str, ...] = ()
    """Columns that become tags of the task, as `<column>=<value>`."""


class HubOptions(Model):
    """A benchmark of the catalogue, or any data set of the Hugging Face Hub. Give `benchmark` or `repo`."""

    benchmark: str | None = None
    """Name of a benchmark, such as `math500`: its rows, read as the benchmark reads them."""
    repo: str | None = None
    """A data set, as `owner/name`. It needs `split`, and `fields` if its columns are not named `problem`
    and `answer`."""
    config: str | None = None
    """Configuration of the data set. If not set, its default one."""
    split: str | None = None
    """Split to read, such as `train`. If not set, a benchmark's own split is read; with `repo` it is
    required."""
    revision: str | None = None
    """Branch, tag or commit of the data set on the Hugging Face Hub. If not set, a benchmark's pinned
    commit is read, or the newest commit of a `repo`."""
    source: Where = "auto"
    """Where a benchmark's rows are read from, as for the benchmark itself. A `repo` is always read from the
    Hub."""
    fields: HubFields = HubFields()
    """Columns of a `repo`."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """Only this many rows are taken, from the first on. If not set, all are."""
    prefix: str = ""
    """Text that starts the task ids. Empty takes the repository's name."""
    template: str = "{problem}"
    """The user's message. `{problem}` stands for the problem's text and must be there."""
    verifier: str = ""
    """Verifier that judges the tasks. Empty takes the recipe's `verifier`."""
    domain: str = "math"
    """Domain of all tasks, which a stage's `mixture` and rules may ask for."""
    answer_spec: dict[str, Any] = Field(default_factory=dict)
    """How the verifier is to read answers: `type`, `unit`, `tolerance` (absolute) and `multiple`, such as
    `{tolerance = 0.01}`. By default answers are text without a tolerance."""


class ChoiceOptions(Model):
    """How the letter of a multiple-choice answer is read from a response."""

    thinking: Literal["prefilled", "model", "none"] = "model"
    """Where thinking ends. `prefilled`: the prompt has opened it already, so a response without a closing
    tag is all thinking. `model`: the model opens it itself. `none`: there are no thinking tags."""
    extraction: Literal["boxed", "any"] = "any"
    r"""What counts as an answer. `boxed`: the last `\boxed{...}` and nothing else. `any`: also a stated
    answer such as `Answer: B`, or a response that is a letter."""
