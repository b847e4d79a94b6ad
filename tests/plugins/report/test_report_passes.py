"""pass@k on a study's page: before and after training, for k up to the samples per problem."""

from itertools import pairwise

import pytest
from harness_report.findings import find
from harness_report.options import StudyPageOptions
from harness_report.page import PageReporter
from harness_report.passes import pass_picture

from harness.contract.errors import DataError
from harness.contract.protocols import ReportContext
from harness.readout import read_study
from harness.statistics import pass_at_k
from tests.support.pages import checked
from tests.support.studies import make_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("runs"), per_stratum=4, samples=40, steps=8)


def picture(folder, **options):
    return pass_picture(find(read_study(folder), StudyPageOptions(**options)))


def test_the_page_draws_before_and_after_for_every_arm(folder):
    (path,) = PageReporter(StudyPageOptions()).report(ReportContext(folder, ())).files
    page = checked(path)
    assert "passes" in page.ids
    drawn = picture(folder)
    assert [line.dashed for line in drawn.chart.lines] == [True, False] * len(drawn.arms)
    assert all(line.band for line in drawn.chart.lines)
    assert drawn.ks == [1, 4, 16, 40]


def test_values_are_the_unbiased_estimate_and_rise_with_k(folder):
    drawn = picture(folder, pass_at=[3])
    study = read_study(folder)
    for passes in drawn.arms:
        assert (passes.after[0].k, passes.after[-1].k) == (1, 40)
        assert all(a.value <= b.value + 1e-12 for a, b in pairwise(passes.after))
        finals = [run.on("strata-7-12")[-1].problems.values() for run in study.of(passes.arm.name)]
        by_hand = [
            pass_at_k([c.passes for c in counts], [c.samples for c in counts], 40).mean() for counts in finals
        ]
        assert passes.after[-1].value == pytest.approx(sum(by_hand) / len(by_hand))
        (gain,) = passes.gains
        assert gain.k == 3
        assert gain.low <= gain.value <= gain.high


def test_a_k_beyond_the_samples_is_refused_with_what_there_is(folder):
    with pytest.raises(DataError, match="takes 41 samples per problem"):
        picture(folder, pass_at=[41])


def test_one_sample_per_problem_makes_no_picture(tmp_path):
    folder = make_study(tmp_path, per_stratum=8, steps=8)
    assert picture(folder) is None
    (path,) = PageReporter(StudyPageOptions()).report(ReportContext(folder, ())).files
    assert "passes" not in checked(path).ids


def test_one_seed_has_intervals_over_problems(tmp_path):
    folder = make_study(tmp_path, per_stratum=4, samples=8, steps=8)
    study = read_study(folder)
    keep = {run.folder for run in study.runs if run.seed == 0}
    for run in study.runs:
        if run.folder not in keep:
            ledger = run.folder / "ledger.jsonl"
            ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])
    drawn = picture(folder)
    assert not drawn.seeds
    assert all(p.low < p.value < p.high or p.value in (0, 1) for a in drawn.arms for p in a.after)
