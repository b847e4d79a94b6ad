"""The loss: formulas against numbers worked by hand, and gradients that batching and skipping leave alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import torch
from harness_torch.loss import as_matrix, kl_divergence, policy_gradient, token_statistics
from harness_torch.mini_batches import mini_batched
from harness_torch.random_llama import RandomLlamaOptions, write_random_llama
from harness_torch.rows import counted, examples, micro_batches
from harness_torch.terms import Terms
from harness_torch.update import GroupLoss, MiniBatch, StepLoss
from harness_transformers.network import Network, open_network

from harness.contract.advantages import group_advantages
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling
from harness.contract.samples import Group
from harness.recipe import Conventions, LossOptions, Stage
from harness.testing import group_of, group_with
from harness.training.phases import Phases

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
    advantages = group_advantages(rewards, epsilon=1e-6, std="sample")
    return group_with(rewards, rollouts=rollouts, advantages=advantages, task=name, subject=name, step=1)


def batch() -> list[Group]:
    return [
        group("mixed", [1, 0, 0, 1], [3, 5, 2, 7]),
        group("solved", [1, 1, 1, 1], [9, 9, 9, 9], prompt=11),
        group("hopeless", [0, 0, 0, 0], [4, 4, 1, 4], prompt=2),
        group("unjudged", [1, None, 0, None], [3, 5, 2, 7], prompt=6),
        group("cut", [1, 0, 0, 0], [3, 8, 8, 2], truncated=(1, 2), prompt=3),
    ]


def one_pass(loss: GroupLoss, parts: list[MiniBatch]) -> StepLoss:
    """The gradient of a pass over a batch, without an update."""
    result = StepLoss()
    for part in parts:
        loss.backward(part, result, "here", Phases())
    return result


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
    result = one_pass(loss, loss.prepare(groups))
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
    logprobs = []
    for g in groups:
        assert g.rollouts is not None
        for r in g.rollouts:
            ids = torch.tensor([r.prompt_ids + r.completion_ids])
            logits = network.module(ids).logits[0, len(r.prompt_ids) - 1 : -1].log_softmax(-1)
            logprobs.append(logits.gather(1, torch.tensor(r.completion_ids)[:, None]).squeeze(1))
    return logprobs


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


def test_the_same_advantage_for_each_token_is_the_plain_one(folder: Path) -> None:
    spread = [g.with_advantages([[s.advantage] * s.tokens for s in g.samples]) for g in batch()]
    assert_same(gradients(folder, batch())[1], gradients(folder, spread)[1])


def test_each_token_has_its_own_advantage(folder: Path) -> None:
    """Credit of the first token alone is the gradient of that token's log-probability."""
    mixed = batch()[0]
    first = [
        [1.0] + [0.0] * (s.tokens - 1) if i == 3 else [0.0] * s.tokens for i, s in enumerate(mixed.samples)
    ]
    result, ours = gradients(folder, [mixed.with_advantages(first)])
    assert result.tokens == 7, "the other completions have no advantage at all"
    network = open_network(folder, own_decoder=False)
    (-scored(network, [mixed])[3][0] / sum(mixed.lengths)).backward()
    embedding = network.module.model.embed_tokens.weight.grad  # type: ignore[union-attr]
    torch.testing.assert_close(ours[0], embedding, atol=1e-5, rtol=1e-3)


def stored(folder: Path, shift: float) -> Group:
    """A replayed group whose stored log-probabilities are the live ones plus a shift."""
    mixed = batch()[0]
    live = scored(open_network(folder, own_decoder=False), [mixed])
    samples = tuple(
        msgspec.structs.replace(
            sample,
            replayed=True,
            rollout=replace(sample.rollout, logprobs=tuple((lp.detach() + shift).tolist())),
        )
        for sample, lp in zip(mixed.samples, live, strict=True)
        if sample.rollout is not None
    )
    return replace(mixed, samples=samples)


def test_a_replayed_group_is_weighted_by_the_ratio_to_its_stored_log_probabilities(folder: Path) -> None:
    options = LossOptions(clip_low=0.5, clip_high=0.5)
    _, fresh = gradients(folder, [batch()[0]], options=options)
    _, alike = gradients(folder, [stored(folder, 0.0)], options=options)
    assert_same(fresh, alike)
    _, older = gradients(folder, [stored(folder, -math.log(1.25))], options=options)
    assert_same([1.25 * g for g in fresh], older)


def test_a_ratio_beyond_the_clip_range_teaches_nothing_upwards(folder: Path) -> None:
    _, far = gradients(folder, [stored(folder, -math.log(3))])
    only_worse = batch()[0].with_advantages([min(0.0, a) for a in batch()[0].advantages])
    _, worse = gradients(folder, [only_worse])
    assert_same([3 * g for g in worse], far)


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
    parts = loss.prepare(batch())
    first = one_pass(loss, parts).loss
    with torch.no_grad():
        network.parameters()[0].mul_(1.2)
    assert one_pass(loss, parts).loss != pytest.approx(first, abs=1e-6)
    assert one_pass(loss, loss.prepare(batch())).loss == pytest.approx(first, abs=1e-6), (
        "a new batch is on-policy again"
    )


