"""Curriculum `pcl`: prompts that are predicted near one half, learned from training, without rollouts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness_adaptive.options import PclOptions
from harness_adaptive.pcl import Pcl
from scipy.special import expit

from harness.contract import Task
from harness.testing import MemoryPool, group_of, run_killed, run_recipe
from tests.support.curricula import context, tasks_of
from tests.support.prompts import sums
from tests.support.recipes import SIM, write

TERMS = 20


def rate(task: Task) -> float:
    """How often a task is solved: at 10 terms half of the time."""
    return float(expit(0.6 * (10 - terms(task))))


def terms(task: Task) -> int:
    return task.prompt[0].content.count("+") + 1


class Sums(MemoryPool):
    """Strata or tasks that are sums of 1 to 20 terms, in turn; their names do not say of how many."""

    def draw(self, subject: str) -> Task:
        task = super().draw(subject)
        rng = np.random.default_rng([int(subject[1:]), *task.id.encode()])
        return replace(task, prompt=tuple(sums(rng, 1 + int(subject[1:]) % TERMS)))


def pool(count: int = 400, *, endless: bool = False) -> Sums:
    return Sums(dict.fromkeys([f"s{i}" for i in range(count)], 0.5), endless=endless)


def trained(curriculum: Pcl, pool: Sums, first: int, last: int, k: int = 16) -> list[list[Task]]:
    """The tasks of some steps, with outcomes by their rates."""
    steps = []
    for step in range(first, last):
        tasks = tasks_of(curriculum.next(k, context(pool, step)))
        steps.append(tasks)
        rng = np.random.default_rng(step)
        for task in tasks:
            curriculum.observe(
                replace(group_of(task.subject, int(rng.binomial(8, rate(task)))), task=task.id)
            )
    return steps


def distance(steps: Sequence[Sequence[Task]]) -> float:
    """How far the tasks' rates are from one half, in the mean."""
    return float(np.mean([abs(rate(task) - 0.5) for tasks in steps for task in tasks]))


def test_it_comes_to_prompts_that_are_solved_half_of_the_time() -> None:
    for endless in (False, True):
        steps = trained(Pcl(PclOptions()), pool(endless=endless), 1, 31)
        first, last = distance(steps[:1]), distance(steps[-10:])
        assert first > 0.3, "nothing is known at first: as in the pool"
        assert last < 0.2


def test_a_target_is_an_option() -> None:
    steps = trained(Pcl(PclOptions(target=0.9)), pool(), 1, 31)
    assert np.mean([rate(task) for tasks in steps[-10:] for task in tasks]) > 0.75


def test_one_candidate_per_task_is_a_uniform_draw() -> None:
    steps = trained(Pcl(PclOptions(candidates=1)), pool(), 1, 31)
    assert distance(steps[-10:]) > 0.3


def test_it_follows_a_policy_that_moves() -> None:
    """After the policy has changed, longer sums are the ones that it solves half of the time."""
    curriculum, mine = Pcl(PclOptions(memory=0.7)), pool()
    trained(curriculum, mine, 1, 16)
    for step in range(16, 46):
        tasks = tasks_of(curriculum.next(16, context(mine, step)))
        rng = np.random.default_rng(step)
        for task in tasks:
            passes = int(rng.binomial(8, expit(0.6 * (16 - terms(task)))))
            curriculum.observe(replace(group_of(task.subject, passes), task=task.id))
    assert np.mean([terms(task) for task in tasks]) > 13


def test_candidates_that_were_not_taken_may_come_in_a_refill() -> None:
    curriculum, mine = Pcl(PclOptions()), pool(8)
    first = tasks_of(curriculum.next(2, context(mine, 1)))
    again = tasks_of(curriculum.next(6, context(mine, 1, draw=2)))
    assert sorted(task.id for task in first + again) == sorted(mine.subjects), "each once"
    assert not curriculum.next(2, context(mine, 1, draw=3))


def test_groups_of_tasks_that_it_did_not_hand_out_teach_nothing() -> None:
    curriculum, mine = Pcl(PclOptions()), pool()
    (task,) = tasks_of(curriculum.next(1, context(mine, 1)))
    curriculum.observe(group_of("elsewhere", 8))
    curriculum.observe(replace(group_of(task.subject, 0, lost=8), task=task.id))
    assert curriculum.state_dict() == Pcl(PclOptions()).state_dict()


def test_a_step_is_learned_as_one_batch_wherever_the_state_was_saved() -> None:
    whole = trained(Pcl(PclOptions()), pool(), 1, 9)
    curriculum, mine = Pcl(PclOptions()), pool()
    steps = trained(curriculum, mine, 1, 5)
    again = Pcl(PclOptions())
    again.load_state_dict(json.loads(json.dumps(curriculum.state_dict())))
    steps += trained(again, mine, 5, 9)
    assert [[task.id for task in tasks] for tasks in steps] == [
        [task.id for task in tasks] for tasks in whole
    ]


def test_a_killed_run_that_measures_and_chooses_by_it_ends_with_the_same_numbers(tmp_path: Path) -> None:
    recipe = write(
        tmp_path,
        SIM.replace('estimator = { name = "pass-rate", samples = 2, tasks = 8 }', 'estimator = "pcl"')
        .replace('curriculum = "staged"', 'curriculum = "pcl"')
        .replace('select = "0.05 <= p <= 0.95"', "select = \"extra('rate_sd') <= 1\""),
    )
    short = ("--set", "budget.rollouts=2000")
    whole = run_recipe(recipe, *short, folder=tmp_path / "whole")
    killed = run_killed(recipe, *short, folder=tmp_path / "killed", once=lambda line: line["t"] == "step")
    assert killed.numbers() == whole.numbers()
    labels = whole.lines("labels")
    assert all(label["predicted"] is not None for line in labels for label in line["labels"])
    assert labels[0]["rollouts"] > 0
    assert len(labels) > 1
