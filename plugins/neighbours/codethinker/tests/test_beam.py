"""The beam's budget and its account of tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from harness.contract import Engine, EngineError, Message, Policy, Request, Rollout, RolloutKey, Sampling
from harness.plugging import Plugins
from harness.recipe import validated

from harness_codethinker.beam import Beam, BeamOptions

Build = Callable[..., Any]
Gather = Callable[[Engine, Sequence[Request]], dict[RolloutKey, Rollout]]

INNER = {"name": "transformers", "prompt": "raw"}
LONGEST = 24


def beam(build: Build, policy: Policy, **options: Any) -> Beam:
    made: Beam = build("engines", "staged-harness-codethinker/beam", **{"engine": INNER, **options})
    made.sync_weights(policy)
    return made


def requests(n: int = 8, tasks: int = 3) -> list[Request]:
    sampling = Sampling(max_tokens=LONGEST)
    return [
        Request(RolloutKey("run", "train", "rl", 1, f"t{t}", s), (Message("user", f"a={t}\n"),), sampling)
        for t in range(tasks)
        for s in range(n)
    ]


def by_task(rollouts: Mapping[RolloutKey, Rollout]) -> dict[str, list[Rollout]]:
    groups: dict[str, list[Rollout]] = defaultdict(list)
    for key in sorted(rollouts, key=lambda key: key.sample):
        groups[key.task].append(rollouts[key])
    return groups


@pytest.mark.parametrize("pruned", ["fork", "return"])
@pytest.mark.parametrize("budget", [11, 16, 24])
def test_no_task_generates_more_than_its_budget(
    harness_build: Build, tiny: Policy, budget: int, pruned: str, gather: Gather
) -> None:
    engine = beam(harness_build, tiny, budget=budget, segment=4, margin=0.05, pruned=pruned)
    for group in by_task(gather(engine, requests())).values():
        assert len(group) == 8
        assert sum(rollout.generated for rollout in group) <= budget * len(group)
        assert any(rollout.finish in ("stop", "length") for rollout in group), "no beam reached its end"


def test_a_short_budget_narrows_the_beam_and_a_long_one_does_not(
    harness_build: Build, tiny: Policy, gather: Gather
) -> None:
    def cut(budget: int) -> int:
        engine = beam(harness_build, tiny, budget=budget, segment=4, margin=0.05)
        return sum(rollout.finish == "budget" for rollout in gather(engine, requests()).values())

    assert cut(11) > cut(16) > cut(LONGEST) == 0


def test_pruned_branches_are_forked_and_shared_tokens_are_paid_once(
    harness_build: Build, tiny: Policy, gather: Gather
) -> None:
    engine = beam(harness_build, tiny, budget=LONGEST, segment=4, margin=0.01, keep=0.25)
    for group in by_task(gather(engine, requests())).values():
        forks = [rollout for rollout in group if rollout.prefix]
        assert forks, "nothing was pruned"
        assert all(fork.cost.tokens > 0 for fork in forks), "what a place generated before is not paid"
        shared = {fork.completion_ids[: fork.prefix] for fork in forks}
        assert any(
            rollout.completion_ids[: len(prefix)] == prefix and rollout.prefix < len(prefix)
            for rollout in group
            for prefix in shared
        ), "no fork goes on from a branch that stayed"


def test_returned_branches_are_truncated_and_not_forked(
    harness_build: Build, tiny: Policy, gather: Gather
) -> None:
    engine = beam(harness_build, tiny, budget=LONGEST, segment=4, margin=0.01, keep=0.25, pruned="return")
    rollouts = gather(engine, requests()).values()
    returned = [rollout for rollout in rollouts if rollout.finish == "budget"]
    assert returned
    assert all(rollout.truncated and not rollout.prefix for rollout in returned)


def test_a_beam_that_prunes_nothing_is_plain_sampling(
    harness_build: Build, tiny: Policy, gather: Gather
) -> None:
    plain = harness_build("engines", "transformers", prompt="raw")
    plain.sync_weights(tiny)
    engine = beam(harness_build, tiny, budget=LONGEST, segment=4, keep=1.0)
    sampled = gather(plain, requests())
    for key, rollout in gather(engine, requests()).items():
        assert rollout.completion_ids == sampled[key].completion_ids
        assert rollout.generated == sampled[key].generated


def test_a_budget_smaller_than_one_beam_is_an_error_that_says_what_would_do(
    harness_build: Build, tiny: Policy, gather: Gather
) -> None:
    engine = beam(harness_build, tiny, budget=5, segment=4)
    with pytest.raises(EngineError, match=r"5 tokens per completion is 40 for 8(.|\n)*at least 52"):
        gather(engine, requests())


def test_a_beam_without_a_budget_is_refused() -> None:
    from harness.contract import RecipeError

    with pytest.raises(RecipeError, match="budget"):
        validated(BeamOptions, {"segment": 4}, where="engine")


@pytest.mark.parametrize("option", [{"segment": 0}, {"margin": 0.0}, {"keep": 1.5}, {"pruned": "drop"}])
def test_options_without_a_meaning_are_refused(option: Mapping[str, Any]) -> None:
    from harness.contract import RecipeError

    with pytest.raises(RecipeError, match=next(iter(option))):
        validated(BeamOptions, {"budget": 9, **option}, where="engine")


def test_an_engine_without_log_probabilities_is_named(harness_build: Build, gather: Gather) -> None:
    engine = harness_build(
        "engines", "staged-harness-codethinker/beam", budget=64, engine={"name": "echo", "text": "abc"}
    )
    asked: Sequence[Request] = requests(1, 1)
    with pytest.raises(EngineError, match="log-probabilities"):
        gather(engine, asked)


def test_it_is_listed_with_its_options(harness_plugins: Plugins) -> None:
    registration = harness_plugins.registry.find("engines", "staged-harness-codethinker/beam")
    assert registration.options_model() is BeamOptions
