"""A study's page and what the command says of it: what they say, and that they say it honestly."""

import os

import pytest
from harness_report.findings import find
from harness_report.markdown import MarkdownReporter
from harness_report.options import PageOptions, StudyPageOptions
from harness_report.page import PageReporter, render
from harness_report.story import headline, sentences

from harness.contract.errors import DataError
from harness.contract.protocols import ReportContext
from harness.readout import read_study
from harness.support.figures import percent
from tests.support.pages import checked
from tests.support.studies import RECIPE, make_study, spoil


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("runs"), per_stratum=32)


@pytest.fixture(scope="module")
def findings(folder):
    return find(read_study(folder), PageOptions(threshold=0.5))


def report(folder, **options):
    (path,) = PageReporter(StudyPageOptions(**options)).report(ReportContext(folder, ())).files
    return path, checked(path)


def best_first(folder):
    return [arm.name for arm in find(read_study(folder), PageOptions(threshold=0.8)).best_first]


def told(folder):
    """What the command closes with."""
    return PageReporter(StudyPageOptions()).report(ReportContext(folder, ())).lines


def test_the_page_has_all_its_parts(folder):
    path, page = report(folder, threshold=0.8, threshold_strata=["9", "11"])
    assert path == folder / "report" / "index.html"
    assert {"what", "arms", "curves", "arrive", "saving", "strata", "difficulty", "how"} <= set(page.ids)
    # three learning curves, one threshold curve, what is saved, a strip of scores and of training an arm, a
    # histogram
    assert page.tags.count("svg") == 3 + 1 + 1 + 4 + 4 + 1
    for arm in ("uniform", "frozen-filter", "staged", "learnability"):
        assert arm in page.words
    assert "The recipe fixed this threshold before the run" in page.words
    assert page.links == [f"{arm}/seed-{seed}.html" for arm in best_first(folder) for seed in (0, 1, 2)]
    assert all((path.parent / link).is_file() for link in page.links)


def test_what_is_saved_has_ratios_and_what_keeps_them_from_being_a_claim(folder):
    _, page = report(folder, threshold=0.8, threshold_strata=["9", "11"])
    assert "rollouts until the threshold, as a ratio to uniform" in page.words
    _, page = report(folder, threshold=0.8, threshold_strata=["9", "11"], axis="tokens")
    assert "tokens until the threshold, as a ratio to uniform" in page.words
    assert "strata 9, 11 of strata-7-12 against tokens" in page.words
    assert page.words.count("3 paired seeds; a claim needs at least 10") == 4


def test_a_baseline_that_has_nothing_to_learn_is_said_where_savings_would_stand(folder):
    _, page = report(folder, threshold=0.01)
    assert "No comparison: arm 'uniform' is at 0.01 before any training" in page.words


def test_a_two_by_two_is_drawn_with_its_effects(folder):
    arms = ("uniform", "staged", "frozen-filter", "learnability")
    _, page = report(folder, two_by_two=arms)
    assert "staged x frozen-filter" in page.words
    assert "Effect of staged" in page.words
    assert "final score: grey without frozen-filter" in page.words


def test_every_picture_has_words_for_those_who_cannot_see_it(folder):
    path, page = report(folder)
    html = path.read_text()
    assert html.count('role="img" aria-label="') >= page.tags.count("svg")
    assert "seeds)</title>" in html, "dots say their interval"


def test_the_page_stays_small(folder):
    path, _ = report(folder)
    assert path.stat().st_size < 400_000


def test_the_headline_names_a_winner_only_where_tests_separate(findings):
    top = [row for row in findings.ranked if row.rank == 1]
    if len(top) > 1:
        assert headline(findings).startswith("A tie for the first place")
    else:
        assert headline(findings).startswith(f"First place: {top[0].entry.label}")


