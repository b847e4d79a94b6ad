"""Loss terms of plugins: what they are given, what they may return, and what becomes of their state."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import CapabilityError, PluginError
from harness.plugging.plugins import Plugins, load
from harness.testing import Recorded, Workbench
from tests.plugins.torch import test_torch_conformance as conformance
from tests.support.places import ROOT

sys.path.insert(0, str(ROOT / "bench"))
parity: Any = importlib.import_module("parity")

TERMS = '''
import torch
from harness.contract.hookspecs import hookimpl

NAMES = (
    "Looks", "LooksDeep", "LooksWithin", "Nothing", "Thin", "Nan", "Wordy", "Curious", "Counts", "Pull",
    "Square",
)

@hookimpl
def register_losses(register):
    for name in NAMES:
        register(name.lower(), f"{__name__}:{name}")

class Term:
    inputs = ("logprobs", "mask")
    def __init__(self, options, context): pass

class Looks(Term):
    inputs = (
        "logprobs", "old_logprobs", "ref_logprobs", "entropy", "advantages", "rewards", "scores", "mask",
        "targets", "step", "stage", "conventions",
    )
    def __call__(self, **given):
        mask = given["mask"]
        for name in self.inputs[:8]:
            assert given[name].shape == mask.shape, name
        assert given["targets"].shape == (int(mask.sum()),)
        assert given["stage"].name == "stage1"
        assert given["conventions"].std == "sample"
        assert set(given["scores"][mask].tolist()) <= {0.0, 1.0}
        numbers = {"step": given["step"], "score": given["scores"][mask].mean()}
        return 0.1 * given["logprobs"] ** 2, numbers

class LooksDeep(Term):
    inputs = ("logprobs", "ref_logprobs", "ref_logits", "targets", "mask")
    def __call__(self, logprobs, ref_logprobs, ref_logits, targets, mask):
        chosen = ref_logits.log_softmax(-1).gather(-1, targets[:, None]).squeeze(1)
        torch.testing.assert_close(chosen, ref_logprobs[mask], rtol=1e-4, atol=1e-5)
        return logprobs - ref_logprobs

class LooksWithin(Term):
    inputs = ("logprobs", "logits", "targets", "mask")
    def __call__(self, logprobs, logits, targets, mask):
        assert logits.requires_grad
        chosen = logits.log_softmax(-1).gather(-1, targets[:, None]).squeeze(1)
        torch.testing.assert_close(chosen, logprobs[mask], rtol=1e-4, atol=1e-5)
        return torch.zeros_like(logprobs).masked_scatter(mask, chosen ** 2)

class Nothing(Term):
    def __call__(self, logprobs, mask): return None

class Thin(Term):
    def __call__(self, logprobs, mask): return logprobs.sum(-1)

class Nan(Term):
    def __call__(self, logprobs, mask): return torch.log(logprobs)

class Wordy(Term):
    def __call__(self, logprobs, mask): return logprobs, {"mood": "fine"}

class Curious(Term):
    inputs = ("logprobs", "ref_logprob")
    def __call__(self, logprobs, ref_logprob): return logprobs

class Counts(Term):
    calls = 0
    def __call__(self, logprobs, mask):
        self.calls += 1
        return 0.0 * logprobs, {"calls": self.calls}
    def state_dict(self): return {"calls": self.calls}
    def load_state_dict(self, state): self.calls = state["calls"]

class Pull(Term):
    """Towards the reference, which `loss.kl` with the estimator k1 also does."""
    inputs = ("logprobs", "ref_logprobs")
    def __call__(self, logprobs, ref_logprobs): return 0.1 * (logprobs - ref_logprobs)

class Square(Term):
    def __call__(self, logprobs, mask): return 0.1 * logprobs ** 2
'''


@pytest.fixture(scope="module")
def harness_plugins(tmp_path_factory: pytest.TempPathFactory) -> Plugins:
    path = tmp_path_factory.mktemp("local") / "harness_plugin.py"
    path.write_text(TERMS)
    return load(local=path)


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    conformance.problems(tmp_path)
    return Workbench(tmp_path, harness_plugins)


@pytest.fixture(params=["torch", "trl"])
def trainer(request: pytest.FixtureRequest) -> str:
    if request.param == "trl":
        pytest.importorskip("trl", reason="needs the extra 'trl'")
    name: str = request.param
    return name


def run(
    bench: Workbench, trainer: str, *terms: str, name: str = "run", stages: int = 1,
    crash_after: int | None = None, loss: dict[str, Any] | None = None, **conventions: str,
) -> Recorded:  # fmt: skip
    stage = {
        "max_steps": 2,
        "loss": {"terms": [f"local/{term}" for term in terms], **(loss or {})},
        "optimizer": {"lr": 0.01},
    }
    values = conformance.TestTorch().recipe(
        *[stage] * stages, trainer={"name": trainer}, conventions=conventions
    )
    values["checkpoints"]["every_steps"] = 1
    return bench.run(values, name, crash_after=crash_after)


def test_a_term_has_what_it_names_and_reports_numbers(bench: Workbench, trainer: str) -> None:
    for metrics in run(bench, trainer, "looks").metrics():
        assert metrics.extra["local/looks/step"] == pytest.approx(metrics.step)
        assert 0 <= metrics.extra["local/looks/score"] <= 1


def test_a_term_may_normalise_by_the_references_whole_distribution(bench: Workbench, trainer: str) -> None:
    assert len(run(bench, trainer, "looksdeep").metrics()) == 2


def test_a_term_may_see_the_policys_whole_distribution(bench: Workbench) -> None:
    assert len(run(bench, "torch", "lookswithin").metrics()) == 2


def test_what_trl_cannot_give_is_refused_by_name(bench: Workbench) -> None:
    pytest.importorskip("trl", reason="needs the extra 'trl'")
    with pytest.raises(CapabilityError, match="cannot do the input 'logits' of the loss term"):
        run(bench, "trl", "lookswithin")


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("nothing", "returned NoneType, not a tensor"),
        ("thin", r"returned a tensor of shape \(\d+,\), the mask has \(\d+, \d+\)"),
        ("nan", r"is not finite at \d+ of \d+ tokens"),
        ("wordy", "reported mood = 'fine', not a finite number"),
    ],
)
def test_what_is_no_term_is_named_with_its_plugin(
    bench: Workbench, trainer: str, term: str, words: str
) -> None:
    with pytest.raises(PluginError, match=rf"stage 'stage1', step 1: loss term 'local/{term}' {words}"):
        run(bench, trainer, term)


def test_an_unknown_input_is_named_before_a_step(bench: Workbench, trainer: str) -> None:
    with pytest.raises(
        CapabilityError, match=r"the input 'ref_logprob' of the loss term(.|\n)*did you mean 'ref_logpr"
    ):
        run(bench, trainer, "curious")
    assert not (bench.folder / "run").exists()


def test_a_terms_state_outlives_breaks_and_stages(bench: Workbench, trainer: str) -> None:
    whole = run(bench, trainer, "counts", name="whole", stages=2).metrics()
    run(bench, trainer, "counts", name="broken", stages=2, crash_after=1)
    resumed = run(bench, trainer, "counts", name="broken", stages=2).metrics()
    calls = [metrics.extra["local/counts/calls"] for metrics in whole]
    assert calls == sorted(calls)
    assert len(set(calls)) == 4, "it counts on from stage to stage"
    assert [m.extra["local/counts/calls"] for m in resumed] == calls[1:]


@pytest.mark.parametrize("normalise", ["token", "sequence"])
def test_the_trainers_agree_on_a_term(bench: Workbench, normalise: str) -> None:
    pytest.importorskip("trl", reason="needs the extra 'trl'")
    losses: dict[str, Any] = {}
    gradients = []
    for by, loss in (
        ("torch", {}),
        ("torch", {"terms": ["local/square"]}),
        ("trl", {"terms": ["local/square"]}),
    ):
        values = parity.recipe(by, {"normalise": normalise}, {"loss": loss})
        values["stages"][0]["max_steps"] = 1
        seen = parity.Seen(Recorded(bench.folder))
        with parity.watched(by, seen):
            seen.run = bench.run(values, f"{by}-{bool(loss)}")
        losses[f"{by}-{bool(loss)}"] = seen.metrics[0].loss
        gradients.append(seen.gradients[0])
    plain, one, other = gradients
    assert parity.relative(other, one) < 1e-4
    assert parity.relative(plain, one) > 0.01
    assert losses["trl-True"] == pytest.approx(losses["torch-True"], abs=1e-5)


def test_a_term_of_the_reference_is_what_the_trainers_own_is(bench: Workbench) -> None:
    own = run(bench, "torch", name="own", loss={"kl": 0.1}, kl_estimator="k1")
    term = run(bench, "torch", "pull", name="term")
    assert [m.loss for m in term.metrics()] == pytest.approx([m.loss for m in own.metrics()], abs=1e-6)
