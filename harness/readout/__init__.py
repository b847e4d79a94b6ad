"""Reading studies: from ledgers to curves, labels and evaluations."""

from harness.readout.folders import Glance, glance, recipe_of, run_folders, studies
from harness.readout.reading import read_run, read_study
from harness.readout.study import Axis, Count, Evaluation, Labels, Run, StageSpan, Step, Study, cost

__all__ = [
    "Axis",
    "Count",
    "Evaluation",
    "Glance",
    "Labels",
    "Run",
    "StageSpan",
    "Step",
    "Study",
    "cost",
    "glance",
    "read_run",
    "read_study",
    "recipe_of",
    "run_folders",
    "studies",
]
