"""The divergence and its gradient, by enumeration: over a small vocabulary every expectation is a sum."""

import pytest

torch = pytest.importorskip("torch", reason="loss terms are computed with torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from harness_rapo.options import ForwardKlOptions  # noqa: E402
from harness_rapo.term import ForwardKl, exact, phi, reweighted, sampled  # noqa: E402

VOCABULARY = 5
logits = st.lists(st.floats(-4, 4), min_size=VOCABULARY, max_size=VOCABULARY)
powers = st.floats(0, 3)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def enumerated(policy, reference, power, older=None):
    """What the sampled estimator comes to in expectation over the tokens that `older` draws, by default the
    policy: value and gradient in the policy's logits."""
    leaf = tensor(policy).requires_grad_(True)
    drawn_by = tensor(policy if older is None else older).log_softmax(-1)
    log_hat = reweighted(tensor([reference]), tensor([power]))[0]
    value, surrogate = sampled(log_hat, leaf.log_softmax(-1), drawn_by, None)
    weights = drawn_by.exp()
    (weights * surrogate).sum().backward()
    return float((weights * value).sum()), leaf.grad


def by_hand(policy, reference, power):
    """KL(pi_ref^power / Z || policy) and its gradient, from the definition alone."""
    leaf = tensor(policy).requires_grad_(True)
    raised = tensor(reference).softmax(-1) ** power
    hat = raised / raised.sum()
    divergence = (hat * (hat / leaf.softmax(-1)).log()).sum()
    divergence.backward()
    return float(divergence), leaf.grad


@given(logits, logits, powers)
def test_the_sampled_estimator_is_unbiased_in_value_and_gradient(policy, reference, power):
    value, gradient = enumerated(policy, reference, power)
    right, slope = by_hand(policy, reference, power)
    assert value == pytest.approx(right, abs=1e-9)
    torch.testing.assert_close(gradient, slope, atol=1e-9, rtol=1e-9)


@given(logits, logits, logits, powers)
def test_tokens_that_an_older_policy_drew_give_the_same(policy, older, reference, power):
    value, gradient = enumerated(policy, reference, power, older)
    right, slope = by_hand(policy, reference, power)
    assert value == pytest.approx(right, abs=1e-7)
    torch.testing.assert_close(gradient, slope, atol=1e-7, rtol=1e-7)


@given(logits, logits, powers)
def test_the_exact_estimator_is_the_same_without_sampling(policy, reference, power):
    leaf = tensor([policy]).requires_grad_(True)
    value = exact(reweighted(tensor([reference]), tensor([power])), leaf)
    value.sum().backward()
    right, slope = by_hand(policy, reference, power)
    assert float(value) == pytest.approx(right, abs=1e-9)
    torch.testing.assert_close(leaf.grad[0], slope, atol=1e-9, rtol=1e-9)


def test_differentiating_the_value_itself_would_be_wrong():
    policy, reference = [0.0, 1.0, 2.0], [2.0, 0.0, 0.0]
    leaf = tensor(policy).requires_grad_(True)
    ratio = (tensor(reference).log_softmax(-1) - leaf.log_softmax(-1)).exp()
    naive = tensor(policy).softmax(-1) * (ratio * ratio.log() - ratio + 1)
    naive.sum().backward()
    assert (leaf.grad - by_hand(policy, reference, 1.0)[1]).abs().max() > 0.01


@given(logits, powers)
def test_the_reweighted_reference_is_a_distribution(reference, power):
    assert float(reweighted(tensor([reference]), tensor([power])).exp().sum()) == pytest.approx(1)


def test_power_1_is_the_reference_and_0_is_uniform():
    reference = tensor([[0.0, 1.0, 3.0]])
    torch.testing.assert_close(reweighted(reference, tensor([1.0])), reference.log_softmax(-1))
    torch.testing.assert_close(reweighted(reference, tensor([0.0])).exp(), tensor([[1 / 3] * 3]))


def test_a_token_that_the_reference_rules_out_stays_finite():
    reference = tensor([[0.0, float("-inf"), 1.0]])
    for power in (0.0, 0.5, 1.0):
        assert bool(torch.isfinite(reweighted(reference, tensor([power]))).all())


def test_phi_is_linear_in_the_reward_between_its_bounds():
    rewards = tensor([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert phi(rewards, 0.2, 1.0).tolist() == pytest.approx([0.2, 0.2, 0.6, 1.0, 1.0])


def test_scores_and_rewards_are_told_apart():
    assert "scores" in ForwardKl(ForwardKlOptions(), None).inputs
    assert "rewards" in ForwardKl(ForwardKlOptions(by="reward"), None).inputs
