"""All curricula ranked by the rollouts that a simulated student needs: a SIMULATION, no language model.

    # a few curricula, students and seeds, in about a minute
    python bench/curricula.py

    # all of them, 10 paired seeds; writes docs/make/curricula.json
    python bench/curricula.py --full

    # only these, beside uniform; the other rows stay as they are
    python bench/curricula.py --full --arm vcrl --arm prompt-replay

    # one step's cost and the memory of a pool of a million tasks
    python bench/curricula.py --million

Items are as difficult as 29,724 problems of DeepScaleR were for the model behind their published pass rates
(HARNESS_DATA, else ../shared/data). Each curriculum trains students of four abilities through the real
loop, session and ledger, on two grounds: the problems themselves, each its own subject, and 40 strata of
neighbouring rates that never repeat an item. The score is the student's exact expected pass rate on the
held-out tenth of the problems, so that a curve has no noise of evaluation; the target is what `GAIN` logits
more of ability give. The crossing, the ratio to uniform and its interval are those of
docs/explanation/saving.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from harness.contract import (
    CurriculumContext,
    Difficulty,
    Directive,
    Policy,
    PolicyRef,
    Session,
    StepMetrics,
)
from harness.contract.seeds import generator
from harness.planning.plan import make_plans
from harness.plugging.plugins import Plugins, load
from harness.recipe import Stage
from harness.recording.ledger import read
from harness.running.loop import proceed
from harness.running.parts import Parts
from harness.statistics import Crossing, Ratio, crossing, median_ratio
from harness.tasks.pool import StagePool, TaskPool
from harness.testing import Workbench
from harness.testing.workbench import context

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = Path(os.environ.get("HARNESS_DATA") or ROOT.parent / "shared" / "data")
RATES: Final = DATA / "difficulty" / "adarft_deepscaler_passrate.jsonl.gz"
TABLE: Final = ROOT / "docs" / "make" / "curricula.json"

#: Abilities of the students, in logits; 0 is the model behind the published rates.
ABILITIES: Final = (-3.0, -1.5, 0.0, 1.5)
#: The target is the expected pass rate at so many logits more than at the start.
GAIN: Final = 1.5
STRATA: Final = 40
N, BATCH = 8, 16
#: Where a run ends that has not reached its target.
BUDGET: Final = 30_720
#: Steps that planned curricula (E2H) are planned for.
PLANNED: Final = 100

#: Curricula by name: what the stage says. Levels make arms of the 29,724 problems; strata are arms already.
LEVELS: Final = 20
ARMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "uniform": {},
    "learnability": {},
    "learnability-neighbours": {"name": "learnability", "neighbours": 0.25},
    "learnability-pilot": {},
    "adarft": {"model": "reference"},
    "sec": {"levels": LEVELS},
    "dump": {"levels": LEVELS},
    "e2h-cosine": {"levels": LEVELS, "steps": PLANNED},
    "e2h-gaussian": {"levels": LEVELS, "steps": PLANNED, "width": 2.0},
    "greso": {},
    "mopps": {},
    "mopps-neighbours": {"name": "mopps", "neighbours": 0.25},
    "vcrl": {},
    "prompt-replay": {},
    "speed": {},
    "pilot-commit": {},
    "knapsack": {},
    "reinforce-ada": {},
    "dars": {},
    "hora": {},
}
QUICK: Final = ("uniform", "learnability", "adarft", "sec", "speed")
#: A ledger is synced at each step; in memory that costs nothing.
MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
GROUNDS: Final = ("problems", "strata")


@dataclass(frozen=True, slots=True)
class Ground:
    """A pool, the labels that were published of it, and the difficulties that scores are taken on."""

    name: str
    source: Mapping[str, Any]
    labels: Path
    heldout: np.ndarray

    def score(self, ability: float) -> float:
        """Expected pass rate on the held-out problems."""
        return float((1 / (1 + np.exp(self.heldout - ability))).mean())


def ground(name: str, plugins: Plugins, folder: Path) -> Ground:
    """The ground of this name; its published labels are written into the folder."""
    options: dict[str, Any] = {"name": "sim-rates", "path": str(RATES)}
    if name == "strata":
        options |= {"form": "strata", "strata": STRATA}
    made = context(plugins, folder)
    source = made.build("task_sources", "sim-rates", {k: v for k, v in options.items() if k != "name"})
    heldout = made.build("task_sources", "sim-rates", {"path": str(RATES), "split": "heldout"})
    labels = folder / f"{name}.jsonl"
    with labels.open("w", encoding="utf-8") as file:
        for subject in source.subjects():
            rows = source.rows(subject)
            rate = float((1 / (1 + np.exp(source.difficulties[rows.start : rows.stop]))).mean())
            file.write(json.dumps({"id": subject, "pass_rate": rate}) + "\n")
    return Ground(name, options, labels, heldout.difficulties)


def recipe(at: Ground, arm: str, ability: float, seed: int) -> dict[str, Any]:
    curriculum = {"name": arm, **ARMS[arm]}
    if at.name == "strata" and "levels" in curriculum and not arm.startswith("e2h"):
        curriculum["levels"] = 0  # strata are arms already
    return {
        "name": "curricula",
        "seeds": [seed],
        "detail": "group",
        "model": {"name": "student", "loader": {"name": "sim", "ability": ability}, "prompt": "raw"},
        "tasks": {"train": [dict(at.source)]},
        "trainer": {"name": "sim", "gain": 1500.0},
        "difficulty": {"labels": {"reference": {"path": str(at.labels)}} if arm == "adarft" else {}},
        "budget": {"rollouts": BUDGET},
        "checkpoints": {"every_steps": 1_000_000, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": [
            {
                "name": "all",
                "curriculum": curriculum,
                "rollout": {"n": N, "batch": BATCH, "max_tokens": 1_000_000},
                "optimizer": {"lr": 1e-4},
            }
        ],
    }


class Stopping:
    """A trainer that ends its stage once the student has been at an ability for two steps in a row: what
    comes after a crossing does not move it."""

    def __init__(self, trainer: Any, ability: float) -> None:
        self._trainer, self._ability, self._steps = trainer, ability, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        report = session.finish_step

        def finish_step(metrics: StepMetrics) -> Directive:
            directive = report(metrics)
            self._steps = self._steps + 1 if metrics.extra["ability"] >= self._ability else 0
            return replace(directive, stop="the target is reached") if self._steps >= 2 else directive

        session.finish_step = finish_step  # type: ignore[method-assign]
        made: Policy = self._trainer.train(stage, policy, session)
        return made


def curve(plugins: Plugins, at: Ground, arm: str, ability: float, seed: int) -> list[tuple[float, float]]:
    """(rollouts, expected pass rate) after each step."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, ExitStack() as stack:
        file = Workbench(Path(folder), plugins).file(recipe(at, arm, ability, seed))
        (plan,) = make_plans(file, plugins)
        parts = Parts(plan, Path(folder) / "run", stack)
        parts.trainer = Stopping(parts.trainer, ability + GAIN)
        proceed(parts)
        points = [(0.0, at.score(ability))]
        for line in read(Path(folder) / "run" / "ledger.jsonl"):
            if line["t"] == "step":
                now = line["metrics"]["extra"]["ability"]
                points.append((float(line["spent_rollouts"]), at.score(now)))
        return points


