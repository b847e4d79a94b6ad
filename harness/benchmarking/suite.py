"""A suite: models x profiles x benchmarks, each an evaluation of its own, in one folder.

The suite's file is what is wanted, its folder what there is. Each evaluation (`Cell`) has a folder of its
own, so that any of them can fail, be resumed or be compared without the others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from harness.benchmarking.folder import Asked, EvaluationFolder, open_folder, slug
from harness.benchmarking.problems import asked_benchmarks, families
from harness.benchmarking.profile import load_profile
from harness.benchmarking.run import build_context
from harness.contract.capabilities import EngineCapabilities
from harness.contract.errors import UNPARSABLE, HarnessError, LedgerError, RecipeError, near
from harness.contract.records import digest
from harness.plugging.plugins import Plugins
from harness.recipe.errors import validated
from harness.recipe.stage import Count, Model

Amount = Annotated[float, Field(ge=0)]


class Price(Model):
    """What an engine costs, in any one currency for the whole suite."""

    input: Amount = 0.0
    """Price per million prompt tokens."""
    output: Amount = 0.0
    """Price per million completion tokens."""
    hour: Amount = 0.0
    """Price per hour in which an evaluation is under way on the engine."""


class EngineUse(Model):
    """An engine, and how many evaluations it may work on at once."""

    name: str
    """Plugin of kind `engines`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The engine's options, such as `servers`."""
    concurrency: Count = 1
    """Most evaluations under way at once on this engine."""
    price: Price | None = None
    """What it costs. If not set, its costs are not counted."""


class ModelUse(Model):
    """A model of the suite."""

    model: str
    """Folder, id of the Hub, or the name under which servers serve it."""
    name: str = ""
    """What the suite calls it. Empty takes the last part of `model`."""
    engine: str = "default"
    """Engine of the suite that it is evaluated on."""
    loader: str | None = None
    """Plugin of kind `models` that opens it. If not set, as `harness eval` chooses."""
    benchmarks: tuple[str, ...] | None = None
    """Only these benchmarks of the suite. If not set, all."""
    profiles: tuple[str, ...] | None = None
    """Only these profiles of the suite, by their labels. If not set, all."""

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.name or Path(self.model).name


class ProfileUse(Model):
    """A profile of the suite."""

    name: str
    """A profile's name, or a TOML file."""
    label: str = ""
    """What the suite calls it. Empty takes the name."""
    overrides: tuple[str, ...] = ()
    """Changes as `path=value`, such as `sampling.max_tokens=512`."""

    @property
    def called(self) -> str:
        """What tables call it."""
        return self.label or Path(self.name).name.removesuffix(".toml")


class Cap(Model):
    """When the suite stops, cleanly: what is under way is interrupted, and the next call goes on."""

    cost: Amount | None = None
    """Most money, by the engines' prices. If not set, none."""
    tokens: Count | None = None
    """Most completion tokens. If not set, none."""
    hours: Amount | None = None
    """Most hours of one call. If not set, none."""


