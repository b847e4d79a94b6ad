"""The conformance suites find what is broken, as a third party would meet them: in a one-file plugin."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
from pathlib import Path
import pytest
from harness.plugging.plugins import load

@pytest.fixture(scope="session")
def harness_plugins():
    return load(local=Path(__file__).with_name("harness_plugin.py"))
"""

HEAD = """
import numpy as np
from dataclasses import replace
from harness import hookimpl
from harness.contract.records import Verdict
"""

CURRICULUM = """
from harness_curricula.uniform import Uniform

class Forgetful(Uniform):
    def state_dict(self): return {"drawn": []}

class OwnDice(Uniform):
    def next(self, k, context):
        return super().next(k, replace(context, rng=np.random))

class Short(Uniform):
    def next(self, k, context): return super().next(k, context)[1:]

class Repeats(Uniform):
    def next(self, k, context):
        subjects = context.pool.subjects
        return [context.pool.draw(subjects[context.rng.integers(len(subjects))]) for _ in range(k)]

class Impatient(Uniform):
    def finished(self, history): return "done" if sum(m.pass_rate for m in history) >= 0 else None

@hookimpl
def register_curricula(register):
    for broken in (Forgetful, OwnDice, Short, Repeats, Impatient):
        register(broken.__name__, f"harness_plugin:{broken.__name__}")
    register("Whole", "harness_plugin:Uniform")
"""

TRAINER = """
from harness_sim.options import SimTrainerOptions
from harness_sim.trainer import SimTrainer
from harness.contract.errors import HarnessError
from harness.contract.sessions import Directive

class Through:
    def __init__(self, session): self.session = session
    def __getattr__(self, name): return getattr(self.session, name)

class Deaf(SimTrainer):
    def train(self, stage, policy, session):
        class Session(Through):
            def finish_step(self, metrics):
                said = self.session.finish_step(metrics)
                return replace(said, stop=said.stop if metrics.step > 5 else None)
        return super().train(stage, policy, Session(session))

class Lazy(SimTrainer):
    def train(self, stage, policy, session):
        class Session(Through):
            def finish_step(self, metrics): return replace(self.session.finish_step(metrics), evaluate=False)
        return super().train(stage, policy, Session(session))

class Reckless(SimTrainer):
    def train(self, stage, policy, session):
        class Session(Through):
            def finish_step(self, metrics):
                said = self.session.finish_step(metrics)
                return said if said.stop else replace(said, checkpoint=False)
        return super().train(stage, policy, Session(session))

class OwnRate(SimTrainer):
    def train(self, stage, policy, session):
        optimizer = stage.optimizer.model_copy(update={"lr": 1e-3})
        return super().train(stage.model_copy(update={"optimizer": optimizer}), policy, session)

class Curt(SimTrainer):
    def train(self, stage, policy, session):
        rollout = stage.rollout.model_copy(update={"max_tokens": 9})
        return super().train(stage.model_copy(update={"rollout": rollout}), policy, session)

class Amnesiac(SimTrainer):
    def train(self, stage, policy, session):
        if session.first_step:
            from harness_sim.student import write, read
            write(replace(read(policy.files.path), ability=0.0), policy.files.path)
        return super().train(stage, policy, session)

class Boaster(SimTrainer): ...

class Sticky(SimTrainer):
    first = None
    def train(self, stage, policy, session):
        self.first = self.first or stage.optimizer
        return super().train(stage.model_copy(update={"optimizer": self.first}), policy, session)

class Silent(SimTrainer):
    def train(self, stage, policy, session):
        try:
            return super().train(stage, policy, session)
        except HarnessError:
            return policy

@hookimpl
def register_trainers(register):
    for trainer in (Deaf, Lazy, Reckless, OwnRate, Curt, Amnesiac, Boaster, Sticky, Silent, SimTrainer):
        options = "harness_sim.options:SimTrainerOptions"
        able = {
            "simulated": True, "kinds": ["rl"], "losses": ["mask_truncated"], "dynamic_sampling": True,
            "in_stage_evaluation": True, "resume": True, "engine": True,
            "transformers_checkpoint": False,
        }
        if trainer is Boaster:
            able["kinds"] = ["rl", "sft"]
        name = "Whole" if trainer is SimTrainer else trainer.__name__
        register(name, f"harness_plugin:{trainer.__name__}", options=options, capabilities=able)
"""

