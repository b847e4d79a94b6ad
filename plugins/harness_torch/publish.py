"""Puts a run's last policy among the packaged models, with a card that says where it comes from.

    python -m harness_torch.publish RUN_FOLDER NAME

RUN_FOLDER is one arm and seed of a study (`<study>/<arm>/seed-<seed>`). The model goes to `models/NAME`
of this package, beside `card.json`: the recipe's hash, the weights' hash and the pass rates that the
run's final evaluation measured, as counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from harness_transformers.weights import weights_sha

from harness.contract import DataError, digest
from harness.recipe import load_recipe
from harness.recording import Line, read

MODELS = Path(__file__).parent / "models"


def publish(run: Path, name: str, models: Path = MODELS) -> dict[str, Any]:
    """Copy the model and write its card; returns the card.

    Raises:
        DataError: the run is not finished, or its last policy has no score.
    """
    lines = list(read(run / "ledger.jsonl"))
    opened = _last(lines, "opened")
    final = _last([line for line in lines if line.get("name") == "final"], "evaluation")
    saved = _last(lines, "checkpoint")
    if opened is None or final is None or saved is None:
        raise DataError("has no final evaluation and checkpoint", where=str(run), hint="let the run finish")
    if final.get("refused"):
        raise DataError(
            f"its final evaluation has no score: {final['refused']}",
            where=str(run),
            hint="harness run --resume asks again for what was lost",
        )
    file = load_recipe(run.parents[1] / "recipe.toml")
    folder = models / name
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(run / saved["checkpoint"]["path"] / "model", folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    card = {
        "name": name,
        "recipe": file.recipe.name,
        # What the recipe says, defaults excluded: those may grow without touching this model.
        "recipe_sha": digest(file.values),
        "stream": opened["stream"],
        # The hash is that of the weights that the recipe started from.
        "initial_weights_sha": opened["model"]["weights_sha"],
        "weights_sha": weights_sha(folder),
        "step": saved["checkpoint"]["policy"]["step"],
        "cpu_seconds": round(final["spent_cpu_seconds"], 1),
        "sampling": "temperature 1",
        "pass_rates": {
            stratum: {
                "passes": counts["passes"],
                "samples": counts["samples"],
                "problems": counts["problems"],
            }
            for stratum, counts in final["strata"].items()
        },
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def _last(lines: list[Line], kind: str) -> Line | None:
    return next((line for line in reversed(lines) if line["t"] == kind), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    print(json.dumps(publish(options.run, options.name), indent=1))


if __name__ == "__main__":
    main()
