"""Every field of a stage is honoured or refused by every trainer: none is passed over in silence.

The table says which, and is complete; each row is tried. A field that is honoured changes what a run records
or the weights that it leaves, one that is refused is refused by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from harness_verl import settings
from pydantic import BaseModel

from harness.contract.errors import CapabilityError
from harness.plugging.plugins import Plugins
from harness.plugging.registry import DISTRIBUTION
from harness.recipe import Conventions, Resources, Stage, Use
from harness.testing import Recorded, Workbench
from tests.plugins.torch.test_torch_conformance import LLAMA, problems

#: `core`: by the loop and the session, whatever the trainer. `yes`: by the trainer. `void`: honoured, and
#: of no effect under this trainer, for the reason beside it. `driver`: by the driver's side of verl, which
#: the conformance suite tries.
How = Literal["core", "yes", "refused", "void", "driver"]
TRAINERS: Final = ("torch", "trl", "verl", "sim")


def alike(how: How) -> dict[str, How]:
    return dict.fromkeys(TRAINERS, how)


def sim(how: How, others: How = "yes") -> dict[str, How]:
    return alike(others) | {"sim": how}


TABLE: Final[dict[str, dict[str, How]]] = {
    "name": alike("core"),
    "kind": {"torch": "yes", "trl": "refused", "verl": "refused", "sim": "refused"},
    "select": alike("core"),
    "mixture": alike("core"),
    "curriculum": alike("core"),
    "gates": alike("core"),
    "rollout.n": alike("core"),
    "rollout.batch": alike("core"),
    "rollout.temperature": alike("yes"),
    "rollout.top_p": sim("refused"),
    "rollout.top_k": sim("refused"),
    "rollout.max_tokens": alike("yes"),
    "rollout.engine": alike("refused") | {"torch": "yes"},
    "reward": alike("core"),
    "reward_metrics": alike("core"),
    # Seen by curricula that replay, alone.
    "replay": alike("refused") | {"torch": "void", "trl": "void"},
    "shapers": alike("core"),
    "loss.kl": sim("refused"),
    "loss.entropy": sim("refused"),
    # With one update per batch, all that it can make, the importance ratio is 1.
    "loss.clip_low": sim("void"),
    "loss.clip_high": sim("void"),
    "loss.mask_truncated": alike("yes") | {"verl": "driver"},
    "loss.terms": {"torch": "yes", "trl": "yes", "verl": "refused", "sim": "refused"},
    "optimizer.epochs": sim("refused"),
    "optimizer.mini_batches": sim("refused"),
    "optimizer.lr": alike("yes"),
    "optimizer.weight_decay": sim("refused"),
    "optimizer.betas": sim("refused"),
    "optimizer.max_grad_norm": alike("yes"),
    "optimizer.warmup_steps": alike("yes") | {"verl": "driver"},
    # It has no moments to forget.
    "optimizer.reset": {"torch": "yes", "trl": "yes", "verl": "driver", "sim": "void"},
    "until.rollouts": alike("core"),
    "until.tokens": alike("core"),
    "until.steps": alike("core"),
    "max_steps": alike("core"),
    "reestimate": alike("core"),
    "reset": alike("core"),
    "repeat": alike("core"),
}

#: For each field, another value than that of `stage`.
OTHER: Final[dict[str, Any]] = {
    "name": "another",
    "kind": "sft",
    "select": "chance(0.5, seed=1)",
    "mixture": {"one": 1.0},
    "curriculum": {"name": "learnability"},
    "gates": [{"name": "mixed-outcomes", "max_refills": 50}],
    "rollout.n": 4,
    "rollout.batch": 2,
    "rollout.temperature": 0.5,
    "rollout.top_p": 0.6,
    "rollout.top_k": 1,
    "rollout.max_tokens": 2,
    "rollout.engine": {"name": "local/cooler"},
    "reward": "fraction",
    "reward_metrics": ["fraction"],
    "replay": {"keep": 2},
    "shapers": [{"name": "length-penalty"}],
    "loss.kl": 0.5,
    "loss.entropy": 0.5,
    "loss.clip_low": 0.0001,
    "loss.clip_high": 0.0001,
    "loss.mask_truncated": True,
    "loss.terms": [{"name": "local/towards-zero"}],
    "optimizer.epochs": 3,
    "optimizer.mini_batches": 2,
    "optimizer.lr": 0.005,
    "optimizer.weight_decay": 0.1,
    "optimizer.betas": [0.5, 0.6],
    "optimizer.max_grad_norm": 0.001,
    "optimizer.warmup_steps": 4,
    "optimizer.reset": True,
    "until.rollouts": 40,
    "until.tokens": 60,
    "until.steps": 1,
    "max_steps": 1,
    "reestimate": True,
    "reset": True,
    "repeat": 2,
}


def fields(model: type[BaseModel], stem: str = "") -> Iterator[str]:
    """Dotted names of all fields, those of nested tables included."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel) and nested is not Use:
            yield from fields(nested, f"{stem}{name}.")
            continue
        yield f"{stem}{name}"


