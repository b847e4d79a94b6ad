"""Makes study folders as a run leaves them, with made-up but plausible curves.

Ability grows with the training that hits strata near it; arms differ in where they train. Everything
is drawn from seeds, so a study is the same on every machine.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from harness.contract import seeds
from harness.contract.records import Difficulty, PolicyRef, Sampling, StepMetrics, builtins, encode
from harness.recording.groups import group_line
from harness.recording.ledger import SCHEMA
from harness.testing import group_with

STRATA = [str(n) for n in range(1, 21)]
HELDOUT = [str(n) for n in range(7, 13)]
#: arm -> share of the rollouts that hit strata the model can learn from, at the start and later.
ARMS = {
    "uniform": (0.10, 0.10),
    "frozen-filter": (0.5, 0.03),
    "staged": (0.34, 0.32),
    "learnability": (0.36, 0.4),
}

RECIPE = """name = "quickstart"
about = "A small model learns chains; most strata of its pool are too easy or too hard."
seeds = [0, 1, 2]

[model]
name = "chain-334k"

[tasks]
train = ["arithmetic-chain"]

[trainer]
name = "torch"

[[evaluation.heldout]]
name = "strata-7-12"
per_stratum = 32
max_tokens = 16

[[stages]]
name = "all"

[[arms]]
name = "uniform"
about = "un-staged: every stratum alike"

[[arms]]
name = "frozen-filter"
about = "control: strata picked by the first measurement, never measured again"

[[arms]]
name = "staged"
about = "measured anew before every stage"

