"""Generation is a function of key, position and weights; batching and packing change nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from harness_torch.random_llama import RandomLlamaOptions, write_random_llama
from harness_transformers.generation import Generator, merged
from harness_transformers.network import open_network
from harness_transformers.prompts import Renderer, end_tokens
from harness_transformers.sampling import draw, draw_rows, filtered
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from harness.contract.records import Message, PolicyRef, Request, Rollout, RolloutKey, Sampling

torch.set_num_threads(1)

PROMPTS = ("9-5=", "1+2+3+4=", "7=", "0-9-9-9-9-9=")
POLICY = PolicyRef(weights_sha="test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    write_random_llama(
        RandomLlamaOptions(width=32, layers=2, heads=2, mlp_width=48, initializer_range=0.25), path
    )
    return path


def generator(folder: Path, *, own: bool = True, rows: int = 256) -> Generator:
    network = open_network(folder, own_decoder=own)
    renderer = Renderer.open(folder, "raw")
    return Generator(network, renderer, end_tokens(renderer, None), torch.device("cpu"), batch_rows=rows)


def requests(samples: int = 8, *, prompts: tuple[str, ...] = PROMPTS, **sampling: object) -> list[Request]:
    options = Sampling(**{"max_tokens": 12, **sampling})  # type: ignore[arg-type]
    return [
        Request(RolloutKey("run", "train", "s", 1, prompt, sample), (Message("user", prompt),), options)
        for prompt in prompts
        for sample in range(samples)
    ]


def by_key(rollouts: list[Rollout]) -> dict[RolloutKey, Rollout]:
    keyed = {rollout.key: rollout for rollout in rollouts}
    assert len(keyed) == len(rollouts)
    return keyed


def run(
    folder: Path, wanted: list[Request], *, own: bool = True, rows: int = 256
) -> dict[RolloutKey, Rollout]:
    return by_key(list(generator(folder, own=own, rows=rows).rollouts(wanted, POLICY)))


def completions(rollouts: dict[RolloutKey, Rollout]) -> dict[RolloutKey, tuple[int, ...]]:
    return {key: rollout.completion_ids for key, rollout in rollouts.items()}


def test_one_rollout_a_request_ended_by_eos_or_length(folder: Path) -> None:
    rollouts = run(folder, requests())
    assert set(rollouts) == {r.key for r in requests()}
    finishes = Counter(rollout.finish for rollout in rollouts.values())
    assert set(finishes) == {"stop", "length"}, "the model should do both"
    for rollout in rollouts.values():
        ids = rollout.completion_ids
        assert (ids[-1] == 1) == (rollout.finish == "stop")
        assert 1 not in ids[:-1]
        assert rollout.finish == "stop" or len(ids) == 12
        assert rollout.logprobs is not None
        assert len(rollout.logprobs) == len(ids)
        assert "<eos>" not in rollout.text


@pytest.mark.parametrize("own", [True, False])
def test_a_completion_depends_on_its_own_key_alone(folder: Path, own: bool) -> None:
    together = run(folder, requests(), own=own)
    for wanted in (requests()[3:4], requests()[::3], list(reversed(requests()))):
        for key, rollout in run(folder, wanted, own=own).items():
            assert rollout.completion_ids == together[key].completion_ids
            assert rollout.logprobs == pytest.approx(together[key].logprobs, abs=1e-4)


def test_batch_size_does_not_matter(folder: Path) -> None:
    assert completions(run(folder, requests(), rows=5)) == completions(run(folder, requests()))


def test_more_samples_add_and_do_not_change(folder: Path) -> None:
    few, many = completions(run(folder, requests(4))), completions(run(folder, requests(8)))
    assert {key: many[key] for key in few} == few


def test_both_forwards_give_the_same_completions(folder: Path) -> None:
    own, other = run(folder, requests()), run(folder, requests(), own=False)
    assert completions(own) == completions(other)


@pytest.mark.parametrize("own", [True, False])
def test_greedy_equals_transformers_generate(folder: Path, own: bool) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    rollouts = run(folder, requests(1, temperature=0.0), own=own)
    for rollout in rollouts.values():
        ids = torch.tensor([rollout.prompt_ids])
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
            eos_token_id=1, pad_token_id=0,
        )  # fmt: skip
        assert rollout.completion_ids == tuple(expected[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_logprobs_are_natural_and_at_temperature_1(folder: Path, temperature: float) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for rollout in list(run(folder, requests(2, temperature=temperature)).values()):
        ids = torch.tensor([rollout.prompt_ids + rollout.completion_ids])
        with torch.inference_mode():
            shares = model(ids).logits[0, len(rollout.prompt_ids) - 1 : -1].log_softmax(-1)
        expected = shares.gather(1, torch.tensor(rollout.completion_ids)[:, None]).squeeze(1)
        assert rollout.logprobs == pytest.approx(expected.tolist(), abs=1e-4)


def test_first_tokens_follow_the_models_distribution(folder: Path) -> None:
    wanted = requests(4000, prompts=("7=",), max_tokens=1)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    rollouts = run(folder, wanted)
    ids = torch.tensor([next(iter(rollouts.values())).prompt_ids])
    with torch.inference_mode():
        shares = model(ids).logits[0, -1].softmax(-1)
    counts = Counter(rollout.completion_ids[0] for rollout in rollouts.values())
    for token, share in enumerate(shares.tolist()):
        spread = 4 * (share * (1 - share) / 4000) ** 0.5 + 1e-3
        assert counts[token] / 4000 == pytest.approx(share, abs=spread)


def test_stop_strings_end_a_completion_before_them(folder: Path) -> None:
    plain = run(folder, requests())
    stop = next(r.text[1:3] for r in plain.values() if len(r.text) > 4)
    rollouts = run(folder, requests(stop=(stop,)))
    hit = 0
    for key, rollout in rollouts.items():
        text = plain[key].text
        if stop in text:
            hit += 1
            assert (rollout.finish, rollout.text) == ("stop", text[: text.index(stop)])
            assert len(rollout.completion_ids) <= len(plain[key].completion_ids)
        else:
            assert rollout.completion_ids == plain[key].completion_ids
    assert hit


def test_stages_with_other_sampling_share_a_call(folder: Path) -> None:
    mixed = requests(4) + [
        Request(RolloutKey("run", "eval", "s", 1, r.key.task, r.key.sample), r.prompt, Sampling(max_tokens=3))
        for r in requests(4)
    ]
    rollouts = run(folder, mixed)
    assert len(rollouts) == len(mixed)
    assert all(len(r.completion_ids) <= 3 for k, r in rollouts.items() if k.phase == "eval")
    assert {k: v for k, v in completions(rollouts).items() if k.phase == "train"} == completions(
        run(folder, requests(4))
    )


rows = st.lists(st.lists(st.floats(-20, 20, width=32), min_size=5, max_size=5), min_size=1, max_size=6).map(
    torch.tensor
)


@settings(max_examples=50, deadline=None)
@given(rows, st.floats(0, 1, exclude_max=True), st.sampled_from([0.3, 1.0, 2.0]))
def test_draw_inverts_the_cumulative_distribution(logits: torch.Tensor, u: float, temperature: float) -> None:
    uniforms = torch.full((len(logits),), u, dtype=torch.float64)
    tokens, logprobs = draw(logits, uniforms, Sampling(temperature=temperature))
    shares = (logits / temperature).softmax(-1).double()
    cumulative = shares.cumsum(-1)
    for row, token in enumerate(tokens.tolist()):
        assert shares[row, token] > 0
        below = cumulative[row, token - 1] if token else 0.0
        assert below <= u + 1e-6
        assert cumulative[row, token] >= u - 1e-6
    expected = logits.log_softmax(-1).gather(1, tokens[:, None]).squeeze(1)
    torch.testing.assert_close(logprobs, expected, atol=1e-4, rtol=1e-4)


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, 2**32), st.sampled_from([0.3, 1.0, 2.0]))
def test_rows_that_share_a_slot_draw_as_if_alone(logits: torch.Tensor, seed: int, temperature: float) -> None:
    """Compiled or not, a row's draw is its uniform number in the distribution of its slot."""
    numbers = np.random.default_rng(seed)
    slots, uniforms = numbers.integers(0, len(logits), 9), numbers.random(9)
    sampling = Sampling(temperature=temperature)
    tokens, logprobs = draw_rows(logits, slots, uniforms, sampling)
    expected = draw(logits[slots], torch.from_numpy(uniforms), sampling)
    torch.testing.assert_close(torch.from_numpy(logprobs), expected[1], atol=1e-5, rtol=1e-5)
    assert tokens.tolist() == expected[0].tolist()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=20))
