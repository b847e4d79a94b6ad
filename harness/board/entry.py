"""A leaderboard entry: one arm of a recipe on one held-out set, over all of its seeds.

The entry carries all that a comparison needs (outcomes by problem, scores by seed) and all that a
reader must know before believing it: the verifier's hash, sampling, samples, versions, hardware, cost.
Its file is JSON; `schema` counts the changes of its shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Final = 1

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
    #: Weights before training.
    weights_sha: str
    context_length: Positive | None = None


class RecipePart(Part):
    name: Name
    sha: Hash
    arm: Name
    about: str = ""
    trainer: str = ""
    #: True when outcomes come from a simulated student, not from a model.
    simulated: bool = False


class BenchmarkPart(Part):
    name: Name
    #: What must agree for two scores to be comparable: the benchmark's own version, or the data's hash.
    version: Name
    #: Hash of the problems' ids.
    problems_sha: Hash
    problems: Positive
    #: Samples a problem and seed: the k of avg@k.
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
    #: pass@k for larger k, where there were samples for it.
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
    """What training and measuring cost, per seed (means); evaluation apart."""

    rollouts: Annotated[float, Field(ge=0)]
    tokens: Annotated[float, Field(ge=0)]
    cpu_seconds: Annotated[float, Field(ge=0)]
    evaluation_cpu_seconds: Annotated[float, Field(ge=0)] = 0.0


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


class Entry(Part):
    """See the module's text."""

    schema_version: Annotated[int, Field(alias="schema")] = SCHEMA
    kind: Literal["measured"] = "measured"
    board: Name
    model: ModelPart
    recipe: RecipePart
    benchmark: BenchmarkPart
    score: ScorePart
    #: The same model before training, where it was measured.
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

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def label(self) -> str:
        """What a table calls it."""
        return self.recipe.arm if self.recipe.arm != "main" else self.recipe.name

    @property
    def column(self) -> tuple[str, ...]:
        """Scores are compared only where all of this agrees."""
        b = self.benchmark
        verifiers = ",".join(f"{k}={v}" for k, v in sorted(self.verifiers.items()))
        return (b.name, b.version, b.problems_sha, b.profile_sha, verifiers, self.score.metric)

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
        """The entry's file: a line a field, a line a problem."""
        values = self.model_dump(mode="json", by_alias=True)
        problems = values.pop("problems")
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(pair)}" for name, pair in problems.items())
        return json.dumps(values, indent=1)[:-2] + f',\n "problems": {{\n{rows}\n }}\n}}\n'
