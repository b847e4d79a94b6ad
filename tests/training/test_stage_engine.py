"""`rollout.engine`: a stage that is sampled through an engine which wraps the trainer's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import CapabilityError, RecipeError
from harness.plugging.plugins import Plugins, load
from harness.testing import Recorded, Workbench
from tests.plugins.torch import test_torch_conformance as conformance

ENGINE = '''
from dataclasses import replace

from harness.contract import Cost, kind
from harness.contract.hookspecs import hookimpl
from harness.recipe import Model, Plugin, Use
from typing import Annotated

@hookimpl
def register_engines(register):
    register("twice", f"{__name__}:Twice", options=f"{__name__}:Options")

class Options(Model):
    engine: Annotated[Plugin, kind("engines")] = Use(name="trainer")
    """Who generates."""

class Twice:
    """Generates every completion twice, the second time from the first token on."""
    closed = 0

    def __init__(self, options, context):
        self.inner = context.build("engines", options.engine.name, options.engine.options)

    async def generate(self, requests):
        first = {rollout.key: rollout async for rollout in self.inner.generate(requests)}
        begun = [replace(r, prefix_ids=first[r.key].completion_ids[:1]) for r in requests]
        async for rollout in self.inner.generate(begun):
            yield replace(rollout, prefix=0, cost=Cost(tokens=first[rollout.key].tokens - 1), source="twice")

    def prompt_tokens(self, request): return self.inner.prompt_tokens(request)
    def sync_weights(self, policy): self.inner.sync_weights(policy)
    def close(self): Twice.closed += 1
'''
TWICE: dict[str, Any] = {"name": "local/twice"}


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    path = tmp_path / "local" / "harness_plugin.py"
    path.parent.mkdir()
    path.write_text(ENGINE)
    return load(local=path)


@pytest.fixture
def bench(plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    conformance.problems(tmp_path)
    return Workbench(tmp_path, plugins)


def recipe(
    engine: Any = None, trainer: str = "torch", stage: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    values = conformance.TestTorch().recipe(
        {"max_steps": 2, "optimizer": {"lr": 0.01}, **(stage or {})}, trainer={"name": trainer}, **more
    )
    if engine is not None:
        values["stages"][0]["rollout"] = {**values["stages"][0].get("rollout", {}), "engine": engine}
    return values


def rollouts(run: Recorded) -> list[dict[str, Any]]:
    return [rollout for line in run.lines("group") for rollout in line["group"]["rollouts"]]


def test_a_stage_trains_on_what_the_engine_returns_and_pays_for_all_of_it(bench: Workbench) -> None:
    plain, twice = bench.run(recipe(), "plain"), bench.run(recipe(TWICE), "twice")
    made = rollouts(twice)
    assert {rollout["source"] for rollout in made} == {"twice"}
    tokens = sum(2 * len(rollout["completion_ids"]) - 1 for rollout in made)
    assert sum(metrics.tokens for metrics in twice.metrics()) == tokens
    # A completion that is continued goes on as it would have: the same training at another price.
    assert [m.loss for m in plain.metrics()] == [m.loss for m in twice.metrics()]
    assert [m.grad_norm for m in plain.metrics()] == [m.grad_norm for m in twice.metrics()]


def test_a_broken_stage_goes_on_to_the_same_numbers(bench: Workbench) -> None:
    values = recipe(TWICE, checkpoints={"every_steps": 1})
    whole = bench.run(values, "whole")
    bench.run(values, "broken", crash_after=1)
    resumed = bench.run(values, "broken")
    assert resumed.metrics()[-1].loss == whole.metrics()[-1].loss
    assert resumed.metrics()[-1].tokens == whole.metrics()[-1].tokens


def test_the_engine_that_measures_may_wrap_the_trainers_own(bench: Workbench) -> None:
    values = recipe()
    values["engine"] = TWICE
    assert bench.run(values, "evaluated").lines("evaluation")


def test_a_trainer_that_cannot_is_refused(bench: Workbench) -> None:
    pytest.importorskip("trl", reason="needs the extra 'trl'")
    with pytest.raises(CapabilityError, match=r"cannot do rollout\.engine(.|\n)*torch"):
        bench.run(recipe(TWICE, "trl"))


def test_an_engine_with_weights_of_its_own_is_refused(bench: Workbench) -> None:
    own = {**TWICE, "engine": {"name": "transformers", "prompt": "raw"}}
    for engine in ("transformers", own):
        with pytest.raises(CapabilityError, match="samples through 'transformers', whose weights"):
            bench.run(recipe(engine))


def test_a_stage_that_samples_nothing_is_refused(bench: Workbench) -> None:
    with pytest.raises(CapabilityError, match="samples nothing"):
        bench.run(recipe(TWICE, stage={"kind": "sft"}))


def test_a_misspelt_option_is_named_with_its_field(bench: Workbench) -> None:
    with pytest.raises(RecipeError, match=r"stages\.0\.rollout\.engine(.|\n)*engin"):
        bench.run(recipe({**TWICE, "engin": "trainer"}))
