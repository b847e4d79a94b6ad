"""MLflow: a run of an experiment, in a local store or on a server."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from harness.contract import BuildContext, TrackedRun
from harness_trackers.options import MLflowOptions

#: Tag of MLflow's runs that holds the identity of ours.
TAG: Final = "harness.run"
#: The most values that MLflow takes at a time.
AT_A_TIME: Final = 1000


class MLflow:
    """Logs a run's numbers as metrics (protocol `Tracker`), in the run of MLflow that has its id as a tag.

    MLflow keeps every value of a step: one that is done again after a resume is there twice.
    """

    def __init__(self, options: MLflowOptions, context: BuildContext) -> None:
        self._options = options
        self._client: Any = None
        self._run = ""

    def start(self, run: TrackedRun) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=self._options.uri)
        experiment = self._experiment(self._options.experiment or run.info.recipe)
        runs = self._client.search_runs([experiment], f"tags.`{TAG}` = '{run.id}'")
        if runs:
            self._run = runs[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        name = f"{run.info.arm}, seed {run.info.seed}"
        self._run = self._client.create_run(experiment, run_name=name, tags={TAG: run.id}).info.run_id
        for fact, value in run.facts.items():
            self._client.log_param(self._run, fact, value)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(spelled(name), value, now, step) for name, value in values.items()]
        for first in range(0, len(metrics), AT_A_TIME):
            self._client.log_batch(self._run, metrics=metrics[first : first + AT_A_TIME])

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")

    def _experiment(self, name: str) -> str:
        """The id of the experiment, which another run may make at the same time."""
        from mlflow.exceptions import MlflowException

        known = self._client.get_experiment_by_name(name)
        if known is None:
            try:
                made: str = self._client.create_experiment(name)
                return made
            except MlflowException:
                known = self._client.get_experiment_by_name(name)
                if known is None:
                    raise
        identity: str = known.experiment_id
        return identity


def spelled(name: str) -> str:
    """A metric's name as MLflow takes it: `@` is written `_at_`, and what else it refuses `_`."""
    return re.sub(r"[^/\w.\- :]", "_", name.replace("@", "_at_"))