@dataclass(frozen=True, slots=True)
class Result:
    """One curriculum on one ground: its crossings by student and seed."""

    crossings: Mapping[float, Sequence[Crossing]]


def measured(plugins: Plugins, at: Ground, arm: str, abilities: Sequence[float], seeds: int) -> Result:
    crossings: dict[float, list[Crossing]] = {}
    for ability in abilities:
        target = at.score(ability + GAIN)
        curves = [curve(plugins, at, arm, ability, seed) for seed in range(seeds)]
        crossings[ability] = [crossing(points, target) for points in curves]
    return Result(crossings)


def ratio(arm: Result, base: Result) -> Ratio:
    """Geometric mean over students of a seed's crossings, as one value per seed: ratio of medians."""

    def by_seed(result: Result) -> list[tuple[float, float]]:
        low = np.array([[c.low for c in seeds] for seeds in result.crossings.values()])
        high = np.array([[c.high for c in seeds] for seeds in result.crossings.values()])
        with np.errstate(divide="ignore"):
            means = [np.exp(np.log(ends).mean(axis=0)).tolist() for ends in (low, high)]
        return list(zip(*means, strict=True))

    return median_ratio(by_seed(arm), by_seed(base))


def ranked(
    plugins: Plugins,
    name: str,
    arms: Sequence[str],
    abilities: Sequence[float],
    seeds: int,
    keep: Callable[[list[dict[str, Any]]], None] | None = None,
) -> list[dict[str, Any]]:
    """Rows of a ground's table, the fewest rollouts first."""
    with tempfile.TemporaryDirectory() as folder:
        at = ground(name, plugins, Path(folder))
        results = {}
        for arm in arms:
            start = time.process_time()
            results[arm] = measured(plugins, at, arm, abilities, seeds)
            print(f"  {name}, {arm}: {time.process_time() - start:.0f} CPU-s", file=sys.stderr, flush=True)
            base = results["uniform"]
            rows = [_row(done, result, base) for done, result in results.items()]
            rows.sort(key=_rank)
            if keep is not None:
                keep(rows)
    return rows


