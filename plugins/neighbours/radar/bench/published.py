"""Hold the 2PL fit against two published ones, on the simulated students of the tests.

    pip install girth==0.8.0 py-irt==0.7.1      # py-irt in an environment of its own: it wants pandas < 3
    python bench/published.py

Both write a(theta - b) as we do: harder items have the larger b, a > 0, no factor 1.7. girth has our gauge.
py-irt has none: its abilities are shifted and scaled to the mean and deviation of ours before items are
compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyro
from girth import twopl_mml
from harness.statistics.irt import Matrix, fit
from py_irt.config import IrtConfig
from py_irt.dataset import Dataset
from py_irt.training import IrtModelTrainer

from harness_radar.choosing import Floats

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from students import rms, students  # noqa: E402

#: Adam's steps, with the learning rate that py-irt begins with.
STEPS = 2000


def py_irt(matrix: Matrix, priors: str) -> tuple[Floats, Floats, Floats]:
    """theta, a, b as py-irt finds them."""
    pyro.set_rng_seed(0)
    frame = pd.DataFrame(matrix.passes.astype(int), columns=list(matrix.items))
    frame.insert(0, "subject", list(matrix.configurations))
    data = Dataset.from_pandas(frame, subject_column="subject", item_columns=list(matrix.items))
    config = IrtConfig(model_type="2pl", priors=priors, epochs=STEPS, lr=0.1, lr_decay=0.9995)
    trainer = IrtModelTrainer(data_path=None, config=config, dataset=data, verbose=False)
    trainer.train(device="cpu")
    fitted = trainer.last_params

    def ordered(values: list[float], names: dict[int, str], order: tuple[str, ...]) -> Floats:
        by_name = {names[i]: value for i, value in enumerate(values)}
        return np.array([by_name[name] for name in order])

    items = fitted["item_ids"], matrix.items
    theta = ordered(fitted["ability"], fitted["subject_ids"], matrix.configurations)
    return theta, ordered(fitted["disc"], *items), ordered(fitted["diff"], *items)


def main() -> None:
    truth = students(600, 25, 1, seed=5)
    ours = fit(truth.matrix)
    share = truth.matrix.passes.mean(0)
    middle = (share > 0.1) & (share < 0.9)
    print(f"{middle.sum()} items that 10 % to 90 % of 600 students solve; rms of b and log a")

    def tell(name: str, a: Floats, b: Floats) -> None:
        for whose, other_a, other_b in (
            ("ours", ours.items.a, ours.items.b),
            ("the truth", truth.a, truth.b),
        ):
            apart = rms((b - other_b)[middle]), rms(np.log(a / other_a)[middle])
            print(f"{name} to {whose}: {apart[0]:.3f}, {apart[1]:.3f}")

    tell("ours", ours.items.a, ours.items.b)
    girth = twopl_mml(truth.matrix.passes.T.astype(int))
    tell("girth", girth["Discrimination"], girth["Difficulty"])
    for priors in ("hierarchical", "vague"):
        theta, a, b = py_irt(truth.matrix, priors)
        shift, scale = theta.mean(), theta.std() / ours.theta.std()
        agree = np.corrcoef(theta, ours.theta)[0, 1]
        print(
            f"py-irt, {priors}: abilities {shift:.2f} +- {theta.std():.2f}, correlation with ours {agree:.3f}"
        )
        tell(f"py-irt, {priors}", a * scale, (b - shift) / scale)


if __name__ == "__main__":
    main()