[[arms]]
name = "learnability"
about = "online: Thompson draws of p(1-p)"
"""

ENVIRONMENT = {
    "python": "3.11.7",
    "platform": "Linux-6.1-x86_64",
    "cpu": "Example CPU @ 2.5 GHz",
    "cores": 2,
    "memory_gb": 8.0,
    "packages": {"torch": "2.13.0", "transformers": "5.5.0"},
}


def rate(ability: float, stratum: str) -> float:
    return 1 / (1 + math.exp((int(stratum) - ability) * 0.9))


def make_study(
    root: Path,
    *,
    arms: dict[str, tuple[float, float]] = ARMS,
    seed_list: tuple[int, ...] = (0, 1, 2),
    steps: int = 40,
    per_stratum: int = 32,
    samples: int = 1,
    finish: bool = True,
    name: str = "quickstart-1",
    recipe: str = RECIPE,
    environment: dict[str, Any] = ENVIRONMENT,
    heldout: str = "strata-7-12",
    overrides: tuple[str, ...] = (),
) -> Path:
    """Write a study folder and return it."""
    study = root / name
    study.mkdir(parents=True)
    recipe = recipe.replace("per_stratum = 32", f"per_stratum = {per_stratum}\nsamples = {samples}")
    (study / "recipe.toml").write_text(recipe, encoding="utf-8")
    fields = {
        "recipe": "quickstart",
        "recipe_path": str(study / "recipe.toml"),
        "recipe_sha": "4f1e2d3c4b5a6978",
        "overrides": list(overrides),
        "runs": [[arm, seed] for arm in arms for seed in seed_list],
        "blocked": [],
    }
    (study / "study.json").write_text(json.dumps(fields))
    for arm, gains in arms.items():
        for seed in seed_list:
            folder = study / arm / f"seed-{seed}"
            folder.mkdir(parents=True)
            with (folder / "ledger.jsonl").open("wb") as file:
                for line in _run(arm, seed, gains, steps, per_stratum, samples, finish, environment, heldout):
                    file.write(encode(line) + b"\n")
    return study


def _run(
    arm: str,
    seed: int,
    gains: tuple[float, float],
    steps: int,
    per_stratum: int,
    samples: int,
    finish: bool,
    environment: dict[str, Any],
    heldout: str,
) -> Any:
    rng = seeds.generator("studies", arm, seed)
    stream = f"quickstart/{arm}/{seed}"
    yield {
        "t": "opened",
        "schema": SCHEMA,
        "run": {"recipe": "quickstart", "arm": arm, "seed": seed},
        "recipe_sha": "4f1e2d3c4b5a6978",
        "data_sha": "0badc0ffee123456",
        "seed": seed,
        "stream": stream,
        "plugins": [{"name": "tasks", "distribution": "staged-harness", "version": "0.1.0"}],
        "verifiers": {"exact": "aa11bb22cc33dd44"},
        "model": {"name": "chain-334k", "weights_sha": "1234567890abcdef", "context_length": 96},
        "environment": environment,
        "at": "2026-01-02T03:04:05Z",
    }
    spent = [0, 0, 0.0]
    ability = 7.2

    def evaluation(name: str, stage: str, step: int) -> dict[str, Any]:
        strata, problems = {}, {}
        for s in HELDOUT:
            for i in range(per_stratum):
                passes = int(rng.binomial(samples, rate(ability, s)))
                problems[f"chain/{s}/heldout/{i}"] = {
                    "samples": samples,
                    "passes": passes,
                    "tokens": 12 * samples,
                    "truncated": 0,
                    "no_answer": int(rng.random() < 0.02) * (samples - passes),
                }
            mine = [v["passes"] for k, v in problems.items() if k.startswith(f"chain/{s}/")]
            strata[s] = {"samples": samples * per_stratum, "passes": sum(mine), "problems": per_stratum}
        total = sum(v["passes"] for v in strata.values()) / (samples * per_stratum * len(HELDOUT))
        return {
            "t": "evaluation",
            "name": name,
            "heldout": heldout,
            "stage": stage,
            "step": step,
            "spent_rollouts": spent[0],
            "spent_tokens": spent[1],
            "spent_cpu_seconds": spent[2],
            "scores": {"pass_rate": total},
            "strata": strata,
            "problems": problems,
            "cpu_seconds": 0.4,
        }

    def labels(stage: str) -> dict[str, Any]:
        made = [
            Difficulty(
                subject=s,
                model="policy",
                policy=PolicyRef(weights_sha="1234567890abcdef", stage=stage),
                samples=64,
                passes=int(rng.binomial(64, rate(ability, s))),
                sampling=Sampling(max_tokens=44),
                verifier_hash="aa11bb22cc33dd44",
            )
            for s in STRATA
        ]
        spent[0] += 1280
        spent[1] += 1280 * 14
        spent[2] += 2.0
        return {
            "t": "labels",
            "stage": stage,
            "labels": builtins(made),
            "rollouts": 1280,
            "tokens": 17920,
            "cpu_seconds": 2.0,
        }

    yield evaluation("before", "", 0)
    yield labels("")
    per_stage = steps if arm in ("uniform", "learnability", "frozen-filter") else steps // 4
    for first in range(0, steps, per_stage):
        stage = f"stage-{first // per_stage + 1}" if per_stage < steps else "all"
        if first:
            yield labels(stage)
        yield {
            "t": "stage_started",
            "stage": stage,
            "subjects": STRATA,
            "rule": "0.05 <= p <= 0.9",
            "spent_rollouts": spent[0],
        }
        for step in range(1, per_stage + 1):
            done = (first + step) / steps
            useful = gains[0] + (gains[1] - gains[0]) * min(1.0, done * 2)
            for _ in range(8):
                near = rng.random() < useful * 2
                s = (
                    str(int(min(max(round(ability + rng.normal(0, 1.2)), 1), 20)))
                    if near
                    else STRATA[int(rng.integers(20))]
                )
                passes = int(rng.binomial(8, rate(ability, s)))
                line = builtins(_group(s, step, passes))
                yield {"t": "group", "stage": stage, "kept": True, "group": line}
            ability += 4.2 * useful / steps * (1 + 0.3 * rng.normal()) * 3
            spent[0] += 256
            spent[1] += 256 * 14
            spent[2] += 0.3 + 0.05 * rng.random()
            metrics = StepMetrics(
                stage=stage,
                step=step,
                rollouts=256,
                tokens=256 * 14,
                reward_mean=0.5,
                reward_sd=0.5,
                pass_rate=0.5,
                zero_variance_groups=min(1.0, max(0.0, 1 - useful * 1.6)),
                truncated=0.01,
                cpu_seconds=0.3,
                seconds=0.35,
            )
            yield {
                "t": "step",
                "metrics": builtins(metrics),
                "spent_rollouts": spent[0],
                "spent_tokens": spent[1],
                "spent_cpu_seconds": spent[2],
            }
            if step % 4 == 0:
                yield evaluation("inside", stage, step)
        ref = {
            "weights_sha": f"{seeds.seed_of(arm, seed, stage):016x}"[:16],
            "stage": stage,
            "step": per_stage,
        }
        yield {
            "t": "checkpoint",
            "checkpoint": {"policy": ref, "path": f"checkpoints/{stage}-{per_stage}"},
            "stage": stage,
            "step": per_stage,
        }
        yield {"t": "stage_finished", "stage": stage, "reason": "rollouts spent", "step": per_stage}
        yield evaluation("after-stage", stage, per_stage)
    if finish:
        yield evaluation("final", stage, per_stage)
        yield {"t": "finished", "at": "2026-01-02T03:14:05Z"}


def _group(subject: str, step: int, passes: int) -> dict[str, Any]:
    rewards = [1.0 if i < passes else 0.0 for i in range(8)]
    group = group_with(
        rewards, lengths=[14] * 8, task=f"chain/{subject}/train/{step}", subject=subject, step=step
    )
    return group_line(group, "group")


def spoil(run: Path) -> None:
    """Make every evaluation of a run one that lost the samples of a problem, and so has no score."""
    file = run / "ledger.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if line["t"] == "evaluation":
            wanted = sum(count["samples"] for count in line["problems"].values())
            first = next(iter(line["problems"].values()))
            lost = first["samples"]
            first.update(infra=lost, samples=0, passes=0)
            line |= {"scores": {}, "refused": f"{lost} of {wanted} samples could not be judged"}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