def ways(how: How) -> list[tuple[str, str]]:
    return [(field, trainer) for field, row in TABLE.items() for trainer in TRAINERS if row[trainer] == how]


def test_the_table_has_every_field_and_every_trainer(harness_plugins: Plugins) -> None:
    known = list(fields(Stage))
    assert known == list(TABLE), "classify the field for each trainer, and give it another value in OTHER"
    assert set(known) == set(OTHER)
    ours = {r.name for r in harness_plugins.registry.all("trainers") if r.distribution == DISTRIBUTION}
    assert ours == set(TRAINERS)
    assert all(set(row) == ours for row in TABLE.values())


def put(stage: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    table, _, name = field.rpartition(".")
    if table:
        return stage | {table: {**stage.get(table, {}), name: value}}
    return stage | {name: value}


LOCAL: Final = """
from dataclasses import replace
from typing import Annotated

from harness.contract import kind
from harness.contract.hookspecs import hookimpl
from harness.recipe import Model, Plugin, Use

@hookimpl
def register_losses(register):
    register("towards-zero", f"{__name__}:Term")

@hookimpl
def register_engines(register):
    register("cooler", f"{__name__}:Cooler", options=f"{__name__}:Options")

class Options(Model):
    engine: Annotated[Plugin, kind("engines")] = Use(name="trainer")
    '''Who generates.'''

class Cooler:
    def __init__(self, options, context):
        self.inner = context.build("engines", options.engine.name, options.engine.options)

    async def generate(self, requests):
        cool = [replace(r, sampling=replace(r.sampling, temperature=0.3)) for r in requests]
        async for rollout in self.inner.generate(cool):
            yield replace(rollout, sampling=requests[0].sampling)

    def prompt_tokens(self, request): return self.inner.prompt_tokens(request)
    def sync_weights(self, policy): self.inner.sync_weights(policy)
    def close(self): self.inner.close()

class Term:
    inputs = ("logprobs",)

    def __init__(self, options, context):
        pass

    def __call__(self, logprobs):
        return 0.1 * logprobs ** 2
"""


@pytest.fixture(scope="module")
def harness_plugins(tmp_path_factory: pytest.TempPathFactory) -> Plugins:
    from harness.plugging.plugins import load

    path = tmp_path_factory.mktemp("local") / "harness_plugin.py"
    path.write_text(LOCAL)
    return load(local=path)


class Tried:
    """What runs leave, each run once."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self._known: dict[str, str] = {}

    def left(self, trainer: str, field: str = "") -> str:
        """By a plain run of a trainer, or one with another value of a field."""
        name = f"{trainer}-{field or 'plain'}"
        if name not in self._known:
            self._known[name] = left(self.bench.run(recipe(trainer, field), name))
        return self._known[name]


@pytest.fixture(scope="module")
def tried(harness_plugins: Plugins, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    folder = tmp_path_factory.mktemp("fields")
    problems(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        yield Tried(Workbench(folder, harness_plugins))


def recipe(trainer: str, field: str = "") -> dict[str, Any]:
    """Two stages, the second with another value of the field: what a stage inherits is tried, too."""
    simulated = trainer == "sim"
    stage: dict[str, Any] = {
        "rollout": {"n": 8, "batch": 4, "max_tokens": 60 if simulated else 6},
        "optimizer": {"lr": 1e-5} if simulated else {"lr": 0.01, "epochs": 2},
        "until": {"steps": 2},
    }
    changed = put(stage, field, OTHER[field]) if field else stage
    items = [
        {"name": "sim-irt", "count": 5, "low": -2.0, "high": 2.0, "prefix": name, "domain": name}
        for name in ("one", "two")
    ]
    words = {"name": "jsonl", "path": "train.jsonl", "verifier": "exact", "fields": {"tags": ["kind"]}}
    student = {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"}
    tiny = {"name": "tiny", "loader": {"name": "random-llama", **LLAMA}, "prompt": "raw"}
    return {
        "name": "fields",
        "model": student if simulated else tiny,
        "trainer": trainer,
        "tasks": {"train": items if simulated else [words]},
        "difficulty": {
            "estimator": {"name": "pass-rate", "samples": 2, "tasks": 4},
            "max_tokens": 60 if simulated else 6,
        },
        "checkpoints": {"every_steps": 1000, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": [{"name": "first", **stage}, {"name": "second", **changed}],
    }


def left(record: Recorded) -> str:
    """What a run leaves: groups, the numbers of its steps, labels, stages and weights."""
    kept = ("group", "labels", "stage_finished", "step")
    lines = [timeless(line) for kind in kept for line in record.lines(kind)]
    return json.dumps([lines, [policy.ref.weights_sha for _, policy in record.trained]], sort_keys=True)


def timeless(value: Any) -> Any:
    """A line of the ledger without what the clock says."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not (k.endswith("seconds") or k == "at")}
    return [timeless(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("trainer", ["torch", "trl", "sim"])
def test_a_plain_run_leaves_the_same_every_time(tried: Tried, trainer: str) -> None:
    """Without which the tests below would say nothing."""
    if trainer == "trl":
        pytest.importorskip("trl", reason="needs the extra 'trl'")
    assert left(tried.bench.run(recipe(trainer), f"{trainer}-again")) == tried.left(trainer)


@pytest.mark.parametrize("field", [field for field, trainer in ways("core") if trainer == "sim"])
def test_a_field_of_the_core_changes_any_run(tried: Tried, field: str) -> None:
    if field.startswith("reward"):
        pytest.skip("a simulation judges itself; tests/training/test_session.py tries rewards")
    assert tried.left("sim", field) != tried.left("sim")


@pytest.mark.parametrize(("field", "trainer"), [way for way in ways("yes") if way[1] != "verl"])
def test_a_field_that_is_honoured_changes_the_run(tried: Tried, field: str, trainer: str) -> None:
    if trainer == "trl":
        pytest.importorskip("trl", reason="needs the extra 'trl'")
    assert tried.left(trainer, field) != tried.left(trainer)


@pytest.mark.parametrize("field", [field for field, trainer in ways("yes") if trainer == "verl"])
def test_a_field_that_verl_honours_changes_its_settings(field: str) -> None:
    plain = {"name": "one", "rollout": {"batch": 4}}
    job = settings.Setup(Path("model"), 64, "cpu", Resources())
    changed = Stage.model_validate(put(plain, field, OTHER[field]))
    before, after = (
        settings.owned(stage, Conventions(), job) for stage in (Stage.model_validate(plain), changed)
    )
    moved = {key for key in before if before[key][0] != after[key][0]}
    assert moved
    assert any(after[key][1].endswith(field) or field.startswith("optimizer") for key in moved)


@pytest.mark.parametrize(("field", "trainer"), ways("refused"))
def test_a_field_that_is_refused_is_refused_by_name(tried: Tried, field: str, trainer: str) -> None:
    name = "kind 'sft'" if field == "kind" else field
    with pytest.raises(CapabilityError, match=f"trainer '{trainer}' cannot do .*{name}"):
        tried.left(trainer, field)


@pytest.mark.parametrize(("field", "trainer"), ways("void"))
def test_a_field_without_effect_has_none(tried: Tried, field: str, trainer: str) -> None:
    assert tried.left(trainer, field) == tried.left(trainer)
