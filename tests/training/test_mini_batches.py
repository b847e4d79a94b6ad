"""Epochs and mini-batches of a stage: as many updates as they say, which together make the whole batch."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_verl_worker.dealing import dealt
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError
from harness.plugging.plugins import Plugins
from harness.recipe import Stage
from harness.recipe.errors import validated
from harness.testing import Workbench
from tests.support.places import ROOT

sys.path.insert(0, str(ROOT / "bench"))
parity: Any = importlib.import_module("parity")


def run(trainer: str, folder: Path, plugins: Plugins, optimizer: dict[str, Any], **stage: Any) -> Any:
    """What a trainer's updates saw in two steps of which the first moves no weight that matters."""
    if trainer == "trl":
        pytest.importorskip("trl", reason="needs the extra 'trl'")
    values = parity.recipe(trainer, {}, {})
    values["stages"][0] |= {"max_steps": 2, **stage}
    values["stages"][0]["optimizer"] = {"lr": 1e-12, "max_grad_norm": 0, **optimizer}
    name = "-".join(map(str, (trainer, *optimizer.values())))
    seen = parity.Seen(parity.Recorded(folder))
    with parity.watched(trainer, seen):
        seen.run = Workbench(folder, plugins).run(values, name)
    return seen


@pytest.mark.parametrize("trainer", ["torch", "trl"])
def test_mini_batches_are_so_many_updates_and_make_the_batch(
    trainer: str, tmp_path: Path, harness_plugins: Plugins
) -> None:
    whole = run(trainer, tmp_path, harness_plugins, {"epochs": 1})
    parts = run(trainer, tmp_path, harness_plugins, {"epochs": 2, "mini_batches": 4})
    assert len(whole.gradients) == 2
    assert len(parts.gradients) == 2 * 2 * 4
    first = whole.gradients[0]
    assert float(first.norm()) > 0
    for epoch in (0, 4):
        mean = torch.stack(parts.gradients[epoch : epoch + 4]).mean(0)
        assert parity.relative(mean, first) < 1e-4
        shares = parts.advantages[epoch : epoch + 4]
        assert {k: v for share in shares for k, v in share.items()} == pytest.approx(whole.advantages[0])
    (loss, *_), (other, *_) = ([m.loss for m in seen.metrics] for seen in (whole, parts))
    assert other == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("trainer", ["torch", "trl"])
def test_warm_up_counts_steps_and_not_updates(trainer: str, tmp_path: Path, harness_plugins: Plugins) -> None:
    seen = run(trainer, tmp_path, harness_plugins, {"warmup_steps": 2, "epochs": 2, "mini_batches": 2})
    assert [m.learning_rate for m in seen.metrics] == [pytest.approx(5e-13), pytest.approx(1e-12)]


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"rollout\.batch = 32 cannot be divided into 5 optimizer\.mini_ba"):
        validated(Stage, {"name": "one", "optimizer": {"mini_batches": 5}}, where="here")


@given(
    ranks=st.integers(1, 4), parts=st.integers(1, 4), room=st.integers(1, 5), data=st.data()
)  # fmt: skip
def test_verls_mini_batches_each_have_rows_that_count(
    ranks: int, parts: int, room: int, data: st.DataObject
) -> None:
    share = parts * room
    counts = data.draw(st.lists(st.booleans(), min_size=ranks * share, max_size=ranks * share))
    order = dealt(counts, ranks, parts)
    if sum(counts) < parts:
        assert order is None
        return
    assert order is not None
    for rank in range(ranks):
        mine = range(rank * share, (rank + 1) * share)
        assert sorted(order[mine.start : mine.stop]) == list(mine), "rows stay with their process"
    of = [
        sum(counts[order[rank * share + part * room + i]] for rank in range(ranks) for i in range(room))
        for part in range(parts)
    ]
    assert sum(of) == sum(counts)
    assert min(of) >= 1
