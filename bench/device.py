"""What a device makes of the work of a run, beside the CPU, TRL and transformers.

    python bench/device.py                             all checks on the CPU, in a small size
    python bench/device.py --device cuda               in the size that is meant for a GPU
    python bench/device.py --only updates decoding
    python bench/device.py --model FOLDER              another model for speed and memory

One JSON object per line of standard output, as it is known: a `Row`, or `{"done": check}`. A check that
raises ends the process with its traceback on standard error; `scripts/gpu-check` starts another one for the
checks after it, keeps a time limit, and prints a table. Exit code 1 if a row fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Final

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
# Trainers of others spread over every GPU that they see.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")

import torch
from devices.decoding import decoding
from devices.evaluation import evaluation
from devices.place import LARGE, PACKAGED, SMALL, SMOLLM, Place, Row
from devices.training import resume, step, trl, updates
from harness_transformers.device import resolve_device

from harness.contract import HarnessError
from harness.plugging.plugins import load


def versions(place: Place) -> Iterator[Row]:
    """What the checks run on."""
    yield Row("versions", "Python", platform.python_version())
    for name in ("staged-harness", "torch", "transformers", "trl", "accelerate", "numpy"):
        try:
            yield Row("versions", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Row("versions", name, "is not installed", verdict="skipped")
    if place.device == "cpu":
        yield Row("versions", "GPU", "none was asked for", verdict="skipped")
        return
    about = torch.cuda.get_device_properties(0)
    yield Row(
        "versions", "GPU", f"{about.name}, {about.total_memory / 2**30:.0f} GiB", f"CUDA {torch.version.cuda}"
    )


CHECKS: Final[dict[str, Callable[[Place], Iterator[Row]]]] = {
    "versions": versions,
    "updates": updates,
    "trl": trl,
    "decoding": decoding,
    "step": step,
    "resume": resume,
    "evaluation": evaluation,
}


def measured_model(given: str, device: str) -> tuple[str, str]:
    """The model whose speed is measured (empty: the packaged one), and why it is not SmolLM2-135M."""
    if given:
        return given, ""
    if device == "cpu":
        return "", "on a CPU only with --model"
    place = Place("cpu", Path(tempfile.gettempdir()), load(), SMALL, SMOLLM)
    try:
        place.files()
    except HarnessError as error:
        return "", f"{error}".splitlines()[0]
    return SMOLLM, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", nargs="*", default=list(CHECKS), choices=list(CHECKS))
    parser.add_argument("--model", default="", help="folder of a chat model; SmolLM2-135M if it is cached")
    options = parser.parse_args()
    try:
        resolve_device(options.device)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    out, failed = sys.stdout, False
    model, why = measured_model(options.model, options.device)
    size = LARGE if options.device == "cuda" else SMALL
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        place = Place(options.device, Path(folder), load(), size, model)
        for name in options.only:
            if why and name in ("decoding", "step"):
                missing = Row(name, f"with SmolLM2-135M; {PACKAGED} instead", why, verdict="skipped")
                print(json.dumps(asdict(missing)), file=out, flush=True)
            for row in CHECKS[name](place):
                failed |= row.verdict == "fails"
                print(json.dumps(asdict(row)), file=out, flush=True)
            print(json.dumps({"done": name}), file=out, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