def test_rows_go_on_as_one_while_slot_and_token_are_the_same(rows: list[tuple[int, int]]) -> None:
    slots, tokens = (np.array(numbers) for numbers in zip(*rows, strict=True))
    parents, appended, new = merged(slots, tokens)
    assert list(zip(parents[new].tolist(), appended[new].tolist(), strict=True)) == rows
    assert len(parents) == len(set(rows))
    assert (np.diff(parents) >= 0).all()


def test_a_token_of_probability_0_is_never_drawn() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, float("-inf"), 0.0, float("-inf")]])
    for u in (0.0, 0.5, 1 - 2**-53):
        tokens, _ = draw(logits, torch.tensor([u], dtype=torch.float64), Sampling())
        assert tokens.item() in (1, 3)
        compiled, _ = draw_rows(logits, np.array([0]), np.array([u]), Sampling())
        assert compiled.item() in (1, 3)


def test_top_k_and_top_p_keep_what_they_say() -> None:
    logits = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log()
    kept = lambda **s: (filtered(logits, Sampling(**s)) > float("-inf")).squeeze(0).tolist()  # noqa: E731
    assert kept(top_k=2) == [True, True, False, False, False]
    assert kept(top_p=0.6) == [True, True, False, False, False]
    assert kept(top_p=0.01) == [True, False, False, False, False]
    assert kept(top_p=0.6, top_k=1) == [True, False, False, False, False]
    assert kept() == [True] * 5
    shuffled = filtered(logits[:, [4, 0, 2, 1, 3]], Sampling(top_p=0.6))
    assert (shuffled > float("-inf")).squeeze(0).tolist() == [False, True, False, True, False]
