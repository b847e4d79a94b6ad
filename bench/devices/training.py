"""Updates, steps and a resume on the device, beside the CPU and beside TRL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import parity
import torch

from devices.place import Place, Row, verdict

#: Within which fp32 agrees with the CPU: loss relative to the scale of what it sums, gradient relative.
LOSS, GRADIENT = 1e-3, 1e-3
#: How many times as far from fp32 as the CPU's bf16 a device's bf16 may be.
ROUGHER = 2.0


def updates(place: Place) -> Iterator[Row]:
    """The trainer `torch` on the device, given the rollouts that the CPU recorded.

    How far bf16 is from fp32 depends on the model; on the CPU it is measured, too, and is the scale.
    """
    for name in place.size.settings:
        reference = trained(place, "torch", name, "fp32", None, device="cpu")
        rough = parity.difference(trained(place, "torch", name, "bf16", reference, device="cpu"), reference)
        for precision, loss, gradient in (
            ("fp32", LOSS, GRADIENT),
            ("bf16", max(LOSS, ROUGHER * rough.loss), ROUGHER * max(rough.gradients)),
        ):
            seen = trained(place, "torch", name, precision, reference)
            yield from compared("updates", f"torch, {precision}: {name}", seen, reference, loss, gradient)


def trained(
    place: Place,
    trainer: str,
    name: str,
    precision: str,
    replay: parity.Seen | None,
    *,
    device: str = "",
) -> parity.Seen:
    """A setting of `parity` run by a trainer in a folder of its own; on the device if no other is named."""
    folder = Path(tempfile.mkdtemp(dir=place.folder))
    return parity.run(trainer, name, folder, place.plugins, replay, place.resources(precision, device))


def compared(
    check: str, what: str, seen: parity.Seen, reference: parity.Seen, loss: float, gradient: float
) -> Iterator[Row]:
    """What two runs over the same rollouts computed in the first step."""
    apart = parity.difference(seen, reference)
    mine, theirs = seen.metrics[0].loss, reference.metrics[0].loss
    same = apart.decisions and apart.advantages <= parity.ADVANTAGES
    yield Row(
        check, f"{what}: advantages", f"{apart.advantages:.1e} apart", f"at most {parity.ADVANTAGES:.0e}",
        verdict(same),
    )  # fmt: skip
    yield Row(
        check, f"{what}: loss", f"{mine:.7f}, {apart.loss:.1e} apart", f"{theirs:.7f}, at most {loss:.1e}",
        verdict(apart.loss <= loss),
    )  # fmt: skip
    yield Row(
        check, f"{what}: gradient", f"{max(apart.gradients):.1e} apart", f"at most {gradient:.1e}",
        verdict(max(apart.gradients) <= gradient),
    )  # fmt: skip


def trl(place: Place) -> Iterator[Row]:
    """The trainer `trl` on the device, given the rollouts that `torch` recorded there."""
    if why := parity.absent("trl", place.plugins):
        yield Row("trl", "a step of TRL's GRPOTrainer", why, verdict="skipped")
        return
    name = place.size.settings[0]
    reference = trained(place, "torch", name, "fp32", None)
    seen = trained(place, "trl", name, "fp32", reference)
    yield from compared("trl", f"trl beside torch, fp32: {name}", seen, reference, LOSS, GRADIENT)
    own, other = (median(m.seconds for m in run.metrics[1:]) for run in (seen, reference))
    yield Row("trl", "seconds per step, trl beside torch", f"{own:.3f}", f"{other:.3f}")


def recipe(place: Place, precision: str, steps: int) -> dict[str, Any]:
    """A plain stage in which every completion is trained on."""
    size = place.size
    return {
        "name": "device",
        "model": {
            "name": str(place.files().path),
            "loader": "folder",
            "prompt": place.prompt,
        },
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": "9-16"}]},
        "trainer": {"name": "torch", "skip_without_advantage": False},
        "resources": place.resources(precision),
        "report": {"reporters": []},
        "checkpoints": {"every_steps": 1, "min_free_gb": 0.1},
        "stages": [
            {
                "name": "s",
                "curriculum": "uniform",
                "rollout": {"n": size.samples, "batch": size.tasks, "max_tokens": place.max_tokens},
                # So that a step of alike rewards has a gradient.
                "loss": {"entropy": 0.01},
                "optimizer": {"lr": 1e-5},
                "max_steps": steps,
            }
        ],
    }


def step(place: Place) -> Iterator[Row]:
    """Speed and memory of a step of the trainer `torch`, the first step left out of the speed."""
    for precision in ("fp32", "bf16"):
        if place.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        metrics = (
            place.bench(f"step-{precision}").run(recipe(place, precision, 1 + place.size.steps)).metrics()[1:]
        )
        rate = sum(m.tokens for m in metrics) / sum(m.seconds for m in metrics)
        seconds = median(m.seconds for m in metrics)
        tokens = median(m.tokens for m in metrics)
        yield Row("step", f"generated tokens per second of whole steps, {precision}", f"{rate:,.0f}")
        yield Row(
            "step", f"seconds per step, {precision}", f"{seconds:.3f}", f"{tokens:,.0f} tokens per step"
        )
        if place.device == "cuda":
            memory = torch.cuda.max_memory_allocated() / 2**20
            yield Row("step", f"peak memory of a step, {precision}", f"{memory:,.0f} MiB on the device")
        else:
            yield Row("step", f"peak memory of a step, {precision}", "no GPU", verdict="skipped")


def resume(place: Place) -> Iterator[Row]:
    """A run of the packaged model that ends in the middle and goes on, beside one that was not broken."""
    steps, values = 3, recipe(replace(place, model=""), "fp32", 3)
    unbroken = place.bench("unbroken").run(values)
    bench = place.bench("broken")
    broken = bench.run(values, crash_after=2)
    after = bench.run(values)
    went_on = broken.crashed and not after.crashed and 0 < len(after.metrics()) < steps
    yield Row(
        "resume", "steps that remain after a crash after step 2", f"{len(after.metrics())}", f"of {steps}",
        verdict(went_on),
    )  # fmt: skip
    own, other = (run.metrics()[-1].grad_norm or 0.0 for run in (after, unbroken))
    yield Row(
        "resume", "gradient norm of the last step", f"{own:.7f}", f"unbroken: {other:.7f}",
        verdict(other > 0 and abs(own - other) <= GRADIENT * other),
    )  # fmt: skip
    shas = {run.trained[-1][1].files.weights_sha for run in (after, unbroken)}
    # Kernels of a GPU that add in any order may end with other bits; the CPU's may not.
    bound = place.device == "cpu" or len(shas) == 1
    yield Row(
        "resume", "weights bit for bit those of an unbroken run", "yes" if len(shas) == 1 else "no",
        verdict=verdict(len(shas) == 1) if bound else "measured",
    )  # fmt: skip
