"""What the fit, the placement and the predictions are worth on a published table.

    python bench/livecodebench.py performances_generation.json

The table is LiveCodeBench's own: `src/mocks/performances_generation.json` of the public repository
LiveCodeBench/livecodebench.github.io at 83b6481 (16 configurations by 1,055 problems; the same model at
several reasoning efforts among them). It is not part of this distribution. Everything is on the scale of the
fitted configurations, whose abilities have standard deviation 1, and repeats by its seeds.

Printed: abilities; log-loss and Brier score of hidden cells; and the error of a left-out configuration's
ability after 8, 16 and 32 of its problems, against its ability by all of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from harness.statistics.irt import Items, Matrix, Placement, fit, matrix_of, next_items, passing, place

from harness_radar.choosing import Floats

AFTER = (8, 16, 32)
HOW = ("by information", "at random")
#: Draws of either choice.
DRAWS = 10


def table(path: Path) -> Matrix:
    """The outcomes: a problem's share of passed samples counts as one sample."""
    outcomes: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in json.loads(path.read_text(encoding="utf-8"))["performances"]:
        outcomes[row["model"]][row["question_id"]] = (1.0, row["pass@1"] / 100)
    return matrix_of(outcomes)


def rows(matrix: Matrix, places: list[int]) -> Matrix:
    names = tuple(matrix.configurations[i] for i in places)
    return Matrix(names, matrix.items, matrix.samples[places], matrix.passes[places])


def hidden(matrix: Matrix, seed: int = 0) -> None:
    """One cell in five is hidden; what predicts it best?"""
    shown = np.random.default_rng(seed).random(matrix.samples.shape) > 0.2
    seen = Matrix(matrix.configurations, matrix.items, matrix.samples * shown, matrix.passes * shown)
    fitted = fit(seen)
    n, k = seen.samples, seen.passes
    guesses = {
        "2PL": passing(fitted.theta[:, None], fitted.items.a, fitted.items.b),
        "item's mean": np.broadcast_to((k.sum(0) + 0.5) / (n.sum(0) + 1), n.shape),
        "configuration's mean": np.broadcast_to((k.sum(1) / n.sum(1))[:, None], n.shape),
    }
    truth = matrix.passes[~shown]
    for name, guess in guesses.items():
        p = np.clip(guess[~shown], 1e-4, 1 - 1e-4)
        loss = -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean()
        print(f"hidden cells, {name}: log-loss {loss:.3f}, Brier {((p - truth) ** 2).mean():.3f}")


def placements(items: Items, passes: Floats, rng: np.random.Generator, *, told: bool) -> dict[int, Placement]:
    """The ability after so many problems, chosen by information or at random."""
    n, k = np.zeros(len(items)), np.zeros(len(items))
    placed = Placement(0.0, 1.0)
    after = {}
    for asked in range(1, max(AFTER) + 1):
        draws = rng.random(len(items))
        (chosen,) = next_items(items, placed, n == 0, draws, spread=0.03 if told else 1.0)
        n[chosen], k[chosen] = 1.0, passes[chosen]
        placed = place(items, n, k)
        if asked in AFTER:
            after[asked] = placed
    return after


def left_out(matrix: Matrix) -> None:
    """Each configuration in turn is placed on the scale of the others."""
    wrong: dict[tuple[str, int], list[float]] = defaultdict(list)
    rate: dict[tuple[str, int], list[float]] = defaultdict(list)
    inside: dict[tuple[str, int], list[float]] = defaultdict(list)
    for i in range(len(matrix.configurations)):
        others = fit(rows(matrix, [j for j in range(len(matrix.configurations)) if j != i]))
        items, passes = others.items, matrix.passes[i]
        whole = place(items, np.ones(len(items)), passes)
        for how, draw in [(how, draw) for how in HOW for draw in range(DRAWS)]:
            after = placements(items, passes, np.random.default_rng((i, draw)), told=how == HOW[0])
            for asked, placed in after.items():
                wrong[how, asked].append((placed.theta - whole.theta) ** 2)
                told = float(passing(placed.theta, items.a, items.b).mean())
                rate[how, asked].append((told - float(passes.mean())) ** 2)
                inside[how, asked].append(abs(placed.theta - whole.theta) < 1.96 * placed.se)
    for how in HOW:
        for asked in AFTER:
            key = (how, asked)
            theta, share = np.mean(wrong[key]) ** 0.5, np.mean(rate[key]) ** 0.5
            print(
                f"left out, {asked} problems {how}: rmse of ability {theta:.3f}, of the pass rate over all "
                f"{share:.3f}; 95 % interval holds {np.mean(inside[key]):.2f}"
            )


def main(path: Path) -> None:
    matrix = table(path)
    began = time.process_time()
    fitted = fit(matrix)
    print(
        f"fitted {matrix.samples.shape} in {time.process_time() - began:.1f} s of CPU, {fitted.rounds} rounds"
    )
    for name, theta, se in sorted(
        zip(fitted.configurations, fitted.theta, fitted.theta_se, strict=True), key=lambda row: row[1]
    ):
        print(f"{theta:7.2f} +- {se:.2f}  {name}")
    hidden(matrix)
    left_out(matrix)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