def test_arms_that_learn_alike_are_called_a_tie(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.2, 0.2), "b": (0.2, 0.2)}, steps=16, per_stratum=8)
    lines = told(folder)
    assert lines[0] == "No arm can be told apart from another on strata-7-12: a tie."
    assert any("tie (" in line and "would have been seen" in line for line in lines)
    assert not any("ahead" in line for line in lines)


def test_a_threshold_that_was_never_reached_is_said(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.05, 0.05)}, steps=8, per_stratum=8)
    made = find(read_study(folder), PageOptions(threshold=0.99))
    assert any("a never" in s for s in sentences(made))


def test_numbers_in_the_words_are_those_of_the_runs(findings):
    words = " ".join(sentences(findings))
    for arm in findings.arms:
        finals = [run.on("strata-7-12")[-1].rate for run in arm.runs]
        assert f"{arm.name} {percent(sum(finals) / 3)} (" in words
        spent = sum(run.spent.rollouts for run in arm.runs) / 3
        assert arm.rollouts == pytest.approx(spent)


def test_one_seed_says_that_it_says_nothing_about_other_seeds(tmp_path):
    folder = make_study(tmp_path, seed_list=(0,), steps=8, per_stratum=8)
    assert any("nothing about other seeds" in line for line in told(folder))
    _, page = report(folder)
    assert "say nothing about other seeds" in page.words


def test_unfinished_runs_are_left_out_and_counted(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=4)
    ledger = folder / "staged" / "seed-2" / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))
    lines = told(folder)
    assert any("1 more run has not finished and is left out" in line for line in lines)


def test_runs_whose_last_evaluation_lost_samples_are_left_out_and_named(tmp_path):
    folder = make_study(
        tmp_path, steps=8, per_stratum=4, seed_list=(0, 1), arms={"a": (0.2, 0.2), "b": (0.2, 0.2)}
    )
    spoil(folder / "b" / "seed-1")
    words = (
        "1 finished run (b, seed 1) is left out: the last evaluation has no score "
        "(1 of 24 samples could not be judged)."
    )
    assert words in told(folder)
    assert words in report(folder)[1].words
    for run in ("a/seed-0", "a/seed-1", "b/seed-0"):
        spoil(folder / run)
    for reporter in (PageReporter(StudyPageOptions(samples=0)), MarkdownReporter(PageOptions())):
        reported = reporter.report(ReportContext(folder, ()))
        assert reported.files == []
        assert "No run ends with a score of strata-7-12 (1 of 24 samples" in reported.lines[0]


def test_a_study_without_a_finished_run_is_refused(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), finish=False)
    with pytest.raises(DataError, match="no run has finished"):
        told(folder)


@pytest.mark.parametrize("options", [{"heldout": "strata-7-13"}, {"baseline": "unifrom"}])
def test_options_that_name_nothing_are_refused_with_near_matches(folder, options):
    with pytest.raises(DataError, match="did you mean"):
        find(read_study(folder), PageOptions(**options))


EVIL = "<script>alert(1)</script>{{7*7}}"


def test_hostile_names_are_escaped(tmp_path):
    recipe = RECIPE.replace("un-staged: every stratum alike", EVIL).replace("A small model", EVIL)
    folder = make_study(
        tmp_path, steps=8, per_stratum=4, recipe=recipe, heldout="<b>&\"'", environment={"<i>": EVIL},
        arms={"uniform": (0.1, 0.1), "<img src=x>": (0.1, 0.1)}, seed_list=(0, 1),
    )  # fmt: skip
    _, page = report(folder)
    assert "img" not in page.tags
    assert EVIL in page.words


def test_secrets_never_reach_the_page(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "HUB_TOKEN", "hf_not-a-real-token")
    folder = make_study(
        tmp_path, steps=8, per_stratum=4, seed_list=(0,), environment={"argv": "hf_not-a-real-token"}
    )
    path, _ = report(folder)
    assert "hf_not-a-real-token" not in path.read_text()


def test_the_page_is_the_same_every_time(folder):
    once, again = (render(find(read_study(folder), PageOptions())) for _ in range(2))
    assert once == again
