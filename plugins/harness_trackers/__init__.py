"""Trackers: a run's metrics in TensorBoard, MLflow, Weights & Biases or Trackio while it goes on."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_trackers(register: Register) -> None:
    register(
        "tensorboard",
        "harness_trackers.board:TensorBoard",
        options="harness_trackers.options:TensorBoardOptions",
        extra="tensorboard",
        summary="event files in the run's folder, for tensorboard --logdir",
    )
    register(
        "mlflow",
        "harness_trackers.mlflow:MLflow",
        options="harness_trackers.options:MLflowOptions",
        extra="mlflow",
        summary="a run of MLflow, in a local store or on a server",
    )
    register(
        "wandb",
        "harness_trackers.wandb:Wandb",
        options="harness_trackers.options:WandbOptions",
        extra="wandb",
        summary="a run of Weights & Biases, in the run's folder or on a server",
    )
    register(
        "trackio",
        "harness_trackers.trackio:Trackio",
        options="harness_trackers.options:TrackioOptions",
        extra="trackio",
        summary="a run of a project of Trackio, in its local database",
    )
