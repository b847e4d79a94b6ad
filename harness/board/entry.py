"""A leaderboard entry: one arm of a recipe on one held-out set, over all of its seeds.

The entry carries all that a comparison needs (outcomes by problem, scores by seed) and all that a
reader must know before believing it: the verifier's hash, sampling, samples, versions, hardware, cost.
Its file is JSON; `schema` counts the changes of its shape.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.contract.records import digest

#: 2: `answers`, and entries of kind `rejudged` with their `source`.
SCHEMA: Final = 2
#: Shapes that are read.
SCHEMAS: Final = (1, 2)

Rate = Annotated[float, Field(ge=0, le=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(Part):
    """An interval: at `level`, made by `method`."""

    low: Rate
    high: Rate
    se: Annotated[float, Field(ge=0)] | None = None
    method: str
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


class ModelPart(Part):
    name: Name
    #: Weights before training; empty if nobody has them: the model was served, or its answers imported.
    weights_sha: str
    context_length: Positive | None = None


class RecipePart(Part):
    name: Name
    sha: Hash
    arm: Name
    about: str = ""
    trainer: str = ""
    #: True if outcomes come from a simulated student, not from a model.
    simulated: bool = False


class BenchmarkPart(Part):
    name: Name
    #: What must agree for two scores to be comparable: the benchmark's own version, or the data's hash.
    version: Name
    #: Hash of the problems' ids.
    problems_sha: Hash
    problems: Positive
    #: Samples per problem and seed: the k of avg@k.
    samples: Positive
    #: Temperature, top-p, token limit and what else fixes how samples were drawn.
    profile: dict[str, Any] = Field(default_factory=dict)
    profile_sha: Hash


class ScorePart(Part):
    """avg@k over problems and seeds, with its intervals."""

    metric: Name
    value: Rate
    #: Same problems, new samples.
    rerun: Bounds
    #: The problems as a sample of such problems, clustered.
    benchmark: Bounds
    #: The recipe run again with other seeds; None from a single seed.
    seeds: Bounds | None = None
    #: pass@k for larger k, if there were samples for it.
    pass_at: dict[str, Rate] = Field(default_factory=dict)


class StratumPart(Part):
    value: Rate
    low: Rate
    high: Rate
    problems: Positive
    samples: Positive


class SeedPart(Part):
    seed: int
    value: Rate
    before: Rate | None = None
    weights_sha: str = ""
    rollouts: Whole = 0


class CostPart(Part):
    """What training and measuring cost, per seed (means), evaluation apart; of an evaluation of a model as it
    is, what that cost: samples, their tokens, CPU time of the evaluating process."""

    rollouts: Annotated[float, Field(ge=0)]
    tokens: Annotated[float, Field(ge=0)]
    cpu_seconds: Annotated[float, Field(ge=0)]
    evaluation_cpu_seconds: Annotated[float, Field(ge=0)] = 0.0
    #: Those of `tokens` that engines generated and did not return.
    unreturned: Annotated[float, Field(ge=0)] = 0.0
    #: US dollars, if engines have prices.
    usd: Annotated[float, Field(ge=0)] = 0.0
    #: Samples of all seeds by the engine and configuration that answered, if engines say it.
    sources: dict[Name, Whole] = Field(default_factory=dict)


class HealthPart(Part):
    """Samples that deserve a look; shares of all samples but `infra_errors` and `missing`, counts."""

    truncated: Rate = 0.0
    no_answer: Rate = 0.0
    infra_errors: Whole = 0
    missing: Whole = 0
    #: Mean completion length, in tokens.
    tokens: Annotated[float, Field(ge=0)] = 0.0


class PluginPart(Part):
    name: Name
    distribution: Name
    version: Name


class SourcePart(Part):
    """Where a rejudged entry's generations come from: other people made them, our verifier judged them."""

    title: Name
    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    #: Commit at which the outputs were read from their repository; "" if it is not known.
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{7,40})?$")] = ""
    #: As its owner states it; "none stated" if nothing is.
    licence: Name
    #: When the outputs were read.
    retrieved: datetime.date
    #: What is not known of how they were sampled: `temperature`, `prompt`.
    unknown: tuple[Name, ...]
    #: What the source itself says of these outputs, in words.
    published: str = ""
    #: The outputs' file below HARNESS_DATA, where copies of it lie.
    file: str = ""
    #: Rows of it that are this model's.
    where: dict[str, str] = Field(default_factory=dict)
    #: How the profile was changed for them.
    overrides: tuple[str, ...] = ()