VERIFIER = """
from harness_exact.exact import Exact, ExactOptions

class Lenient(Exact):
    def verify(self, task, rollout):
        right = str(task.answer) in rollout.text
        return super().verify(task, replace(rollout, text=str(task.answer)) if right else rollout)

class Fragile(Exact):
    def verify(self, task, rollout):
        rollout.text[0]
        return super().verify(task, rollout)

class Moody(Exact):
    turn = 0
    def verify(self, task, rollout):
        self.turn += 1
        return replace(super().verify(task, rollout), reason=str(self.turn))

class Blaming(Exact):
    def verify(self, task, rollout):
        verdict = super().verify(task, rollout)
        return verdict if verdict.status == "pass" else replace(verdict, status="infra_error", score=None)

class Generous(Exact):
    def verify(self, task, rollout): return super().verify(task, replace(rollout, finish="stop"))

class Nameless(Exact):
    def verify(self, task, rollout): return replace(super().verify(task, rollout), verifier_hash="")

@hookimpl
def register_verifiers(register):
    for broken in (Lenient, Fragile, Moody, Blaming, Generous, Nameless):
        options = "harness_exact.exact:ExactOptions"
        able = {"bounded": True}
        register(broken.__name__, f"harness_plugin:{broken.__name__}", options=options, capabilities=able)
    register("exact", "harness_plugin:Exact", options=options, capabilities=able)
"""

SUITES = {
    CURRICULUM: """
from harness.testing import CurriculumConformance
class Test{name}(CurriculumConformance):
    name = "local/{registered}"
""",
    TRAINER: """
from harness.testing import TrainerConformance
class Test{name}(TrainerConformance):
    trainer = {"name": "local/{registered}"}
    model = {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"}
    tasks = [
        {"name": "sim-irt", "count": 5, "low": -2.0, "high": 2.0, "prefix": domain, "domain": domain}
        for domain in ("one", "two")
    ]
    mixture = ("one", "two")
    heldout = [{"name": "sim-irt", "count": 3, "low": -2.0, "high": 2.0, "split": "heldout"}]
    max_tokens = 256
""",
    VERIFIER: """
from harness.contract.records import Message, Task
from harness.testing import VerifierCase, VerifierConformance
class Test{name}(VerifierConformance):
    name = "local/{registered}"
    cases = [VerifierCase(Task(id="t", prompt=(Message("user", "6*7="),), verifier="exact", answer="42"),
                          right=["42"], wrong=["24", "42 or 43"])]
""",
}

#: Which test must find which fault.
FINDINGS = {
    CURRICULUM: {
        "Forgetful": "test_a_restored_state_goes_on_as_if_unbroken",
        "OwnDice": "test_all_randomness_comes_from_the_context",
        "Short": "test_an_endless_pool_gives_as_many_tasks_as_asked",
        "Repeats": "test_a_finite_pool_gives_no_task_twice_in_a_step",
        "Impatient": "test_it_does_not_end_a_stage_that_has_not_begun",
    },
    TRAINER: {
        "Deaf": "test_directives_are_obeyed_in_order_and_stop_at_once",
        "Lazy": "test_directives_are_obeyed_in_order_and_stop_at_once",
        "Reckless": "test_directives_are_obeyed_in_order_and_stop_at_once",
        "OwnRate": "test_the_learning_rate_is_the_stages_own",
        "Curt": "test_each_stage_samples_as_it_says",
        "Amnesiac": "test_a_broken_stage_goes_on_to_the_same_numbers",
        "Boaster": "test_stage_kinds_are_as_declared",
        "Sticky": "test_the_learning_rate_changes_from_stage_to_stage_and_warms_up",
        "Silent": "test_a_failing_session_ends_the_run_under_its_own_name",
    },
    VERIFIER: {
        "Lenient": "test_perturbed_gold_does_not_pass",
        "Fragile": "test_hostile_completions_are_judged_in_bounded_time",
        "Moody": "test_verdicts_are_pure",
        "Blaming": "test_perturbed_gold_does_not_pass",
        "Generous": "test_a_cut_completion_does_not_pass_by_accident",
        "Nameless": "test_verdicts_say_who_judged",
    },
}


@pytest.mark.parametrize("plugin", FINDINGS, ids=["curriculum", "trainer", "verifier"])
def test_the_suite_finds_each_fault_and_passes_what_is_whole(pytester: pytest.Pytester, plugin: str) -> None:
    findings = FINDINGS[plugin]
    names = {name: name for name in findings} | {"Whole": "exact" if plugin is VERIFIER else "Whole"}
    suites = [SUITES[plugin].replace("{name}", name).replace("{registered}", names[name]) for name in names]
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(harness_plugin=HEAD + plugin, test_suites="\n".join(suites))
    wanted = " or ".join(["TestWhole", *(f"(Test{name} and {test})" for name, test in findings.items())])
    result = pytester.runpytest_subprocess(
        "-q", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", wanted
    )
    failed = [line.split()[1] for line in result.outlines if line.startswith("FAILED")]
    for name, test in findings.items():
        assert any(f"::Test{name}::{test}" in line for line in failed), f"nothing found {name}: {failed}"
    assert not [line for line in failed if "TestWhole" in line]
    assert "errors" not in result.parseoutcomes()
