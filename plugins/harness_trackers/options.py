"""Options of the trackers. None is a secret: keys are read from where each tracker's own login puts them."""

from __future__ import annotations

from harness.recipe import Model


class TensorBoardOptions(Model):
    """Where event files go."""

    folder: str | None = None
    """Folder of all runs, each in `<recipe>/<arm>/seed-<seed>-<start of its id>` below it; a relative path
    starts at the recipe. If not set, the folder `tensorboard` of each run."""


class MLflowOptions(Model):
    """Which store and experiment of MLflow holds the runs."""

    uri: str | None = None
    """Address of the store, such as `sqlite:////data/mlflow.db`, `/data/mlruns` or `http://host:5000`. If not
    set, MLFLOW_TRACKING_URI, or else MLflow's own default."""
    experiment: str | None = None
    """Experiment of MLflow that the runs belong to. If not set, the recipe's name."""
