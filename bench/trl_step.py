"""A GRPO step of the trainer `torch` beside one of TRL's GRPOTrainer, and what the harness adds to TRL.

    python bench/trl_step.py                                  chain-334k, 32 tasks x 8, strata 7-12
    python bench/trl_step.py --strata 1-40                    the quickstart's pool: most groups are dead
    python bench/trl_step.py --model FOLDER --tasks 4 --samples 4 --max-tokens 16 --precision bf16

Contenders take turns, round by round, in one process on one thread: `torch` (as recipes run it), `torch
all rows` (completions without advantage go through forward and backward too, as in TRL), `TRL` (plain
GRPOTrainer with the verifier as its reward function), and the trainer `trl` with TRL's own generation.
All have the same model, tasks, group size, limits, sampling and learning rate; each runs from the same
weights. Seconds are CPU seconds of the process per step, whole steps: data, generation, rewards, update;
for the harness also the session and a ledger on disk. The first steps of each round are not counted.
Exit code 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch

from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.plugging.plugins import Plugins, load
from harness.testing.workbench import Workbench

#: Most of TRL's time that a step of `torch` may take, and of a step of `trl` that the session may take.
LIMIT = 0.6
OVERHEAD = 0.03
CONTENDERS = ("torch", "torch all rows", "TRL", "trl")


def source(options: argparse.Namespace) -> dict[str, Any]:
    if options.chat:
        strata = {"terms-2": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}}
        return {"name": "reasoning-gym", "dataset": "chain_sum", "verifier": "last-number", "strata": strata}
    return {"name": "arithmetic-chain", "strata": options.strata}


def recipe(options: argparse.Namespace, trainer: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "bench",
        "model": {
            "name": options.model,
            "loader": "folder" if options.chat else "packaged",
            "prompt": "chat" if options.chat else "raw",
        },
        "verifier": "last-number" if options.chat else "exact",
        "tasks": {"train": [source(options)]},
        "trainer": trainer,
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


@dataclass(frozen=True, slots=True)
class Steps:
    """What a contender's steps took."""

    #: CPU seconds of each step, and what of them the session took: drawing, verifying, gating, the ledger.
    seconds: list[float]
    session: list[float]
    tokens: list[int]
    #: What it trained on, in order, and where its model lies.
    tasks: list[Task]
    model: Path


def harnessed(options: argparse.Namespace, plugins: Plugins, trainer: dict[str, Any]) -> Steps:
    """A run of the real loop."""
    with tempfile.TemporaryDirectory() as folder:
        run = Workbench(Path(folder), plugins).run(recipe(options, trainer))
    metrics = run.metrics()
    return Steps(
        seconds=[m.cpu_seconds for m in metrics],
        session=[m.extra.get("rollouts_cpu_seconds", 0.0) - m.extra["generate_cpu_seconds"] for m in metrics],
        tokens=[m.tokens for m in metrics],
        tasks=[task for call in run.of("next_tasks") for task in call.value],
        model=run.trained[0][0].files.path,
    )


