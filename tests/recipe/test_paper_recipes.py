"""The paper's recipes: its levels as rules, its stages as verl will get them, the page's estimates."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.contract.records import Difficulty, PolicyRef
from harness.planning.costs import read_rates, stage_cost, told
from harness.plugging.plugins import load
from harness.recipe import Recipe, load_recipe
from harness.recipe.check import faults
from harness.recipe.rules import Rule, Subject
from tests.support.hub import data_set, serving
from tests.support.places import ROOT
from tests.support.runs import harness

PAPER = ROOT / "recipes" / "paper"
PAGE = ROOT / "docs" / "how-to" / "paper-recipes.md"
RECIPES = sorted(p.stem for p in PAPER.glob("*.toml"))


def recipe(name: str) -> Recipe:
    return load_recipe(PAPER / f"{name}.toml").recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_field_plugin_and_option_fits(name: str) -> None:
    assert faults(load_recipe(PAPER / f"{name}.toml"), load().registry) == []


def labels(**passes: int) -> dict[str, dict[str, Difficulty]]:
    """Of 8 samples, by model: `r1`, `m1` for 1.5b, `m7` and `m32`."""
    names = {"m1": "1.5b", "m7": "7b", "m32": "32b", "r1": "r1"}
    policy = PolicyRef(weights_sha="x")
    return {
        names[key]: {"s": Difficulty(subject="s", model=names[key], policy=policy, samples=8, passes=n)}
        for key, n in passes.items()
    }


@pytest.mark.parametrize(
    ("passes", "levels"),
    [
        ({"m1": 4, "m7": 8, "m32": 8}, {"level-1"}),
        ({"m1": 4, "m7": 4, "m32": 8}, {"level-1", "level-2"}),
        ({"m1": 0, "m7": 8, "m32": 8}, {"level-2"}),
        ({"m1": 0, "m7": 4, "m32": 8}, {"level-2"}),
        ({"m1": 0, "m7": 0, "m32": 0}, {"level-3"}),
        ({"m1": 0, "m7": 3, "m32": 0}, {"level-2", "level-3"}),
        ({"m1": 8, "m7": 8, "m32": 8}, set()),
    ],
)
def test_levels_are_those_of_the_paper(passes: dict[str, int], levels: set[str]) -> None:
    rules = {name: Rule(text) for name, text in recipe("two-stage").difficulty.tags.items()}
    matching = {name for name, rule in rules.items() if rule.matches(Subject("s"), labels(r1=8, **passes))}
    if passes["m32"]:
        matching.discard("level-3")  # a coin decides
    assert matching == levels


def test_half_of_what_the_32b_solves_is_level_3_for_math_and_a_tenth_for_code() -> None:
    solved = labels(m1=8, m7=8, m32=8, r1=8)["32b"]["s"]
    many = [f"s{i}" for i in range(4000)]
    known = {"32b": dict.fromkeys(many, solved)}
    math = Rule(recipe("two-stage").difficulty.tags["level-3"])
    code = Rule(recipe("math-code").difficulty.tags["code-level-3"])
    assert sum(math.matches(Subject(s), known) for s in many) / 4000 == pytest.approx(0.5, abs=0.03)
    assert sum(code.matches(Subject(s, domain="code"), known) for s in many) / 4000 == pytest.approx(
        0.1, abs=0.02
    )
    assert not any(code.matches(Subject(s, domain="math"), known) for s in many)


def test_what_r1_never_solves_is_dropped() -> None:
    rule = Rule(recipe("two-stage").difficulty.discard)
    assert rule.matches(Subject("s"), labels(r1=0))
    assert not rule.matches(Subject("s"), labels(r1=1))


def test_math_and_code_are_mixed_about_two_to_one() -> None:
    (stage,) = recipe("math-code").stages
    assert stage.mixture["math"] / stage.mixture["code"] == pytest.approx(2.1, abs=0.05)
    assert stage.reward.name == "fraction"


def test_the_two_by_two_differs_in_levels_and_lengths_alone() -> None:
    def factors(name: str) -> tuple[tuple[str, int], ...]:
        (arm,) = [r for a, r in load_recipe(PAPER / "staging-by-length.toml").arms() if a.name == name]
        return tuple((stage.select, stage.rollout.max_tokens) for stage in arm.stages)

    both = 'tag("level-2") or tag("level-3")'
    assert factors("neither") == ((both, 24576), (both, 24576))
    assert factors("length") == ((both, 16384), (both, 24576))
    assert factors("difficulty") == (('tag("level-2")', 24576), ('tag("level-3")', 24576))
    assert factors("both") == (('tag("level-2")', 16384), ('tag("level-3")', 24576))
    rest = {
        json.dumps(
            [s.model_copy(update={"select": "", "rollout": None}).model_dump(mode="json") for s in r.stages]
        )
        for _, r in load_recipe(PAPER / "staging-by-length.toml").arms()
    }
    assert len(rest) == 1


def test_the_page_shows_what_the_rates_give() -> None:
    text = PAGE.read_text()
    shown = re.findall(r"\$ harness plan recipes/paper/(\S+)\.toml --rates docs/rates/(\S+)\.toml\n", text)
    assert len(shown) == 3
    for name, rates in shown:
        stated = read_rates(PAGE.parents[1] / "rates" / f"{rates}.toml")
        costs = {stage.name: stage_cost(stage, stated) for stage in recipe(name).stages}
        block = "".join(f"    {line.strip()}\n" for line in told(costs, stated))
        assert block in text, f"write anew:\n{block}"


def row(i: int) -> dict[str, Any]:
    ability = "code" if i % 3 == 0 else "math"
    truth = json.dumps({"inputs": ["1"], "outputs": ["1"]}) if ability == "code" else str(i)
    return {
        "data_source": "numina", "prompt": [{"role": "user", "content": f"Problem {i}?"}],
        "ability": ability, "reward_model": {"style": "rule", "ground_truth": truth},
    }  # fmt: skip


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "nodes"), [("two-stage", 1), ("math-code", 4), ("staging-by-length", 1)])
def test_verls_own_validator_accepts_every_stage(
    name: str, nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Composed in verl's own environment; no model is opened."""
    pytest.importorskip("datasets")
    from tests.support.heavy import environment_python

    python = environment_python("verl-cpu")
    shutil.copytree(PAPER, tmp_path / "paper")
    (tmp_path / "paper" / "labels").mkdir()
    for model in ("1.5b", "7b", "32b", "r1"):
        lines = (json.dumps({"id": f"eurus/{i + 1}", "passes": 1 + i % 2, "samples": 4}) for i in range(12))
        (tmp_path / "paper" / "labels" / f"{model}.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    repositories = {
        "PRIME-RL/Eurus-2-RL-Data": data_set("train", [row(i) for i in range(12)], commit="c" * 40)
    }
    with serving(repositories) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        arm = ("--arm", "both") if name == "staging-by-length" else ()
        settings = (f"resources.nodes={nodes}", f"resources.python='{python}'", "evaluation.heldout=[]")
        done = harness(
            "plan", str(tmp_path / "paper" / f"{name}.toml"), "--dry-run",
            "--write", str(tmp_path / "composed"), *arm,
            *(part for setting in settings for part in ("--set", setting)), cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        values = tomllib.loads((PAPER / f"{name}.toml").read_text())
        for stage in values["stages"]:
            (written, *_) = (tmp_path / "composed").glob(f"*-{stage['name']}.json")
            composed = json.loads(written.read_text())
            assert composed["trainer"]["nnodes"] == nodes
            assert composed["trainer"]["n_gpus_per_node"] == 8
            rollout = composed["actor_rollout_ref"]["rollout"]
            assert (rollout["n"], rollout["temperature"]) == (16, 1.0)
            assert rollout["max_model_len"] == 34816
            assert composed["actor_rollout_ref"]["actor"]["use_dynamic_bsz"]