def _profile(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Suite(Model):
    """A suite as its TOML file holds it."""

    name: str
    """Name of the suite, and of its folder."""
    benchmarks: tuple[str, ...]
    """Benchmarks: names, or files of your own, relative to the suite's file."""
    profiles: tuple[Annotated[ProfileUse, BeforeValidator(_profile)], ...] = (ProfileUse(name="r1-standard"),)
    """Profiles: names, or tables with `name`, `label` and `overrides`."""
    models: tuple[ModelUse, ...]
    """Models."""
    engines: dict[str, EngineUse] = Field(default_factory=lambda: {"default": EngineUse(name="transformers")})
    """Engines by the name that models ask for. If not set, `transformers` as `default`."""
    samples: Count | None = None
    """Samples per problem. If not set, the profile's number."""
    limit: Count | None = None
    """Only this many problems of each benchmark, from the first on. If not set, all."""
    seed: int = 0
    """Seed of the random numbers."""
    cap: Cap = Cap()
    """When the suite stops. By default it goes on to its end."""

    @model_validator(mode="after")
    def _refers(self) -> Suite:
        for what in ("benchmarks", "profiles", "models"):
            if not getattr(self, what):
                raise ValueError(f"{what}: name at least one")
        labels = [profile.called for profile in self.profiles]
        names = [model.label for model in self.models]
        for what, given in (("profiles", labels), ("models", names), ("benchmarks", list(self.benchmarks))):
            if doubled := {one for one in given if given.count(one) > 1}:
                raise ValueError(f"{what}: two are called {min(doubled)!r}")
        for model in self.models:
            for field, asked, known in (
                ("engine", (model.engine,), list(self.engines)),
                ("benchmarks", model.benchmarks or (), list(self.benchmarks)),
                ("profiles", model.profiles or (), labels),
            ):
                for one in asked:
                    if one not in known:
                        raise ValueError(
                            f"models, {model.label!r}: no {field} {one!r}; allowed: {near(one, known)}"
                        )
        if self.cap.cost is not None and all(engine.price is None for engine in self.engines.values()):
            raise ValueError("cap.cost: no engine states a price, so that no cost would ever reach it")
        return self


@dataclass(frozen=True, slots=True)
class Cell:
    """One evaluation of a suite: one model, one profile, one benchmark."""

    model: str
    profile: str
    benchmark: str
    #: The suite's name of its engine.
    engine: str
    #: The evaluation, None if it cannot be asked for.
    folder: EvaluationFolder | None
    #: Why it cannot.
    fault: str = ""

    @property
    def label(self) -> str:
        return f"{self.model}, {self.profile}, {self.benchmark}"


def read_suite(path: Path) -> Suite:
    """A suite's file.

    Raises:
        RecipeError: there is none, it is not TOML, or a field does not fit; near matches are named.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except UNPARSABLE as error:
        raise RecipeError(f"not TOML: {error}", where=str(path)) from None
    return validated(Suite, values, where=str(path))


def cells(suite: Suite, base: Path, root: Path, plugins: Plugins, blocked: tuple[str, ...]) -> Iterator[Cell]:
    """The evaluations of a suite, model by model; one that cannot be asked for says why.

    Args:
        base: folder of the suite's file, which relative paths start from.
        root: folder of the evaluations.
        blocked: plugins that are left out.
    """
    for model in suite.models:
        for profile in suite.profiles:
            for given in suite.benchmarks:
                if model.profiles is not None and profile.called not in model.profiles:
                    continue
                if model.benchmarks is not None and given not in model.benchmarks:
                    continue
                name = Path(given).name if "/" in given else given
                try:
                    asked = _asked(suite, model, profile, given, base, plugins, blocked)
                    name = next(iter(asked.benchmarks))
                    folder = root / _folder_name(model.label, profile.called, name)
                    made = _taken_up(EvaluationFolder(folder, asked))
                except HarnessError as error:
                    yield Cell(model.label, profile.called, name, model.engine, None, str(error))
                    continue
                yield Cell(model.label, profile.called, name, model.engine, made)


def _asked(
    suite: Suite, model: ModelUse, profile: ProfileUse, given: str, base: Path, plugins: Plugins,
    blocked: tuple[str, ...],
) -> Asked:  # fmt: skip
    from harness.benchmarking.asking import loader_of, named

    use = suite.engines[model.engine]
    engine = plugins.registry.find("engines", use.name, where=f"engines.{model.engine}")
    able = engine.able(EngineCapabilities)
    benchmarks = asked_benchmarks((given,), plugins, base)
    asked = Asked(
        name=slug(model.label, profile.called), model=model.model, benchmarks=benchmarks,
        families=families(benchmarks, plugins), profile={}, samples=suite.samples, limit=suite.limit,
        engine={"name": use.name, **named(model.model, use.options, engine)},
        loader=loader_of(model.model, model.loader, able.weights and not able.served),
        seed=suite.seed, base=str(base), blocked=blocked,
    )  # fmt: skip
    name = str(base / profile.name) if profile.name.endswith(".toml") else profile.name
    made = load_profile(name, plugins, build_context(asked, plugins), profile.overrides)
    return replace(asked, profile=made.model_dump(mode="json"))


def _folder_name(*words: str) -> str:
    """A folder's name; one that is too long is cut and keeps a hash, so that no two are alike."""
    whole = "-".join(words)
    return slug(*words) if len(whole) <= 72 else f"{slug(whole)[:72]}-{digest(whole)[:8]}"


def _taken_up(wanted: EvaluationFolder) -> EvaluationFolder:
    """The evaluation as its folder has it, widened if more samples are wanted now.

    Raises:
        LedgerError: the folder holds an evaluation of something else.
    """
    if not wanted.folder.exists():
        return wanted
    there = open_folder(wanted.folder)
    asked = replace(there.asked, samples=wanted.asked.samples, blocked=wanted.asked.blocked)
    if asked != wanted.asked:
        fields = [f for f in Asked.__dataclass_fields__ if getattr(asked, f) != getattr(wanted.asked, f)]
        raise LedgerError(
            f"was begun with another {', '.join(fields)}", where=str(wanted.folder),
            hint="give the suite another name, or remove this folder",
        )  # fmt: skip
    if (there.asked.samples or 0) > (wanted.asked.samples or 0):
        return there
    return wanted
