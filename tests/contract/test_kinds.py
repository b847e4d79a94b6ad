"""The table of kinds: every row resolves, objects are held against it, optional members have defaults."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import harness.testing
from harness.cli import main
from harness.contract.capabilities import Capabilities
from harness.contract.errors import HarnessError, PluginError
from harness.contract.kinds import KINDS, Kind, kind
from harness.contract.members import member, mistakes
from harness.contract.samples import Group
from harness.planning.plan import make_plans
from harness.planning.preview import preview
from harness.plugging.plugins import LOCAL_FILE, Plugins, load
from harness.recipe import load_recipe
from harness.recording.ledger import read
from harness.running.loop import run
from tests.support.recipes import SIM, TORCH, write


@pytest.mark.parametrize("row", KINDS.values(), ids=list(KINDS))
def test_what_a_row_names_is_there(row: Kind) -> None:
    assert isinstance(row.protocol_class(), type)
    assert issubclass(row.capabilities_model(), Capabilities)
    assert (row.optional_class() is None) == (not row.optional)
    assert row.suite in harness.testing.__all__
    assert row.summary.startswith("Offer ")


def test_every_capability_and_optional_member_says_what_it_means() -> None:
    for row in KINDS.values():
        for name, field in row.capabilities_model().model_fields.items():
            assert field.description, f"{row.name}: {name}"


def test_every_suite_belongs_to_a_kind() -> None:
    suites = {name for name in harness.testing.__all__ if name.endswith("Conformance")}
    assert suites == {row.suite for row in KINDS.values() if row.suite}


def test_first_party_capabilities_are_those_of_their_kinds(harness_plugins: Plugins) -> None:
    """Loading checks those of others only, so that `harness --help` stays fast."""
    for registration in harness_plugins.registry.all():
        registration.check_capabilities()


def test_a_kind_that_there_is_not_names_near_matches() -> None:
    with pytest.raises(PluginError, match="did you mean 'sandboxes'"):
        kind("sandbox")


class Plain:
    """A gate without any optional member."""

    def keep(self, group: Group) -> bool:
        return True


class Rich(Plain):
    max_refills = 3

    def state_dict(self) -> dict[str, Any]:
        return {"seen": 1}

    def load_state_dict(self, state: Any) -> None: ...


def test_an_optional_member_is_the_objects_own_or_the_default() -> None:
    assert member("gates", Plain(), "max_refills") == 8
    assert member("gates", Rich(), "max_refills") == 3
    assert (member("gates", Plain(), "state_dict")(), member("gates", Rich(), "state_dict")()) == (
        {},
        {"seen": 1},
    )
    assert member("verifiers", object(), "hash") == ""
    assert member("task_sources", object(), "fingerprint")() is None


def test_a_member_that_no_kind_declares_is_not_read() -> None:
    with pytest.raises(PluginError, match=r"gates have no optional member 'max_refil'.*\n.*'max_refills'"):
        member("gates", Rich(), "max_refil")


class Curriculum:
    def next(self, k: int, context: Any) -> Sequence[Any]:
        return []

    def observe(self, group: Group) -> None: ...

    def finished(self, history: Any) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...


class Observed(Curriculum):
    observe = None  # type: ignore[assignment]

    def observed(self, group: Group) -> None: ...


class Misspelt:
    next, finished = Curriculum.next, Curriculum.finished
    state_dict, load_state_dict = Curriculum.state_dict, Curriculum.load_state_dict

    def observed(self, group: Group) -> None: ...


class Greedy(Curriculum):
    def next(self, k: int) -> Sequence[Any]:  # type: ignore[override]
        return []


class Forgetful(Plain):
    def state_dict(self) -> dict[str, Any]:
        return {}


class Grows:
    """Gets its method when it is built."""

    def __init__(self) -> None:
        self.keep = lambda group: True


TOGETHER = ": state is saved and restored, or not at all"


def term(**inputs: Any) -> Any:
    return None


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize(
    ("of_kind", "cls", "said"),
    [
        ("curricula", Curriculum, []),
        ("curricula", Misspelt, ["lacks 'observe'; it has 'observed': misspelt?"]),
        ("curricula", Observed, ["'observe' is None, and not a method"]),
        ("curricula", Greedy, ["'next' cannot be called as next(k, context): too many positional arguments"]),
        ("gates", Plain, []),
        ("gates", Grows, []),
        ("gates", Forgetful, ["has 'state_dict' and no 'load_state_dict'" + TOGETHER]),
        ("gates", Curriculum, ["lacks 'keep'"]),
        ("metrics", Plain, ["lacks '__call__'"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_of_an_object_and_of_its_class(
    of_kind: str, cls: type[Any], said: list[str], built: bool
) -> None:
    assert list(mistakes(KINDS[of_kind], cls() if built else cls)) == said


def test_a_function_can_be_what_is_called_but_has_no_attributes() -> None:
    assert list(mistakes(KINDS["rewards"], lambda verdict: 1.0)) == []
    assert "cannot be called as __call__(verdict)" in next(iter(mistakes(KINDS["rewards"], lambda: 1.0)))
    assert list(mistakes(KINDS["losses"], term)) == ["lacks 'inputs'"]


# What doctor and plan make of it ------------------------------------------------------------------

HEADER = "from pydantic import BaseModel\nfrom harness import hookimpl\n"
MISSPELT = """
from harness_curricula.uniform import Uniform

