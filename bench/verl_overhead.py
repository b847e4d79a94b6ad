"""What a stage under the trainer `verl` costs besides verl: from the recipe's stage to the job's start, from
its end to the next stage, and the way of a sample from a reward worker to its reward.

    python bench/verl_overhead.py [--samples 2048] [--rounds 3]

verl itself is replaced by a stand-in that generates and learns in no time (`tests/support/fake_verl`); the
driver, the keeper, the socket and the verifier are real. Prints, of the best round, the seconds of a stage
without samples and, beyond the verifier's own time, the milliseconds of a sample: wall clock and CPU of
driver and job together. Left out, since the stand-in has none of it: the start of Ray, vLLM and verl, the
way of a completion through verl's agent loop and transfer queue to a reward worker, completions longer than
12 tokens, weights and checkpoints of a real size. Exit code 1 when a limit is missed: 3 s a stage, 1 ms a
sample.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.contract.records import Rollout, Task  # noqa: E402
from harness.plugging.plugins import load  # noqa: E402
from harness.scoring import Scorer, VerifierSpec  # noqa: E402
from harness.testing.workbench import Recorded, Workbench  # noqa: E402
from tests.support.verl import stand_in_python  # noqa: E402

STAGE_SECONDS: Final = 3.0
SAMPLE_MS: Final = 1.0
GROUP: Final = 16


def recipe(batch: int, stages: int) -> dict[str, Any]:
    stage = {"rollout": {"n": GROUP, "batch": batch, "max_tokens": 12}, "max_steps": 1}
    return {
        "name": "overhead",
        "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw"},
        "trainer": {"name": "verl", "python": "python"},
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": "6-9"}]},
        "checkpoints": {"min_free_gb": 0.05},
        "detail": "group",
        "report": {"reporters": []},
        "stages": [{"name": f"s{i}", **stage} for i in range(stages)],
    }


def run(batch: int, stages: int) -> tuple[float, float, Recorded]:
    """Wall and CPU seconds of a run, start-up of this process apart, and its record."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["HARNESS_CACHE"] = str(Path(name) / "cache")
        stand_in_python(Path(name))
        bench = Workbench(Path(name), load())
        wall, cpu = time.perf_counter(), spent()
        record = bench.run(recipe(batch, stages))
        return time.perf_counter() - wall, spent() - cpu, record


def spent() -> float:
    """CPU seconds of this process and of the children that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def verifying(record: Recorded) -> float:
    """Seconds that the verifier alone needs for the record's samples."""
    tasks: dict[str, Task] = {t.id: t for call in record.of("next_tasks") for t in call.value}
    pairs: list[tuple[Task, Rollout]] = []
    for call in record.of("collect"):
        for group in call.value.groups:
            task = tasks.get(group.task) or Task(id=group.task, prompt=(), verifier="exact", answer="0")
            pairs += [(task, rollout) for rollout in group.rollouts or ()]
    spec = VerifierSpec(
        name="exact",
        target="harness_exact.exact:Exact",
        options_model="harness_exact.exact:ExactOptions",
        in_process=True,
    )
    with Scorer({"exact": spec}) as scorer:
        start = time.perf_counter()
        scorer.score_many(pairs)
        return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    batch = options.samples // GROUP
    run(1, 1)  # Imports, and the model into the cache of the operating system.
    stage, wall_ms, cpu_ms = [], [], []
    for _ in range(options.rounds):
        one, one_cpu, _ = run(1, 1)
        three, _, _ = run(1, 3)
        stage.append((three - one) / 2)
        full, full_cpu, record = run(batch, 1)
        own = verifying(record)
        samples = (batch - 1) * GROUP
        wall_ms.append((full - one - own) / samples * 1e3)
        cpu_ms.append((full_cpu - one_cpu - own) / samples * 1e3)
    print(f"a stage: {min(stage):.2f} s (limit {STAGE_SECONDS}, {min(stage) / STAGE_SECONDS:.2f} of it)")
    print(
        f"a sample beyond its verifier: {min(wall_ms):.3f} ms, {min(cpu_ms):.3f} ms CPU "
        f"(limit {SAMPLE_MS}, {min(cpu_ms) / SAMPLE_MS:.2f} of it)"
    )
    return int(min(stage) > STAGE_SECONDS or min(cpu_ms) > SAMPLE_MS)


if __name__ == "__main__":
    sys.exit(main())
