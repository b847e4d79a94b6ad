"""A study's page and summary: what they say, and that they say it honestly."""

import os

import pytest
from harness_report.findings import find
from harness_report.markdown import MarkdownReporter
from harness_report.options import PageOptions, page_options
from harness_report.page import PageReporter, render
from harness_report.story import headline, sentences
from harness_report.summary import summarise
from pages import checked
from studies import RECIPE, make_study, spoil

from harness.errors import DataError, RecipeError
from harness.protocols import ReportContext
from harness.readout import read_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("runs"), per_stratum=32)


@pytest.fixture(scope="module")
def found(folder):
    return find(read_study(folder), PageOptions(threshold=0.5))


def report(folder, **options):
    (path,) = PageReporter(PageOptions(**options)).report(ReportContext(folder, ())).files
    return path, checked(path)


def test_the_page_has_all_its_parts(folder):
    path, page = report(folder, threshold=0.8, threshold_strata=["9", "11"])
    assert path == folder / "report" / "index.html"
    assert {"what", "arms", "curves", "arrive", "strata", "difficulty", "how"} <= set(page.ids)
    # three learning curves, one threshold curve, a strip of scores and of training an arm, a histogram
    assert page.tags.count("svg") == 3 + 1 + 4 + 4 + 1
    for arm in ("uniform", "frozen-filter", "staged", "learnability"):
        assert arm in page.words
    assert "The recipe fixed this threshold before the run" in page.words
    assert page.links == []


def test_every_picture_has_words_for_those_who_cannot_see_it(folder):
    path, page = report(folder)
    html = path.read_text()
    assert html.count('role="img" aria-label="') >= page.tags.count("svg")
    assert "seeds)</title>" in html, "dots say their interval"


def test_the_page_stays_small(folder):
    path, _ = report(folder)
    assert path.stat().st_size < 400_000


def test_the_headline_names_a_winner_only_where_tests_separate(found):
    top = [row for row in found.ranked if row.rank == 1]
    if len(top) > 1:
        assert headline(found).startswith("A tie for the first place")
    else:
        assert headline(found).startswith(f"First place: {top[0].entry.label}")


def test_arms_that_learn_alike_are_called_a_tie(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.2, 0.2), "b": (0.2, 0.2)}, steps=16, per_stratum=8)
    lines = summarise(folder)
    assert lines[0] == "No arm can be told apart from another on strata-7-12: a tie."
    assert any("tie (" in line and "would have been seen" in line for line in lines)
    assert not any("ahead" in line for line in lines)


def test_a_threshold_that_was_never_reached_is_said(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.05, 0.05)}, steps=8, per_stratum=8)
    made = find(read_study(folder), PageOptions(threshold=0.99))
    assert any("a never" in s for s in sentences(made))


def test_numbers_in_the_words_are_those_of_the_runs(found):
    words = " ".join(sentences(found))
    for arm in found.arms:
        finals = [run.on("strata-7-12")[-1].rate for run in arm.runs]
        assert f"{arm.name} {100 * sum(finals) / 3:.1f} % (" in words
        spent = sum(run.spent.rollouts for run in arm.runs) / 3
        assert arm.rollouts == pytest.approx(spent)


def test_one_seed_says_that_it_says_nothing_of_other_seeds(tmp_path):
    folder = make_study(tmp_path, seed_list=(0,), steps=8, per_stratum=8)
    assert any("nothing of other seeds" in line for line in summarise(folder))
    _, page = report(folder)
    assert "say nothing of other seeds" in page.words


def test_unfinished_runs_are_left_out_and_counted(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=4)
    ledger = folder / "staged" / "seed-2" / "ledger.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))
    lines = summarise(folder)
    assert any("1 more run has not finished and is left out" in line for line in lines)


def test_runs_of_which_nothing_could_be_judged_are_left_out_and_named(tmp_path):
    folder = make_study(
        tmp_path, steps=8, per_stratum=4, seed_list=(0, 1), arms={"a": (0.2, 0.2), "b": (0.2, 0.2)}
    )
    spoil(folder / "b" / "seed-1")
    told = "1 finished run (b, seed 1) is left out: no sample of the last evaluation could be judged."
    assert told in summarise(folder)
    assert told in report(folder)[1].words
    for run in ("a/seed-0", "a/seed-1", "b/seed-0"):
        spoil(folder / run)
    for reporter in (PageReporter(PageOptions()), MarkdownReporter(PageOptions())):
        reported = reporter.report(ReportContext(folder, ()))
        assert reported.files == []
        assert "No sample of strata-7-12 could be judged" in reported.lines[0]


def test_a_study_without_a_finished_run_is_refused(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), finish=False)
    with pytest.raises(DataError, match="no run has finished"):
        summarise(folder)


def test_options_come_from_the_study_s_own_recipe(tmp_path):
    extra = '[report]\nreporters = [{ name = "page", threshold = 0.7, threshold_strata = ["9"] }]\n'
    recipe = RECIPE.replace("[[arms]]", extra + "\n[[arms]]", 1)
    study = read_study(make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), recipe=recipe))
    assert page_options(study) == PageOptions(threshold=0.7, threshold_strata=("9",))
    bad = RECIPE.replace("[[arms]]", extra.replace("0.7", "7") + "\n[[arms]]", 1)
    study = read_study(make_study(tmp_path, name="b-1", steps=8, per_stratum=2, seed_list=(0,), recipe=bad))
    with pytest.raises(RecipeError, match="threshold"):
        page_options(study)


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