class Mine:
    def __init__(self, options, context):
        kept = Uniform(None, context)
        self.next, self.finished = kept.next, kept.finished
        self.state_dict, self.load_state_dict = kept.state_dict, kept.load_state_dict

    def observed(self, group):
        pass

@hookimpl
def register_curricula(register):
    register("mine", "harness_plugin:Mine")
"""
RAISES = """
def mine(options, context):
    raise LookupError("no table")

@hookimpl
def register_shapers(register):
    register("mine", "harness_plugin:mine")
"""
TERM = """
class Term:
    inputs = ["logprob", "mask"]
    def __init__(self, options, context): pass
    def __call__(self, **inputs): return inputs["mask"]

@hookimpl
def register_losses(register):
    register("mine", "harness_plugin:Term")
"""
ROUTER = """
from typing import Annotated
from harness.contract.kinds import kind
from harness.recipe.stage import Plugin

class Path(BaseModel):
    engine: Annotated[Plugin, kind("engines")]

class Options(BaseModel):
    paths: tuple[Path, ...]

class Router:
    def __init__(self, options, context): pass
    async def generate(self, requests): yield None
    def prompt_tokens(self, request): return 1
    def sync_weights(self, policy): pass
    def close(self): pass

@hookimpl
def register_engines(register):
    register("router", "harness_plugin:Router", options="harness_plugin:Options")
