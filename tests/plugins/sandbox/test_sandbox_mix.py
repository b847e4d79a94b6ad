"""Harmless and hostile programs together under full concurrency: every verdict right, nothing left."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest
from harness_code import corpus, mix
from harness_sandbox.canary import survivors, uid_ranges

from tests.support.sandboxes import CANARIES, WARM, sandbox


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("kind", WARM)
def test_a_mix_gets_its_right_verdicts_and_leaves_nothing(kind: str) -> None:
    hostile = [program for program in corpus.load(CANARIES) if "pass" not in program.right]
    with sandbox(kind, slots=2, queue=16) as pool:
        asyncio.run(mix.run(mix.programs(50, hostile, share=0.0, seed=1), pool))
        gc.collect()
        before, stats = _rss_mb(), pool.stats.jobs
        tally = asyncio.run(mix.run(mix.programs(1000, hostile, seed=2), pool))
        gc.collect()
        assert tally.wrong == []
        assert sum(tally.verdicts.values()) == 1000
        assert pool.stats.jobs == stats + 1000
        assert pool.stats.infra_errors == 0
        assert _rss_mb() - before < 30
        ranges = uid_ranges(pool)
    assert survivors(ranges, patience=5) == []


def test_a_mix_is_the_same_for_the_same_seed() -> None:
    hostile = corpus.load(CANARIES)
    assert mix.programs(100, hostile, seed=3) == mix.programs(100, hostile, seed=3)
    assert mix.programs(100, hostile, seed=3) != mix.programs(100, hostile, seed=4)
    share = sum(not p.name.startswith("harmless") for p in mix.programs(2000, hostile, seed=5)) / 2000
    assert 0.03 < share < 0.07
