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