"""


def planned(folder: Path, recipe: str, source: str, *overrides: str) -> str:
    path = write(folder, recipe)
    (path.parent / LOCAL_FILE).write_text(HEADER + textwrap.dedent(source))
    try:
        plans = make_plans(load_recipe(path, overrides), load(local=path.parent / LOCAL_FILE))
    except HarnessError as error:
        return str(error)
    return "\n".join(preview(plans))


def test_plan_names_a_misspelt_member_with_kind_name_and_distribution(tmp_path: Path) -> None:
    said = planned(tmp_path, SIM, MISSPELT, "stages.0.curriculum=local/mine")
    assert "stages 's', curriculum: curricula 'local/mine' (plugin 'harness_plugin' of local " in said
    assert "lacks 'observe'; it has 'observed': misspelt?" in said


def test_plan_names_a_factory_that_raises(tmp_path: Path) -> None:
    said = planned(tmp_path, SIM, RAISES, 'stages.0.shapers=["local/mine"]')
    assert "shapers 'local/mine'" in said
    assert "cannot be built: LookupError: no table" in said


def test_plan_names_an_input_that_the_trainer_does_not_give_to_loss_terms(tmp_path: Path) -> None:
    said = planned(tmp_path, TORCH, TERM, 'stages.0.loss.terms=["local/mine"]')
    assert "trainer 'torch' cannot do the input 'logprob' of the loss term 'local/mine'" in said
    assert "did you mean 'logprobs'" in said


def test_plan_refuses_a_router_over_an_engine_that_keeps_its_own_weights(tmp_path: Path) -> None:
    engine = (
        'engine={name = "local/router", paths = [{engine = {name = "openai", servers = ["http://a/v1"]}}]}'
    )
    said = planned(tmp_path, TORCH, ROUTER, engine)
    assert "engine.paths.0.engine: engine 'openai' cannot take a trained policy's weights" in said
    misspelt = planned(tmp_path, TORCH, ROUTER, engine.replace("openai", "opneai"))
    assert "engine.paths.0.engine: nothing of kind 'engines' is named 'opneai'" in misspelt


@pytest.mark.parametrize(
    ("recipe", "override", "said"),
    [
        (SIM, "stages.0.rollout.top_p=0.9", "stages 's', rollout.top_p: trainer 'sim' cannot do"),
        (SIM, "stages.0.rollout.top_k=5", "trainer 'sim' cannot do rollout.top_k"),
        (SIM, "model.loader=folder", "trainer 'sim' is a simulation, 'folder' is none"),
        (TORCH, 'tasks.train=["sim-irt"]', "trainer 'torch' is no simulation, 'sim-irt' is one"),
        (TORCH, "engine=echo", "engine 'echo' cannot take a trained policy's weights"),
    ],
)  # fmt: skip
def test_plan_refuses_what_a_run_would_refuse(tmp_path: Path, recipe: str, override: str, said: str) -> None:
    assert said in planned(tmp_path, recipe, "@hookimpl\ndef register_gates(register): pass", override)


def test_plan_names_reward_shapers_gates_and_coefficients(tmp_path: Path) -> None:
    fine = TERM.replace('"logprob"', '"logprobs"')
    told = planned(
        tmp_path, TORCH, fine, 'stages.0.loss={kl = 0.05, entropy = 0.01, terms = ["local/mine"]}',
        'stages.0.shapers=["length-penalty"]', 'stages.0.gates=["mixed-outcomes"]',
    )  # fmt: skip
    assert (
        "reward all_pass, shaper length-penalty, gate mixed-outcomes, clip 0.8 to 1.2, kl 0.05 (k3), "
        "entropy 0.01, loss term local/mine"
    ) in told


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (MISSPELT, "curricula 'local/mine' (plugin 'harness_plugin' of local"),
        (MISSPELT, "lacks 'observe'; it has 'observed': misspelt?"),
        (RAISES, "LookupError: no table"),
        (ROUTER.replace("def close", "def closed"), "lacks 'close'; it has 'closed': misspelt?"),
    ],
)  # fmt: skip
def test_doctor_builds_what_opens_nothing_and_looks_at_the_classes_of_the_rest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    said: str,
) -> None:
    monkeypatch.setenv("HARNESS_PLUGINS", "local/harness_plugin")
    path = write(tmp_path, SIM)
    (path.parent / LOCAL_FILE).write_text(HEADER + source)
    assert main(["plugins", "doctor", "--recipe", str(path)]) == 1
    assert said in capsys.readouterr().out


LABELLED = """
class Mine:
    def __init__(self, options, context): pass
    def keep(self, group): return True
    def rewards(self, group, label): return list(group.rewards)
    def advantages(self, group, label):
        assert label is not None and label.samples
        return list(group.advantages)

@hookimpl
def register_{kind}(register):
    register("mine", "harness_plugin:Mine", capabilities={able})
"""


@pytest.mark.parametrize(("of_kind", "needs"), [("shapers", True), ("gates", True), ("gates", False)])
def test_the_policy_is_measured_for_a_shaper_or_gate_that_needs_labels(
    tmp_path: Path, of_kind: str, needs: bool
) -> None:
    path = write(tmp_path, SIM)
    source = LABELLED.replace("{kind}", of_kind).replace("{able}", str({"needs_labels": needs}))
    (path.parent / LOCAL_FILE).write_text(HEADER + source)
    plain = (
        'stages.0.select=""',
        "stages.0.reestimate=false",
        "stages.0.curriculum=uniform",
        "stages.0.gates=[]",
        "stages.0.repeat=1",
        "stages.0.max_steps=1",
        f'stages.0.{of_kind}=["local/mine"]',
    )
    (plan,) = make_plans(load_recipe(path, plain), load(local=path.parent / LOCAL_FILE))
    run(plan, tmp_path / "run")
    kinds = [line["t"] for line in read(tmp_path / "run" / "ledger.jsonl")]
    assert ("labels" in kinds) == needs
    assert "stage_finished" in kinds


@pytest.mark.parametrize(("model", "needs"), [("policy", True), ("reference", False)])
def test_the_policy_is_measured_for_an_option_that_asks_for_its_labels(
    tmp_path: Path, model: str, needs: bool
) -> None:
    path = write(tmp_path, SIM)
    (path.parent / "rates.jsonl").write_text('{"id": "1", "pass_rate": 0.5}')
    plain = (
        'stages.0.select=""',
        "stages.0.reestimate=false",
        f'stages.0.curriculum={{name = "adarft", model = "{model}"}}',
        'difficulty.labels.reference={path = "rates.jsonl"}',
        "stages.0.repeat=1",
        "stages.0.max_steps=1",
    )
    (plan,) = make_plans(load_recipe(path, plain), load())
    assert plan.needs_labels(plan.recipe.stages[0]) == needs
