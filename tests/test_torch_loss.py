"""The loss: formulas against numbers worked by hand, and gradients that batching and skipping leave alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_torch.loss import as_matrix, kl_divergence, policy_gradient, token_statistics
from harness_torch.metrics import Phases
from harness_torch.random_llama import RandomLlamaOptions, write_random_llama
from harness_torch.rows import examples, micro_batches
from harness_torch.update import GroupLoss
from harness_transformers.network import Network, open_network

from harness.advantages import group_advantages
from harness.recipe import Conventions, LossOptions
from harness.records import Group, PolicyRef, Rollout, RolloutKey, Sampling

torch.set_num_threads(1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    write_random_llama(
        RandomLlamaOptions(width=32, layers=2, heads=2, mlp_width=48, initializer_range=0.2), path
    )
    return path


def group(
    name: str,
    rewards: list[float | None],
    lengths: list[int],
    *,
    truncated: tuple[int, ...] = (),
    prompt: int = 4,
) -> Group:
    generator = torch.Generator().manual_seed(len(name) + prompt + sum(lengths))
    ids = [tuple(torch.randint(3, 16, (n,), generator=generator).tolist()) for n in lengths]
    prompt_ids = tuple(torch.randint(3, 16, (prompt,), generator=generator).tolist())
    rollouts = tuple(
        Rollout(
            key=RolloutKey("run", "train", "s", 1, name, i),
            prompt_ids=prompt_ids,
            completion_ids=completion,
            text="",
            finish="length" if i in truncated else "stop",
            policy=PolicyRef(weights_sha=""),
            sampling=Sampling(),
        )
        for i, completion in enumerate(ids)
    )
    return Group(
        task=name,
        subject=name,
        step=1,
        rollouts=rollouts,
        statuses=tuple("infra_error" if r is None else "pass" if r else "fail" for r in rewards),
        scores=tuple(rewards),
        rewards=tuple(rewards),
        lengths=tuple(lengths),
        truncated=tuple(i in truncated for i in range(len(rewards))),
        advantages=group_advantages(rewards, epsilon=1e-6, std="sample"),
    )


def batch() -> list[Group]:
    return [
        group("mixed", [1, 0, 0, 1], [3, 5, 2, 7]),
        group("solved", [1, 1, 1, 1], [9, 9, 9, 9], prompt=11),
        group("hopeless", [0, 0, 0, 0], [4, 4, 1, 4], prompt=2),
        group("unjudged", [1, None, 0, None], [3, 5, 2, 7], prompt=6),
        group("cut", [1, 0, 0, 0], [3, 8, 8, 2], truncated=(1, 2), prompt=3),
    ]


def gradients(
    folder: Path, groups: list[Group], *, own: bool = True, **changes: Any
) -> tuple[Any, list[Any]]:
    network = open_network(folder, own_decoder=own)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    values: dict[str, Any] = {
        "options": LossOptions(), "conventions": Conventions(), "device": CPU,
        "micro_batch_tokens": 4096, "temperature": 1.0,
    }  # fmt: skip
    loss = GroupLoss(network=network, **{**values, **changes})
    loss.prepare(groups)
    result = loss.backward("here", Phases())
    return result, [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]


def assert_same(one: list[Any], other: list[Any]) -> None:
    assert max(g.abs().max().item() for g in one) > 1e-4, "there should be a gradient to compare"
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("normalise", ["token", "sequence"])
@pytest.mark.parametrize("mask_truncated", [False, True])
def test_skipping_completions_without_advantage_leaves_the_gradient(
    folder: Path, normalise: str, mask_truncated: bool
) -> None:
    changes = {
        "options": LossOptions(mask_truncated=mask_truncated),
        "conventions": Conventions(normalise=normalise),  # type: ignore[arg-type]
    }
    skipped, without = gradients(folder, batch(), **changes)
    full, all_of_it = gradients(folder, batch(), skip_without_advantage=False, **changes)
    assert_same(without, all_of_it)
    assert skipped.loss == pytest.approx(full.loss, abs=1e-6)
    assert skipped.tokens < full.tokens / 2


@pytest.mark.parametrize("options", [{"kl": 0.1}, {"entropy": 0.01}])
def test_nothing_is_skipped_where_another_term_reaches_the_gradient(
    folder: Path, tmp_path: Path, options: dict[str, float]
) -> None:
    reference = open_network(folder)
    with torch.no_grad():
        reference.parameters()[0].mul_(1.3)
    changes = {"options": LossOptions(**options), "reference": reference}
    result, with_skip = gradients(folder, batch(), **changes)
    _, without = gradients(folder, batch(), skip_without_advantage=False, **changes)
    assert_same(with_skip, without)
    # All but the two that could not be judged.
    assert result.tokens == sum(sum(g.lengths) for g in batch()) - 12


@pytest.mark.parametrize("tokens", [1, 40, 100])
def test_micro_batches_add_up_to_the_full_batch(folder: Path, tokens: int) -> None:
    options = LossOptions(entropy=0.01)
    _, whole = gradients(folder, batch(), options=options)
    _, parts = gradients(folder, batch(), options=options, micro_batch_tokens=tokens)
    assert_same(whole, parts)


def test_own_forward_and_transformers_give_one_gradient(folder: Path) -> None:
    _, own = gradients(folder, batch())
    _, other = gradients(folder, batch(), own=False)
    # The embedding and the norm are the same tensors in both.
    assert own[0].shape == other[0].shape
    torch.testing.assert_close(own[0], other[0], atol=1e-5, rtol=1e-3)
    norm = [sum(g.square().sum() for g in grads).sqrt().item() for grads in (own, other)]
    assert norm[0] == pytest.approx(norm[1], rel=1e-3)


def scored(network: Network, groups: list[Group]) -> list[torch.Tensor]:
    """Log-probabilities of each completion, by transformers' forward of that row alone."""
    found = []
    for g in groups:
        assert g.rollouts is not None
        for r in g.rollouts:
            ids = torch.tensor([r.prompt_ids + r.completion_ids])
            logits = network.module(ids).logits[0, len(r.prompt_ids) - 1 : -1].log_softmax(-1)
            found.append(logits.gather(1, torch.tensor(r.completion_ids)[:, None]).squeeze(1))
    return found


