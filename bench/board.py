"""How long a board of very many entries takes to build, and how large its largest page is.

    python bench/board.py [--entries 10000] [--keep FOLDER]

Entries are made up: a tenth on a benchmark of 500 problems, the others on nine of 30, under four profiles, by
400 models. Prints seconds and bytes as ratios to their limits (10 s per 10,000 entries, 1 MB per page); exit
code 1 when one is above 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness import statistics
from harness.board.site import build_site
from harness.contract.records import digest

SECONDS: Final = 10.0
ENTRIES: Final = 10_000
BYTES: Final = 1_000_000
MODELS: Final = 400
BENCHMARKS: Final = 10
PROFILES: Final = 4
SAMPLES: Final = 4


def made_up(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """An entry's file, as plain values that pass every check."""
    benchmark, profile, model = number % BENCHMARKS, number // BENCHMARKS % PROFILES, number % MODELS
    problems = [f"p{i:03d}" for i in range(500 if benchmark == 0 else 30)]
    passes = rng.binomial(SAMPLES, rng.beta(2, 2), size=len(problems))
    score = statistics.score_counts(passes, SAMPLES)
    asked = {"name": f"profile-{profile}", "temperature": 0.6 + profile / 10, "samples": SAMPLES}
    tokens = float(rng.integers(200, 20_000))
    return {
        "schema": 2, "kind": "measured", "board": "many",
        "model": {"name": f"lab-{model % 17}/model-{model}", "weights_sha": digest(model)},
        "recipe": {"name": f"run-{number}", "sha": digest([profile, number]), "arm": "main"},
        "benchmark": {
            "name": f"bench-{benchmark}", "version": "1-A", "problems_sha": digest(problems),
            "problems": len(problems), "samples": SAMPLES, "profile": asked, "profile_sha": digest(asked),
        },
        "score": {
            "metric": f"avg@{SAMPLES}", "value": score.value, "rerun": asdict(score.rerun),
            "benchmark": asdict(score.benchmark),
        },
        "seeds": [{"seed": 0, "value": score.value}],
        "cost": {"rollouts": len(problems) * SAMPLES, "tokens": tokens * len(problems), "cpu_seconds": 10.0},
        "health": {"tokens": tokens},
        "verifiers": {"math": "0123456789abcdef"},
        "finished": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T00:00:00+00:00",
        "problems": {p: [int(c), SAMPLES] for p, c in zip(problems, passes, strict=True)},
        "answers": {p: digest([number, p]) for p in problems},
    }  # fmt: skip


def make_board(root: Path, entries: int) -> None:
    """Write the board `many`."""
    rng = np.random.default_rng(0)
    folder = root / "many" / "entries"
    folder.mkdir(parents=True)
    columns = "".join(f'[[columns]]\nbenchmark = "bench-{i}"\n' for i in range(BENCHMARKS))
    (root / "many" / "board.toml").write_text(f'title = "Many"\n{columns}')
    for number in range(entries):
        (folder / f"run-{number}.json").write_text(json.dumps(made_up(number, rng)))


def measured(folder: Path, entries: int) -> bool:
    """Make a board in the folder, build it, print what that took; returns whether the limits hold."""
    make_board(folder / "leaderboards", entries)
    wall, cpu = time.perf_counter(), time.process_time()
    written = build_site(folder / "leaderboards", folder / "site")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    largest = max(written, key=lambda path: path.stat().st_size)
    size = largest.stat().st_size
    limit = SECONDS * entries / ENTRIES
    print(f"{entries:,} entries, {len(written):,} pages")
    print(f"seconds {wall:.2f} ({cpu:.2f} of CPU), {wall / limit:.2f} of the limit {limit:g}")
    print(f"largest page {size:,} bytes ({largest.relative_to(folder)}), {size / BYTES:.2f} of the limit")
    return wall <= limit and size <= BYTES


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--keep", type=Path, help="Folder that keeps the board and its site.")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return 0 if measured(folder, options.entries) else 1


if __name__ == "__main__":
    sys.exit(main())