def plain(options: argparse.Namespace, plugins: Plugins, tasks: list[Task], model: Path) -> Steps:
    """TRL as its users run it: a data set, and a reward function around the verifier."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    by_id = {task.id: task for task in tasks}
    tokenizer = AutoTokenizer.from_pretrained(model)
    stamps, tokens = [], []

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            stamps.append(time.process_time())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            stamps.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder), plugins)
        verifier = bench.build("verifiers", {"name": tasks[0].verifier})
        verifier.open()

        def reward(
            completions: list[Any], completion_ids: list[list[int]], id: list[str], **_: Any
        ) -> list[float]:
            tokens.append(sum(map(len, completion_ids)))
            return [
                verifier.verify(by_id[name], rollout(name, answer, ids)).score or 0.0
                for name, answer, ids in zip(id, completions, completion_ids, strict=True)
            ]

        def rollout(name: str, answer: Any, ids: list[int]) -> Rollout:
            text = answer if isinstance(answer, str) else answer[0]["content"]
            return Rollout(
                key=RolloutKey("bench", "train", "bench", 0, name, 0),
                prompt_ids=(),
                completion_ids=tuple(ids),
                text=text,
                finish="stop",
                policy=PolicyRef(weights_sha=""),
                sampling=Sampling(),
            )

        rows = options.tasks * options.samples
        size = max(s for s in range(1, min(rows, options.micro) + 1) if rows % s == 0)
        prompts = [
            [{"role": m.role, "content": m.content} for m in task.prompt]
            if options.chat
            else task.prompt[0].content
            for task in tasks
        ]
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
            reward_funcs=reward,
            args=GRPOConfig(
                folder, learning_rate=options.lr, lr_scheduler_type="constant", adam_beta2=0.98,
                per_device_train_batch_size=size, gradient_accumulation_steps=rows // size,
                num_generations=options.samples, max_completion_length=options.max_tokens,
                max_steps=options.steps + options.warmup, shuffle_dataset=False, seed=0,
                gradient_checkpointing=False, bf16=options.precision == "bf16", use_cpu=True,
                disable_tqdm=True, report_to="none", save_strategy="no", dataloader_pin_memory=False,
            ),
            train_dataset=Dataset.from_list(
                [{"prompt": prompt, "id": task.id} for prompt, task in zip(prompts, tasks, strict=True)]
            ),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    seconds = [end - begin for begin, end in pairwise(stamps)]
    return Steps(seconds, [], tokens, tasks, model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--model", default="chain-334k", help="the packaged model, or a folder of a chat model"
    )
    parser.add_argument("--strata", default="7-12")
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=24)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--steps", type=int, default=6, help="counted steps a round")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--micro", type=int, default=64, help="most rows of TRL's micro-batches")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--only", nargs="*", default=CONTENDERS, choices=CONTENDERS)
    options = parser.parse_args()
    options.chat = Path(options.model).is_dir()
    options.model = str(Path(options.model).resolve()) if options.chat else options.model
    torch.set_num_threads(1)
    plugins = load()
    seconds: dict[str, list[list[float]]] = defaultdict(list)
    tokens: dict[str, list[int]] = defaultdict(list)
    trl = {"name": "trl", "generate": "trl", "micro_batch_rows": options.micro}
    session: list[float] = []
    for _ in range(options.rounds):
        timed = {"torch": harnessed(options, plugins, {"name": "torch"})}
        for name in CONTENDERS[1:]:
            if name not in options.only:
                continue
            if name == "TRL":
                timed[name] = plain(options, plugins, timed["torch"].tasks, timed["torch"].model)
            elif name == "trl":
                timed[name] = harnessed(options, plugins, trl)
                session += timed[name].session[options.warmup :]
            else:
                timed[name] = harnessed(options, plugins, {"name": "torch", "skip_without_advantage": False})
        for name, steps in timed.items():
            seconds[name].append(steps.seconds[options.warmup :])
            tokens[name] += steps.tokens[options.warmup :]
    print(
        f"{options.tasks} tasks x {options.samples}, at most {options.max_tokens} tokens, {options.precision}"
    )
    print(f"{options.rounds} rounds of {options.steps} steps; CPU seconds per step")
    base = [median(steps) for steps in seconds.get("TRL", [])]
    for name in seconds:
        rounds = [median(steps) for steps in seconds[name]]
        line = f"  {name:16s} {median(rounds):8.4f}  (rounds {min(rounds):.4f} to {max(rounds):.4f})"
        line += f", {median(tokens[name]):,.0f} tokens"
        if base and name != "TRL":
            ratios = [own / other for own, other in zip(rounds, base, strict=True)]
            line += f"; of TRL's {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line)
    missed = bool(base) and median(map(median, seconds["torch"])) > LIMIT * median(base)
    if session:
        share = median(session) / median([step for steps in seconds["trl"] for step in steps])
        print(f"  the session's part of a step of trl: {median(session):.4f} ({share:.1%})")
        missed |= share > OVERHEAD
    sys.exit(missed)


if __name__ == "__main__":
    main()