@pytest.mark.parametrize("normalise", ["token", "sequence"])
def test_on_policy_loss_is_the_plain_policy_gradient(folder: Path, normalise: str) -> None:
    groups = batch()[:3]
    _, ours = gradients(folder, groups, conventions=Conventions(normalise=normalise))  # type: ignore[arg-type]
    network = open_network(folder, own_decoder=False)
    logprobs = scored(network, groups)
    advantages = [a for g in groups for a in g.advantages]
    if normalise == "token":
        tokens = sum(len(lp) for lp in logprobs)
        loss = (
            -sum((a * lp.sum() for a, lp in zip(advantages, logprobs, strict=True)), torch.tensor(0.0))
            / tokens
        )
    else:
        loss = (
            -sum((a * lp.mean() for a, lp in zip(advantages, logprobs, strict=True)), torch.tensor(0.0)) / 12
        )
    loss.backward()
    embedding = network.module.model.embed_tokens.weight.grad  # type: ignore[union-attr]
    torch.testing.assert_close(ours[0], embedding, atol=1e-5, rtol=1e-3)


def test_kl_to_itself_is_0_and_to_another_reference_is_not(folder: Path) -> None:
    same, _ = gradients(folder, batch(), options=LossOptions(kl=1.0), reference=open_network(folder))
    assert same.kl == pytest.approx(0, abs=1e-6)
    other = open_network(folder)
    with torch.no_grad():
        other.parameters()[0].mul_(1.5)
    moved, _ = gradients(folder, batch(), options=LossOptions(kl=1.0), reference=other)
    assert moved.kl is not None
    assert moved.kl > 0.01
    assert moved.loss == pytest.approx(same.loss + moved.kl, abs=1e-4)


def test_kl_estimators() -> None:
    logprobs, reference = torch.tensor([[-1.0]]), torch.tensor([[-1.5]])
    r = -0.5
    assert kl_divergence(logprobs, reference, "k1").item() == pytest.approx(0.5)
    assert kl_divergence(logprobs, reference, "k2").item() == pytest.approx(0.125)
    assert kl_divergence(logprobs, reference, "k3").item() == pytest.approx(math.exp(r) - r - 1)


