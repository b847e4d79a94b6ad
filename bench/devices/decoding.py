"""Decoding by the engine `transformers` on the device, beside `generate` of transformers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from harness_transformers.prompts import Renderer, end_tokens

from devices.place import Place, Row, tasks, verdict
from harness.contract import Policy, PolicyRef, Request, Sampling, Task
from harness.contract.records import RolloutKey

#: Within which the log-probabilities of drawn tokens agree with those of transformers' forward pass, in nats.
NATS = 1e-3
#: Share of greedy tokens that may differ from transformers': near ties fall either way.
TOKENS = 0.02


def decoding(place: Place) -> Iterator[Row]:
    """Greedy decoding by the engine `transformers` beside `generate` of transformers, and the
    log-probabilities of drawn tokens beside those of one forward pass without a cache."""
    from transformers import AutoModelForCausalLM

    files = place.files()
    policy = Policy(PolicyRef(weights_sha=files.weights_sha), files)
    given = tasks(place, place.size.prompts)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        resources = place.resources(precision)
        use = {"name": "transformers", "prompt": place.prompt, **resources}
        engine = place.bench(f"decoding-{precision}").build("engines", use)
        engine.sync_weights(policy)
        model: Any = AutoModelForCausalLM.from_pretrained(files.path, dtype=dtype).to(place.device).eval()
        ends = end_tokens(Renderer.open(files.path, place.prompt), model.generation_config)
        for _ in range(2):  # The first round compiles and fills caches.
            mine, seconds = generated(
                place, engine, given, Sampling(temperature=0.0, max_tokens=place.max_tokens)
            )
            theirs, other_seconds = by_transformers(place, model, ends, mine)
        made, others = sum(len(r.completion_ids) for r in mine), sum(map(len, theirs))
        yield Row(
            "decoding", f"greedy tokens per second, {precision}, {len(given)} prompts",
            f"{made / seconds:,.0f}", f"generate: {others / other_seconds:,.0f}",
        )  # fmt: skip
        if precision == "fp32":
            differing = sum(later_than_first(a.completion_ids, b) for a, b in zip(mine, theirs, strict=True))
            good = differing <= TOKENS * made
            what = "greedy tokens after the first that differs from generate's, fp32"
            yield Row("decoding", what, f"{differing} of {made}", f"at most {TOKENS:.0%}", verdict(good))
            drawn, _ = generated(place, engine, given, Sampling(max_tokens=place.max_tokens))
            apart = max(logprobs_apart(model, rollout, place.device) for rollout in drawn)
            what = "log-probabilities of drawn tokens beside a forward pass, fp32"
            yield Row(
                "decoding", what, f"{apart:.1e} nats apart", f"at most {NATS:.0e}", verdict(apart <= NATS)
            )
        engine.close()


def generated(place: Place, engine: Any, given: list[Task], sampling: Sampling) -> tuple[list[Any], float]:
    """A rollout per task, in the tasks' order, and the seconds that they took."""
    requests = [
        Request(
            key=RolloutKey("device", "train", "device", 0, task.id, 0), prompt=task.prompt, sampling=sampling
        )
        for task in given
    ]
    place.sync()
    began = time.perf_counter()
    rollouts = {rollout.key: rollout for rollout in engine.rollouts(requests)}
    place.sync()
    return [rollouts[request.key] for request in requests], time.perf_counter() - began


def by_transformers(
    place: Place, model: Any, ends: frozenset[int], like: list[Any]
) -> tuple[list[tuple[int, ...]], float]:
    """Greedy completions of the same prompts by `generate`, as one batch, and seconds."""
    width = max(len(rollout.prompt_ids) for rollout in like)
    ids = torch.zeros(len(like), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, rollout in enumerate(like):
        ids[row, width - len(rollout.prompt_ids) :] = torch.tensor(rollout.prompt_ids)
        mask[row, width - len(rollout.prompt_ids) :] = 1
    place.sync()
    began = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids.to(place.device), attention_mask=mask.to(place.device), do_sample=False,
            max_new_tokens=place.max_tokens, eos_token_id=sorted(ends), pad_token_id=min(ends),
        )  # fmt: skip
    place.sync()
    seconds = time.perf_counter() - began
    completions = []
    for row in out[:, width:].tolist():
        end = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
        completions.append(tuple(row[:end]))
    return completions, seconds


def later_than_first(mine: tuple[int, ...], theirs: tuple[int, ...]) -> int:
    """Tokens of a completion from the first one on that is another."""
    same = next(
        (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
    )
    return max(len(mine), len(theirs)) - same


def logprobs_apart(model: Any, rollout: Any, device: str) -> float:
    """Largest difference, in nats, of a rollout's log-probabilities and those of one forward pass."""
    ids = torch.tensor([(*rollout.prompt_ids, *rollout.completion_ids)], device=device)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, len(rollout.prompt_ids) - 1 : -1].float()
    chances = logits.log_softmax(-1).gather(1, ids[0, len(rollout.prompt_ids) :, None])[:, 0]
    return float((chances.cpu() - torch.tensor(rollout.logprobs)).abs().max())
