"""First-party plugins that need an extra conform too; skipped, with the reason, where it is absent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.contract.records import AnswerSpec, Message, Task
from harness.plugging.plugins import Plugins
from harness.testing import TaskSourceConformance, VerifierCase, VerifierConformance
from harness.testing.workbench import context


@pytest.fixture(autouse=True)
def extra(request: pytest.FixtureRequest, harness_plugins: Plugins) -> None:
    """Skip where the plugin's extra is not installed."""
    kind = "verifiers" if issubclass(request.cls, VerifierConformance) else "task_sources"
    missing = harness_plugins.registry.find(kind, request.cls.name).missing()
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def question(text: str, answer: object, **spec: object) -> Task:
    return Task(
        id=text, prompt=(Message("user", text),), verifier="math", answer=answer,
        answer_spec=AnswerSpec(**spec),  # type: ignore[arg-type]
    )  # fmt: skip


class TestMath(VerifierConformance):
    name = "math"
    truncated_may_pass = True
    cases = [
        VerifierCase(
            question("1/2 + 1/4", r"\frac{3}{4}", type="expression"),
            right=[r"It is \boxed{\frac{3}{4}}.", r"\boxed{0.75}", r"\boxed{3/4}"],
            wrong=[
                r"\boxed{\frac{4}{3}}",
                r"\boxed{0.7}",
                r"\boxed{}",
                r"\boxed{3/4}, no: \boxed{3}",
                "three",
            ],
        ),
        VerifierCase(
            question("6 * 7", "42", type="integer"),
            right=[r"\boxed{42}", r"so \boxed{41}? No: \boxed{42}"],
            wrong=[r"\boxed{-42}", r"\boxed{24}", r"\boxed{42.5}", r"\boxed{420}"],
        ),
    ]


class TestReasoningGymSource(TaskSourceConformance):
    name = "reasoning-gym"
    options = {"dataset": "chain_sum", "levels": "2-4"}
    heldout = {"dataset": "chain_sum", "levels": "2-4", "split": "heldout"}


class TestReasoningGymVerifier(VerifierConformance):
    name = "reasoning-gym"
    partial_credit = True
    bound = 5.0
    truncated_may_pass = True

    @property
    def cases(self) -> Sequence[VerifierCase]:  # type: ignore[override]
        from harness.plugging.plugins import load

        made = context(load(), Path())
        options = {"dataset": "chain_sum", "levels": "1-2"}
        source = made.build("task_sources", "reasoning-gym", options)
        tasks = [source.draw(subject, 0) for subject in source.subjects()]
        return [
            VerifierCase(
                task,
                right=[f"<answer>{task.answer}</answer>", f"I think <answer> {task.answer} </answer>"],
                wrong=["<answer></answer>", f"<answer>1{task.answer}</answer>", "<answer>x</answer>", "hm"],
            )
            for task in tasks
        ]
