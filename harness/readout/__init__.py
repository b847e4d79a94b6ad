"""Reading studies: from ledgers to curves, labels and evaluations."""

from harness.readout import finding, outcomes, words
from harness.readout.factorial import Factorial, Outcome, factorial
from harness.readout.finding import Filter, SampleKey, SampleRow, WholeSample
from harness.readout.folders import Glance, glance, recipe_of, run_folders, studies
from harness.readout.index import SampleIndex
from harness.readout.reading import read_run, read_study, run_of
from harness.readout.samples import TrainedSample, Wanted, samples, step_sizes
from harness.readout.saving import ArmSaving, Saving, Terms, savings, terms_of
from harness.readout.study import Axis, Evaluation, Labels, Run, StageSpan, Step, Study, cost

__all__ = [
    "ArmSaving",
    "Axis",
    "Evaluation",
    "Factorial",
    "Filter",
    "Glance",
    "Labels",
    "Outcome",
    "Run",
    "SampleIndex",
    "SampleKey",
    "SampleRow",
    "Saving",
    "StageSpan",
    "Step",
    "Study",
    "Terms",
    "TrainedSample",
    "Wanted",
    "WholeSample",
    "cost",
    "factorial",
    "finding",
    "glance",
    "outcomes",
    "read_run",
    "read_study",
    "recipe_of",
    "run_folders",
    "run_of",
    "samples",
    "savings",
    "step_sizes",
    "studies",
    "terms_of",
    "words",
]
