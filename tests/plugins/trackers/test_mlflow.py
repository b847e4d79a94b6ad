"""MLflow's own client gives back what a run's ledger holds, from a local database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.protocols import RunInfo
from harness.contract.tracking import TrackedRun, Tracker
from harness.testing import TrackerConformance
from harness.testing.plugin import Build

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
pytest.importorskip("sqlalchemy", reason="MLflow's local database needs sqlalchemy")

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests of the suite: MLflow takes seconds to make one."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


class TestMLflow(TrackerConformance):
    name = "mlflow"

    @pytest.fixture(autouse=True)
    def uri(self, store: str) -> None:
        self.store = store

    def tracker(self, build: Build) -> Tracker:
        made: Tracker = build("trackers", "mlflow", uri=self.store)
        return made

    def shown(self, run: TrackedRun) -> dict[int, float]:
        (mine,) = [other for other in runs_of(self.store) if other.data.tags["harness.run"] == run.id]
        history = mlflow.MlflowClient(self.store).get_metric_history(mine.info.run_id, "pass_rate")
        return {metric.step: metric.value for metric in history}


def test_a_resumed_run_goes_on_in_the_same_run_of_mlflow(harness_build: Build, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    info = RunInfo(tmp_path, "short", "main", 3)
    facts = {"recipe": "short", "arm": "main", "seed": 3}

    def track(identity: str, standing: int, steps: range, *, finished: bool) -> None:
        tracker = harness_build("trackers", "mlflow", uri=uri)
        tracker.start(TrackedRun(info, identity, standing, facts))
        for step in steps:
            tracker.log(step, {"pass_rate": step / 10, "items/pass@4": 0.5})
        tracker.close(finished=finished)

    track(ID, 0, range(3), finished=False)
    assert runs_of(uri)[0].info.status == "KILLED"
    track(ID, 2, range(3, 5), finished=True)
    track(ID[::-1], 0, range(1), finished=True)
    other, one = sorted(runs_of(uri), key=lambda run: run.data.metrics["pass_rate"])
    assert (one.data.tags["harness.run"], one.info.status) == (ID, "FINISHED")
    assert one.data.params == {"recipe": "short", "arm": "main", "seed": "3"}
    assert set(one.data.metrics) == {"pass_rate", "items/pass_at_4"}
    history = mlflow.MlflowClient(uri).get_metric_history(one.info.run_id, "pass_rate")
    assert [(metric.step, metric.value) for metric in history] == [(n, n / 10) for n in range(5)]
    assert other.data.tags["harness.run"] == ID[::-1]


def runs_of(uri: str) -> list[Any]:
    client = mlflow.MlflowClient(uri)
    return list(client.search_runs([client.get_experiment_by_name("short").experiment_id]))