def kept(name: str, abilities: Sequence[float], rows: list[dict[str, Any]]) -> None:
    """Write a ground's rows, as far as they are, for the table of docs/reference/curricula.md; rows of other
    curricula stay."""
    tables = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}
    new = {row["arm"] for row in rows}
    others = [row for row in tables.get(name, {}).get("rows", ()) if row["arm"] not in new]
    every = sorted([*rows, *others], key=_rank)
    tables[name] = {"students": list(abilities), "gain": GAIN, "rows": every}
    TABLE.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def _rank(row: Mapping[str, Any]) -> tuple[float, str]:
    return row["ratio"][0], row["arm"]


def _row(arm: str, result: Result, base: Result) -> dict[str, Any]:
    made = ratio(result, base)
    every = [c for seeds in result.crossings.values() for c in seeds]
    return {
        "arm": arm,
        "crossed": [sum(c.crossed for c in every), len(every)],
        "ratio": [made.low, _finite(made.high)],
        "interval": None if made.interval is None else [made.interval[0], _finite(made.interval[1])],
        "by_student": {
            str(ability): [
                float(np.median([c.low for c in seeds])), _finite(float(np.median([c.high for c in seeds])))
            ]
            for ability, seeds in result.crossings.items()
        },
        "seeds": made.seeds,
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def show(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    print(f"SIMULATION, ground {name!r}: rollouts to {GAIN:g} logits more, as a ratio to uniform")
    print(f"{'curriculum':<26}{'crossed':>9}{'ratio':>8}  {'95 % interval':<18}median by student")
    for row in rows:
        low, high = row["ratio"]
        said = f"{low:.2f}" if low == high else f">{low:.2f}"
        ends = row["interval"] or ["–", "–"]
        interval = " to ".join("–" if end in (None, "–") else f"{end:.2f}" for end in ends)
        medians = "  ".join(
            f"{ends[0]:>8,.0f}" if ends[0] == ends[1] else f"{'>' + format(ends[0], ',.0f'):>8}"
            for ends in row["by_student"].values()
        )
        crossed = "{} of {}".format(*row["crossed"])
        print(f"{row['arm']:<26}{crossed:>9}{said:>8}  {interval:<18}{medians}")


def million() -> None:
    """A pool of a million tasks: seconds of one step of each curriculum, and the peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        made = context(load(), Path(folder))
        source = made.build("task_sources", "sim-rates", {"path": str(RATES), "count": 1_000_000})
        pool = TaskPool([source])
        label = Difficulty(
            subject="any", model="policy", policy=PolicyRef(weights_sha=""), samples=8, passes=4
        )
        stage = StagePool(pool, pool.subjects, dict.fromkeys(pool.subjects, label))
        print(f"{len(pool.subjects):,} tasks, {_peak():.0f} MB")
        for arm, options in ARMS.items():
            use = {"name": arm, **options}
            if use.get("model"):
                use["model"] = label.model
            curriculum = made.build("curricula", use.pop("name"), use)
            start = time.process_time()
            for step in range(1, 4):
                rng = generator("million", step)
                curriculum.next(128, CurriculumContext("s", step, stage, rng))
            print(
                f"{arm:<26}{(time.process_time() - start) / 3:>8.2f} CPU-s per step, {_peak():.0f} MB",
                flush=True,
            )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="all curricula, students and 10 seeds")
    parser.add_argument("--million", action="store_true", help="cost and memory of a million tasks")
    parser.add_argument("--ground", choices=GROUNDS, action="append", help="only this ground")
    parser.add_argument("--arm", action="append", help="only this curriculum, beside uniform; repeatable")
    parser.add_argument("--seeds", type=int, help="paired seeds")
    given = parser.parse_args()
    if not RATES.is_file():
        print(f"skipped: no real pass rates at {RATES}; HARNESS_DATA names another folder")
        return
    if given.million:
        million()
        return
    arms = ["uniform", *[a for a in given.arm or (ARMS if given.full else QUICK) if a != "uniform"]]
    seeds = given.seeds or (10 if given.full else 2)
    abilities = ABILITIES if given.full else ABILITIES[1:2]
    plugins = load()
    for name in given.ground or (GROUNDS if given.full else GROUNDS[1:]):
        keep = partial(kept, name, abilities) if given.full else None
        show(name, ranked(plugins, name, arms, abilities, seeds, keep))
    if seeds < 10:
        print(f"{seeds} paired seeds: no claim, which needs 10 (--full)")


if __name__ == "__main__":
    main()
