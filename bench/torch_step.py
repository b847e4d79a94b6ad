"""What a GRPO step of the trainer `torch` costs, by phase, against the machine's own limit.

    python bench/torch_step.py                       the quickstart's setting, with and without the skip
    python bench/torch_step.py --precision bf16
    python bench/torch_step.py --strata 7-12         what a staged arm trains on
    python bench/torch_step.py --model FOLDER --tasks 4 --samples 4 --max-tokens 16 --precision bf16

A real run of the real loop on one thread: session, verifier and ledger included. Seconds are CPU
seconds of the process, medians over steps with their quartiles. The limit is what the floating point
operations of weight matrices alone would take at the speed of a large matrix product measured here:
2 a weight for each token that is prefilled (a prompt once a group) or decoded, 6 for each that is
trained on; attention, softmax, padding and Python are the distance to it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch

from harness.ledger import read
from harness.plugins import load
from harness.testing.workbench import Recorded, Workbench

PHASES = ("generate", "forward", "backward", "optimizer")


def peak(precision: str) -> float:
    """Floating point operations a CPU second in a large matrix product, the best of a few."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    size, best = 1024, 0.0
    a, b = torch.randn(2, size, size).to(dtype)
    for _ in range(8):
        start = time.process_time()
        a @ b
        best = max(best, 2 * size**3 / (time.process_time() - start))
    return best


def recipe(options: argparse.Namespace, *, skip: bool) -> dict[str, Any]:
    return {
        "name": "bench",
        "model": {"name": options.model, "loader": options.loader, "prompt": options.prompt},
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": options.strata}]},
        "trainer": {"name": "torch", "skip_without_advantage": skip},
        "resources": {"device": "cpu", "precision": options.precision, "threads": 1},
        "report": {"reporters": []},
        "checkpoints": {"every_steps": 10_000, "min_free_gb": 0.1},
        "stages": [
            {
                "name": "bench",
                "curriculum": "uniform",
                "rollout": {"n": options.samples, "batch": options.tasks, "max_tokens": options.max_tokens},
                "optimizer": {"lr": options.lr},
                "max_steps": options.steps + options.warmup,
            }
        ],
    }


def weights(folder: Path) -> tuple[int, int]:
    """Weights in the layers' matrices, and in the output matrix."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    head = model.get_output_embeddings().weight.numel()
    body = sum(p.numel() for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n)
    return body - (0 if model.config.tie_word_embeddings else head), head


def operations(run: Recorded, first: int, skip: bool, body: int, head: int) -> tuple[float, float]:
    """Operations a step that the limit counts: (generating, training)."""
    generating = training = 0.0
    steps = set()
    for line in read(run.folder / "ledger.jsonl"):
        if line["t"] != "group" or line["group"]["step"] < first:
            continue
        group = line["group"]
        steps.add(group["step"])
        prompt, completions = len(group["rollouts"][0]["prompt_ids"]), sum(group["lengths"])
        generating += 2 * (body * (prompt + completions) + head * completions)
        if not skip or any(group["advantages"]):
            training += 6 * (body * (prompt + completions) + head * completions)
    return generating / len(steps), training / len(steps)


def spread(values: list[float]) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{median(values):8.4f}   ({low:.4f} to {high:.4f})"


def report(options: argparse.Namespace, *, skip: bool, limit: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Workbench(Path(folder), load()).run(recipe(options, skip=skip))
        metrics = run.metrics()[options.warmup :]
        checkpoint = run.trained[-1][1]
        body, head = weights(checkpoint.files.path)
        generating, training = operations(run, options.warmup + 1, skip, body, head)
    total = [m.cpu_seconds for m in metrics]
    rollouts, tokens = metrics[0].rollouts, [m.tokens for m in metrics]
    print(f"\n{'skipping' if skip else 'not skipping'} completions without advantage, {len(metrics)} steps")
    print(f"  CPU seconds a step of {rollouts} completions {spread(total)}")
    rest = total
    for phase in PHASES:
        spent = [m.extra.get(f"{phase}_cpu_seconds", 0.0) for m in metrics]
        rest = [a - b for a, b in zip(rest, spent, strict=True)]
        print(f"    {phase:37s} {spread(spent)}")
    print(f"    {'rest (rewards, ledger, tensors)':37s} {spread(rest)}")
    made = [t / m.extra["generate_cpu_seconds"] for t, m in zip(tokens, metrics, strict=True)]
    print(f"  generated tokens a step {median(tokens):,.0f}; a CPU second of generating {median(made):,.0f}")
    trained = median([m.extra["trained_tokens"] for m in metrics])
    mixed = 1 - sum(m.zero_variance_groups for m in metrics) / len(metrics)
    print(f"  trained tokens a step {trained:,.0f}; groups with mixed outcomes {mixed:.0%}")
    needed = (generating + training) / limit
    print(f"  limit {needed:.4f} s ({generating / 1e9:.2f} + {training / 1e9:.2f} Gflop at "
          f"{limit / 1e9:.0f} Gflop/s); a step takes {median(total) / needed:.1f} times that")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="chain-334k", help="a packaged model, or a folder")
    parser.add_argument("--prompt", default="raw", choices=("raw", "chat"))
    parser.add_argument("--strata", default="1-40")
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=44)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    options = parser.parse_args()
    options.loader = "folder" if Path(options.model).is_dir() else "packaged"
    options.model = str(Path(options.model).resolve()) if options.loader == "folder" else options.model
    torch.set_num_threads(1)
    limit = peak(options.precision)
    for skip in (True, False):
        report(options, skip=skip, limit=limit)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
