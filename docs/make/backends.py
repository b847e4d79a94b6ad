"""Writes docs/reference/backends.md: what each trainer makes of the same recipe, model, tasks and rollouts.

    backends.py                    measure and write
    backends.py --check            exit 1 when the page says other things than the code does now
    backends.py --record verl RUN  keep the first step of a finished run (its folder inside its study) beside
                                   what the reference gives for its rollouts

Measured numbers differ in their last digits from machine to machine; `--check` compares everything else.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import torch

from harness.contract.capabilities import TrainerCapabilities
from harness.plugging.plugins import Plugins, load

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))
parity = importlib.import_module("parity")

PAGE: Final = HERE.parent / "reference" / "backends.md"
#: First steps of runs that need an environment of their own, by trainer.
RECORDS: Final = HERE / "backends.json"
NUMBER: Final = re.compile(r"\d\.\de[-+]\d\d")

INTRO: Final = """\
# Trainers, compared

`trainer = "torch"`, `"trl"` or `"verl"`, and nothing else in the recipe changes. This page is written by
`python docs/make/backends.py` from real runs; a test compares it with what the code says now.

## What they can do

Declared by each trainer, tried by the conformance suite, and matched with the recipe before anything starts.
The suite runs `verl`'s driver for real, with a stand-in for verl behind the socket
(`test_verl_conformance.py` in `tests/plugins/verl/`): what verl itself does is tried there by
`test_verl_real.py`, by `test_verl_lora.py` (adapters) and by `test_verl_smollm2.py` (SmolLM2-135M, verifier
`math`).

"""

PARITY: Final = """
## What they compute

Each setting is a recipe on `chain-334k` with the curriculum `learnability`, three steps of 8 tasks with 8
completions, in several micro-batches. The trainer `torch` generates and is the reference; the others train
on the rollouts that it recorded.

- **advantages**: largest absolute difference of what reached the loss. The session computes them, once,
  under the recipe's conventions; a trainer's own (TRL adds 1e-4 to the deviation, verl 1e-6) are not used.
- **loss**: difference at the first step, relative to the mean absolute advantage (or to the loss, if that
  is larger): a loss is a difference of such terms and near 0.
- **gradient**: norm of the difference of the whole gradients, relative, at each of the first step's updates.
- **decisions**: whether the same tasks were drawn and the same groups kept, with the same advantages, at
  every step.

They agree within {advantages:.0e} (advantages), {loss:.0e} (loss) and {gradient:.0e} (gradient).
A second update is held to {after:.0e}: AdamW's first step divides by the gradient's own size and magnifies
rounding.

| setting | trainer | advantages | loss | gradient | decisions | agrees |
|---|---|---|---|---|---|---|
"""

FOUND: Final = """
Found by comparing, and settled in the recipe's favour: TRL 1.16 differentiates the importance ratio in its
KL term by default (`use_bias_correction_kl`), which leaves the loss as it is and moved the whole gradient by
47 % in the setting with KL above; the trainer `trl` switches it off, and a recipe can switch it on
(`trainer = {name = "trl", grpo = {use_bias_correction_kl = true}}`). TRL logs KL and entropy as means of its
micro-batches' means; ours are means over tokens. TRL masks a sample without a reward by an advantage of 0
and counts its tokens in the loss's denominator; here it leaves both.
"""


def value(able: Any) -> str:
    if able is None:
        return "all"
    if isinstance(able, bool):
        return "yes" if able else "no"
    return (", ".join(able) or "none") if isinstance(able, list | tuple) else str(able)


def capabilities(plugins: Plugins) -> list[str]:
    declared = {r.name: r.able(TrainerCapabilities) for r in plugins.registry.all("trainers")}
    names = [name for name in (*parity.TRAINERS, "sim") if name in declared]
    lines = [f"| capability | {' | '.join(f'`{name}`' for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for capability in TrainerCapabilities.model_fields:
        cells = (value(getattr(declared[name], capability)) for name in names)
        lines.append(f"| `{capability}` | {' | '.join(cells)} |")
    absent = [name for name in parity.TRAINERS if name not in declared]
    return lines + [f"\n`{name}` is not here: {parity.absent(name, plugins)}." for name in absent]


def rows(plugins: Plugins) -> list[str]:
    lines = []
    for trainer in parity.TRAINERS[1:]:
        if why := parity.absent(trainer, plugins):
            lines.append(f"| all | `{trainer}` | not here: {why} | | | | |")
            continue
        for setting in parity.SETTINGS:
            with tempfile.TemporaryDirectory() as folder:
                result = parity.compare(trainer, setting, Path(folder), plugins)
            gradients = ", ".join(f"{gradient:.1e}" for gradient in result.gradients)
            lines.append(
                f"| {setting} | `{trainer}` | {result.advantages:.1e} | {result.loss:.1e} | {gradients} | "
                f"{'same' if result.decisions else '**other**'} | {'yes' if result.agrees else '**no**'} |"
            )
    return lines


def recorded() -> list[str]:
    """First steps of other environments' runs beside the reference's."""
    if not RECORDS.exists():
        return []
    lines = ["", "## First steps of runs in other environments", ""]
    lines += ["The rollouts of a finished run, trained on again by `torch`.", ""]
    lines += ["| trainer | metric | its own | `torch` | relative difference |", "|---|---|---|---|---|"]
    notes = []
    for trainer, record in json.loads(RECORDS.read_text(encoding="utf-8")).items():
        for metric, (own, reference) in record["metrics"].items():
            apart = abs(own - reference) / abs(reference) if reference else abs(own)
            lines.append(f"| `{trainer}` | {metric} | {own:.6g} | {reference:.6g} | {apart:.1e} |")
        notes.append(f"\n`{trainer}`: {record['about']}")
    return lines + notes


def keep(trainer: str, run: Path) -> None:
    """Add a run's first step to the records."""
    with tempfile.TemporaryDirectory() as folder:
        own, reference = parity.replayed(run, Path(folder), load())
    metrics = {
        name: [getattr(own, name), getattr(reference, name)]
        for name in ("reward_mean", "pass_rate", "loss", "grad_norm", "kl", "entropy", "learning_rate")
        if None not in (getattr(own, name), getattr(reference, name))
    }
    records = json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {}
    records[trainer] = {"about": f"the run {run.parents[1].name}.", "metrics": metrics}
    RECORDS.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    torch.set_num_threads(1)
    plugins = load()
    bounds = {
        "advantages": parity.ADVANTAGES,
        "loss": parity.LOSS,
        "gradient": parity.GRADIENT,
        "after": parity.GRADIENT_AFTER_A_STEP,
    }
    parts = [
        INTRO + "\n".join(capabilities(plugins)) + "\n",
        PARITY.format(**bounds) + "\n".join(rows(plugins)) + "\n",
        FOUND + "\n".join(recorded()),
    ]
    return "".join(parts).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", nargs=2, metavar=("TRAINER", "RUN"))
    given = parser.parse_args()
    if given.record:
        keep(given.record[0], Path(given.record[1]).resolve())
    text = page()
    if given.check:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        stale = NUMBER.sub("#", before) != NUMBER.sub("#", text)
        print("stale: backends.md; run make docs" if stale else "backends.md is what the code says")
        return int(stale)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
