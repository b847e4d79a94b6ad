"""Options of the trackers. None is a secret: keys are read from where each tracker's own login puts them."""

from __future__ import annotations

from typing import Literal

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


class WandbOptions(Model):
    """Which project of Weights & Biases holds the runs, and whether they are sent while they go on."""

    project: str | None = None
    """Project that the runs belong to. If not set, the recipe's name."""
    entity: str | None = None
    """User or team that the project belongs to. If not set, WANDB_ENTITY, or else the key's own."""
    mode: Literal["online", "offline"] | None = None
    """`online` sends numbers while the run goes on; `offline` writes them to the folder `wandb` of the run,
    for `wandb sync`, and uses no network. If not set, WANDB_MODE; without it, online if there is a key of
    `wandb login` or in WANDB_API_KEY, and else offline."""


class TrackioOptions(Model):
    """Which project of Trackio holds the runs; its database is in TRACKIO_DIR, or where Trackio keeps it."""

    project: str | None = None
    """Project that the runs belong to. If not set, the recipe's name."""