class Entry(Part):
    """See the module's text."""

    schema_version: Annotated[int, Field(alias="schema")] = SCHEMA
    #: `rejudged`: other people's generations, judged by our verifier.
    kind: Literal["measured", "rejudged"] = "measured"
    #: Where a rejudged entry's answers come from; None for a measured one.
    source: SourcePart | None = None
    board: Name
    model: ModelPart
    recipe: RecipePart
    benchmark: BenchmarkPart
    score: ScorePart
    #: The same model before training, if it was measured.
    before: ScorePart | None = None
    strata: dict[str, StratumPart] = Field(default_factory=dict)
    seeds: Annotated[tuple[SeedPart, ...], Field(min_length=1)]
    cost: CostPart
    health: HealthPart
    verifiers: dict[str, Hash]
    plugins: tuple[PluginPart, ...] = ()
    hardware: dict[str, Any] = Field(default_factory=dict)
    #: When the last run finished, as its ledger says.
    finished: str = ""
    #: problem id -> [passes or summed scores, samples], over all seeds.
    problems: dict[str, tuple[Annotated[int | float, Field(ge=0)], Positive]]
    #: problem id -> hash of what was extracted from its samples, over all seeds; empty in older entries.
    answers: dict[str, Hash] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def label(self) -> str:
        """What a table calls it."""
        return self.recipe.arm if self.recipe.arm != "main" else self.recipe.name

    @property
    def column(self) -> tuple[str, ...]:
        """Scores are compared only if all of this agrees."""
        b = self.benchmark
        verifiers = ",".join(f"{k}={v}" for k, v in sorted(self.verifiers.items()))
        made = (b.name, b.version, b.problems_sha, b.profile_sha, verifiers, self.score.metric)
        if self.source is None:
            return made
        # How they were sampled is the source's, whatever profile judged them.
        return (*made, self.kind, self.source.url, self.source.commit)

    @property
    def fingerprint(self) -> str:
        """Hash of all answers; "" if they are not known."""
        return digest(sorted(self.answers.items())) if self.answers else ""

    @property
    def file_name(self) -> str:
        """Deterministic, so that running a recipe again replaces its entry."""
        words = (self.benchmark.name, self.recipe.name, self.recipe.arm)
        stem = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", word).strip(".-") or "x" for word in words)
        return f"{stem[:120]}-{self.recipe.sha[:8]}.json"

    def counted(self) -> Mapping[str, tuple[float, float]]:
        """Outcomes by problem, as `harness.statistics.compare` takes them."""
        return {k: (float(c), float(n)) for k, (c, n) in self.problems.items()}

    def seed_values(self) -> Sequence[float]:
        return [seed.value for seed in self.seeds]

    def to_json(self) -> str:
        """The entry's file: one line per field, one line per problem."""
        values = self.model_dump(mode="json", by_alias=True)
        problems = values.pop("problems")
        told = ("unreturned", "usd", "sources")
        values["cost"] = {k: v for k, v in values["cost"].items() if v or k not in told}
        answers = values.pop("answers")
        tables = [("problems", problems)] + ([("answers", answers)] if answers else [])
        if values["source"] is None:
            del values["source"]
        text = json.dumps(values, indent=1)[:-2]
        for name, table in tables:
            rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
            text += f",\n {json.dumps(name)}: {{\n{rows}\n }}"
        return text + "\n}\n"