@pytest.mark.parametrize(
    ("sizes", "parts", "expected"),
    [
        ([4] * 5, 2, [2, 3]),
        ([8, 2, 2, 2, 2], 2, [1, 4]),
        ([2, 2, 2, 2, 8], 2, [4, 1]),
        ([90, 1, 1], 3, [1, 1, 1]),
        ([1, 1, 90], 3, [1, 1, 1]),
        ([4], 3, [1]),
    ],
)
def test_mini_batches_have_about_as_many_samples_each(
    sizes: list[int], parts: int, expected: list[int]
) -> None:
    groups = [group_of("s", 1, size) for size in sizes]
    made = mini_batched(groups, parts)
    assert [len(part) for part in made] == expected
    assert [group for part in made for group in part] == groups


def test_mini_batches_compare_with_the_policy_that_sampled_all_of_them(folder: Path) -> None:
    network = open_network(folder)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    loss = GroupLoss(network, LossOptions(), Conventions(), CPU, 4096, 1.0)
    parts = loss.prepare(batch(), 2)
    assert [part.parts for part in parts] == [2, 2]
    second = StepLoss()
    loss.backward(parts[1], second, "here", Phases())
    with torch.no_grad():
        # As an update on the first mini-batch would.
        network.parameters()[0].mul_(1.2)
    later = StepLoss()
    loss.backward(parts[1], later, "here", Phases())
    assert later.loss != pytest.approx(second.loss, abs=1e-6)
    fresh = StepLoss()
    loss.backward(loss.prepare(batch(), 2)[1], fresh, "here", Phases())
    assert fresh.loss == pytest.approx(second.loss, abs=1e-6), "a new batch is on-policy again"


@pytest.mark.parametrize("normalise", ["token", "sequence"])
@pytest.mark.parametrize("parts", [2, 3, 9])
def test_gradients_of_mini_batches_average_to_the_batchs(
    folder: Path, normalise: Literal["token", "sequence"], parts: int
) -> None:
    """Where no update comes between: a completion weighs the same in whichever mini-batch it is."""
    network = open_network(folder)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    options, conventions = LossOptions(kl=0.1, entropy=0.01), Conventions(normalise=normalise)
    loss = GroupLoss(network, options, conventions, CPU, 4096, 1.0, reference=open_network(folder))
    gradients, results = [], []
    for divided in (1, parts):
        made = loss.prepare(batch(), divided)
        assert len(made) == min(divided, len(batch()))
        results.append(one_pass(loss, made))
        gradients.append(
            torch.cat([p.grad.flatten() / len(made) for p in network.parameters() if p.grad is not None])
        )
        for parameter in network.parameters():
            parameter.grad = None
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
    assert results[1].loss == pytest.approx(results[0].loss, abs=1e-6)
    assert results[1].kl == pytest.approx(results[0].kl, abs=1e-6)
    assert results[1].entropy == pytest.approx(results[0].entropy, rel=1e-5)
    assert results[1].tokens == results[0].tokens


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
    result, _ = gradients(
        folder, groups, terms=Terms([("weighted", Weighted())], Stage(name="one"), Conventions())
    )
    network = open_network(folder, own_decoder=False)
    expected = -0.5 * sum(lp.sum().item() for lp in scored(network, groups)[:2]) / 16
    assert result.loss == pytest.approx(expected, rel=1e-4)


def test_no_term_is_asked_if_no_token_counts() -> None:
    """A mean per token of nothing is no number."""
    terms = Terms([("weighted", Weighted())], Stage(name="one"), Conventions())
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    total = terms.total({"mask": nothing})
    assert total is not None
    assert total.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert terms.numbers() == {}


def test_as_matrix_puts_values_where_the_mask_is() -> None:
    mask = torch.tensor([[True, False, False], [True, True, False]])
    matrix = as_matrix(torch.tensor([1.0, 2.0, 3.0]), mask)
    assert matrix.tolist() == [[1, 0, 0], [2, 3, 0]]


def test_micro_batches_hold_every_completion_once_within_the_budget() -> None:
    of = counted(batch(), mask_truncated=True)
    rows_of = examples(batch(), of, normalise="token", mask_truncated=True, skip_without_advantage=False)
    tokens = of.tokens
    assert tokens == sum(sum(g.lengths) for g in batch()) - 12 - 16
    seen = 0
    for rows in micro_batches(rows_of, 40, CPU):
        prompts, group_size, width = rows.completions.shape
        assert prompts == 1 or prompts * (rows.prompts.shape[1] + group_size * width) <= 40
        seen += int(rows.mask.sum())
        assert rows.weights.shape == (prompts * group_size, 1)
    assert seen == tokens
