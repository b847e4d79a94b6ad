"""What a GRPO step of the trainer `torch` costs, by phase, against the machine's own limit.

    python bench/torch_step.py                       the quickstart's setting, with and without the skip
    python bench/torch_step.py --precision bf16
    python bench/torch_step.py --strata 7-12         what a staged arm trains on
    python bench/torch_step.py --model FOLDER --tasks 4 --samples 4 --max-tokens 16 --precision bf16
    python bench/torch_step.py --against CHECKOUT    generated tokens per CPU second, beside another build's
    python bench/torch_step.py --against CHECKOUT --model smollm2-135m-instruct --loader gguf --tasks 2 \
        --max-tokens 16 --steps 2 --warmup 1

A real run of the real loop on one thread: session, verifier and ledger included. Seconds are CPU
seconds of the process, medians over steps with their quartiles. The limit is what the floating point
operations of weight matrices alone would take at the speed of a large matrix product measured here:
2 a weight for each token that is prefilled (a prompt once per group) or decoded, 6 for each that is
trained on; attention, softmax, padding and Python are the distance to it.

With `--against`, this build and another one run by turns, each in a process of its own, on the same steps
of the same recipe. Printed are the ratio of their generated tokens per CPU second, step by step, with
quartiles, and whether they drew the same tokens with the same log-probabilities: in the first step, whose
weights are the same; in later ones an update's rounding has been carried on by the optimizer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch

from harness.plugging.plugins import load
from harness.recording.ledger import read
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
    print(f"  CPU seconds per step of {rollouts} completions {spread(total)}")
    rest = total
    for phase in PHASES:
        spent = [m.extra.get(f"{phase}_cpu_seconds", 0.0) for m in metrics]
        rest = [a - b for a, b in zip(rest, spent, strict=True)]
        print(f"    {phase:37s} {spread(spent)}")
    print(f"    {'rest (rewards, ledger, tensors)':37s} {spread(rest)}")
    made = [t / m.extra["generate_cpu_seconds"] for t, m in zip(tokens, metrics, strict=True)]
    print(
        f"  generated tokens per step {median(tokens):,.0f}; a CPU second of generating {median(made):,.0f}"
    )
    trained = median([m.extra["trained_tokens"] for m in metrics])
    mixed = 1 - sum(m.zero_variance_groups for m in metrics) / len(metrics)
    print(f"  trained tokens per step {trained:,.0f}; groups with mixed outcomes {mixed:.0%}")
    needed = (generating + training) / limit
    print(f"  limit {needed:.4f} s ({generating / 1e9:.2f} + {training / 1e9:.2f} Gflop at "
          f"{limit / 1e9:.0f} Gflop/s); a step takes {median(total) / needed:.1f} times that")  # fmt: skip


def record(options: argparse.Namespace) -> dict[str, Any]:
    """One run: tokens and CPU seconds of generating by step, ids and log-probabilities by completion."""
    with tempfile.TemporaryDirectory() as folder:
        run = Workbench(Path(folder), load()).run(recipe(options, skip=True))
        steps = [(m.tokens, m.extra["generate_cpu_seconds"]) for m in run.metrics()]
        completions: list[dict[str, Any]] = [{} for _ in steps]
        for line in read(run.folder / "ledger.jsonl"):
            if line["t"] == "group":
                for rollout in line["group"]["rollouts"]:
                    made = (rollout["completion_ids"], rollout["logprobs"])
                    completions[line["group"]["step"] - 1][json.dumps(rollout["key"], sort_keys=True)] = made
    return {"steps": steps, "completions": completions}


def against(options: argparse.Namespace, arguments: list[str]) -> None:
    """Print how many times the other checkout's generated tokens per CPU second this build makes."""
    ratios: list[float] = []
    speeds: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.pairs):
        pair = [_record_of(checkout, arguments) for checkout in (Path(__file__).parents[1], options.against)]
        steps = zip(*(run["steps"][options.warmup :] for run in pair), strict=True)
        for mine, theirs in steps:
            made = [tokens / seconds for tokens, seconds in (mine, theirs)]
            ratios.append(made[0] / made[1])
            for speed, speeds_ in zip(made, speeds, strict=True):
                speeds_.append(speed)
    low, middle, high = quantiles(ratios, n=4)
    print(f"{options.pairs} pairs of runs, {len(ratios)} pairs of steps")
    for name, values in zip(("this build", "the other one"), speeds, strict=True):
        print(f"  generated tokens per CPU second, {name:14s} {median(values):10,.0f}")
    print(f"  ratio {middle:.2f} (quartiles {low:.2f} to {high:.2f})")
    for name, steps_ in (("first step", slice(1)), ("all steps", slice(None))):
        _compare(name, *(run["completions"][steps_] for run in pair))


def _record_of(checkout: Path, arguments: list[str]) -> dict[str, Any]:
    """A run of the build in a checkout, by this file."""
    paths = [checkout, checkout / "plugins", checkout / "sandboxes" / "runner"]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, __file__, *arguments, "--record", file.name]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(str(path.resolve()) for path in paths)}
        subprocess.run(command, check=True, env=env)
        made: dict[str, Any] = json.loads(Path(file.name).read_bytes())
    return made


def _compare(name: str, mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    count = other = 0
    apart = [0.0]
    for step, step_of_other in zip(mine, theirs, strict=True):
        for key, (ids, logprobs) in step.items():
            count += 1
            other_ids, other_logprobs = step_of_other.get(key, ((), ()))
            if ids != other_ids:
                other += 1
                continue
            apart += [abs(a - b) for a, b in zip(logprobs, other_logprobs, strict=True)]
    near = sum(difference <= 1e-5 for difference in apart) / len(apart)
    print(f"  {name}: {other} of {count} completions with other tokens; log-probabilities of the same tokens "
          f"differ by {max(apart):.1e} at most, {near:.2%} of them by 1e-5 or less")  # fmt: skip


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
    parser.add_argument("--loader", default="packaged", help="of a model that is no folder")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of this project")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each build, with --against")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.against:
        arguments, given = [], iter(sys.argv[1:])
        for argument in given:
            if argument == "--against":
                next(given)
            elif not argument.startswith("--against="):
                arguments.append(argument)
        against(options, arguments)
        return
    options.loader = "folder" if Path(options.model).is_dir() else options.loader
    options.model = str(Path(options.model).resolve()) if options.loader == "folder" else options.model
    torch.set_num_threads(1)
    if options.record:
        options.record.write_text(json.dumps(record(options)))
        return
    limit = peak(options.precision)
    for skip in (True, False):
        report(options, skip=skip, limit=limit)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