def test_k1_and_k3_estimate_the_same_divergence() -> None:
    generator = torch.Generator().manual_seed(0)
    policy, reference = torch.randn(2, 8, generator=generator).log_softmax(-1)
    exact = (policy.exp() * (policy - reference)).sum().item()
    drawn = policy.exp().multinomial(200_000, replacement=True, generator=generator)
    for estimator in ("k1", "k3"):
        mean = kl_divergence(policy[drawn], reference[drawn], estimator).mean().item()  # type: ignore[arg-type]
        assert mean == pytest.approx(exact, rel=0.03)


def test_clipping_stops_the_gradient_outside_the_range() -> None:
    for advantage, ratio, moves in (
        (1.0, 1.5, False),
        (1.0, 0.5, True),
        (-1.0, 0.5, False),
        (-1.0, 1.5, True),
    ):
        logprobs = torch.tensor([[math.log(ratio)]], requires_grad=True)
        policy_gradient(logprobs, torch.zeros(1, 1), torch.tensor([[advantage]]), 0.2, 0.2).sum().backward()
        assert logprobs.grad is not None
        assert (logprobs.grad.item() != 0) is moves, (advantage, ratio)


def test_clip_range_has_two_sides() -> None:
    far = torch.tensor([[math.log(10.0)]])
    value = policy_gradient(far, torch.zeros(1, 1), torch.ones(1, 1), 0.2, 0.28)
    assert value.item() == pytest.approx(-1.28)


def test_second_pass_compares_with_the_first(folder: Path) -> None:
    network = open_network(folder)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    loss = GroupLoss(network, LossOptions(), Conventions(), CPU, 4096, 1.0)
    loss.prepare(batch())
    first = loss.backward("here", Phases()).loss
    with torch.no_grad():
        network.parameters()[0].mul_(1.2)
    assert loss.backward("here", Phases()).loss != pytest.approx(first, abs=1e-6)
    loss.prepare(batch())
    assert loss.backward("here", Phases()).loss == pytest.approx(first, abs=1e-6), (
        "a new batch is on-policy again"
    )


def test_entropy_is_exact() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [50.0, 0.0, 0.0, 0.0]])
    chosen, entropy = token_statistics(logits, torch.tensor([1, 0]), entropy=True)
    assert entropy is not None
    assert entropy.tolist() == pytest.approx([math.log(4), 0.0], abs=1e-6)
    plain, none = token_statistics(logits, torch.tensor([1, 0]), entropy=False)
    assert none is None
    torch.testing.assert_close(plain, chosen)


def test_temperature_of_sampling_is_the_losses_too(folder: Path) -> None:
    cool, warm = (gradients(folder, batch(), temperature=t)[1] for t in (1.0, 2.0))
    assert not torch.allclose(cool[0], warm[0], atol=1e-5)


class Weighted:
    """The term `-weight * log p(token)` where the reward is 1."""

    inputs = ("logprobs", "rewards", "mask")

    def __call__(self, *, logprobs: Any, rewards: Any, mask: Any) -> Any:
        assert logprobs.shape == rewards.shape == mask.shape
        return -0.5 * logprobs * rewards


def test_extra_terms_are_summed_under_the_same_normalisation(folder: Path) -> None:
    groups = [group("solved", [1, 1], [3, 5]), group("hopeless", [0, 0], [4, 4])]
    result, _ = gradients(folder, groups, terms=[Weighted()])
    network = open_network(folder, own_decoder=False)
    expected = -0.5 * sum(lp.sum().item() for lp in scored(network, groups)[:2]) / 16
    assert result.loss == pytest.approx(expected, rel=1e-4)


def test_as_matrix_puts_values_where_the_mask_is() -> None:
    mask = torch.tensor([[True, False, False], [True, True, False]])
    matrix = as_matrix(torch.tensor([1.0, 2.0, 3.0]), mask)
    assert matrix.tolist() == [[1, 0, 0], [2, 3, 0]]


def test_micro_batches_hold_every_completion_once_within_the_budget() -> None:
    found, tokens = examples(batch(), normalise="token", mask_truncated=True, skip_without_advantage=False)
    assert tokens == sum(sum(g.lengths) for g in batch()) - 12 - 16
    seen = 0
    for rows in micro_batches(found, 40, CPU):
        prompts, group_size, width = rows.completions.shape
        assert prompts == 1 or prompts * (rows.prompts.shape[1] + group_size * width) <= 40
        seen += int(rows.mask.sum())
        assert rows.weights.shape == (prompts * group_size, 1)
    assert seen == tokens
