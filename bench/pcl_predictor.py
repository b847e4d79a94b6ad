"""What the predictor of `pcl` knows of a problem from its text, on published pass rates.

    python bench/pcl_predictor.py adarft_deepscaler_passrate.jsonl.gz

The file has a problem's text and its published pass rate per line (AdaRFT's labels of DeepScaleR). Steps of
128 problems draw 8 outcomes each by these rates; the predictor learns them and predicts the next 2,048, of
which it has seen nothing. The policy stands still, so nothing fades.

Printed, for predictions after 16, 64 and 128 steps: the root mean square error of the rate, what always
saying the mean would miss, the mean standard error, the share of 95 % intervals that hold, and how far the
rates of the quarter nearest to one half (PCL's choice among 4 candidates) are from one half, against all.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
from harness_difficulty.predicting import Predictor, read

from harness.contract import Message

STEP, SAMPLES = 128, 8
AFTER = (16, 64, 128)
#: Steps over which predictions are judged.
JUDGED = 16


def main(path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(rows))[: (AFTER[-1] + JUDGED) * STEP]
    rates = np.array([rows[i]["pass_rate"] for i in chosen])
    seen = read([(Message("user", rows[i]["problem"]),) for i in chosen])
    predictor = Predictor()
    for step in range(AFTER[-1]):
        part = slice(step * STEP, (step + 1) * STEP)
        passes = rng.binomial(SAMPLES, rates[part]).astype(float)
        predictor.learn(seen[part], passes, np.full(STEP, float(SAMPLES)))
        if step + 1 in AFTER:
            judge(predictor, seen, rates, step + 1)


def judge(predictor: Predictor, seen: np.ndarray, rates: np.ndarray, steps: int) -> None:
    part = slice(steps * STEP, (steps + JUDGED) * STEP)
    told, truth = predictor(seen[part]), rates[part]
    miss = np.sqrt(np.mean((told.mean - truth) ** 2))
    holds = np.mean(np.abs(told.mean - truth) <= 1.96 * told.sd)
    order = np.argsort(np.abs(told.mean - 0.5))
    near = np.abs(truth - 0.5)
    mixed = 1 - truth**SAMPLES - (1 - truth) ** SAMPLES
    quarter = order[: len(order) // 4]
    print(
        f"after {steps} steps: misses {miss:.3f}, the mean {truth.std():.3f}; standard error "
        f"{told.sd.mean():.3f}, 95 % intervals hold {holds:.2f}; distance to .5 of the nearest quarter "
        f"{near[quarter].mean():.3f}, of all {near.mean():.3f}; groups of {SAMPLES} with mixed outcomes "
        f"{mixed[quarter].mean():.3f}, of all {mixed.mean():.3f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
