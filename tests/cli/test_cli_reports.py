"""`harness board`, `harness runs`, `harness show`, through the command line."""

import json
import re

import pytest

from harness.cli import main
from tests.support.studies import make_study, spoil


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path / "runs", per_stratum=4, steps=8)
    make_study(tmp_path / "runs", per_stratum=4, steps=8, name="other-1", seed_list=(0,), finish=False)
    return tmp_path


def test_runs_lists_studies_with_their_state(here, capsys):
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "finished" in lines["quickstart-1"]
    assert "0 of 4 runs finished" in lines["other-1"]


def test_runs_says_how_to_begin_where_there_is_nothing(tmp_path, capsys):
    assert main(["runs", str(tmp_path / "none")]) == 0
    assert "harness run RECIPE" in capsys.readouterr().out


def test_show_takes_a_study_by_name_and_a_run_by_folder(here, capsys):
    assert main(["show", "quickstart-1"]) == 0
    out = capsys.readouterr().out
    assert "learnability" in out
    assert "over seeds" in out
    assert main(["show", "runs/quickstart-1/staged/seed-1"]) == 0
    out = capsys.readouterr().out
    assert "arm staged, seed 1, finished" in out
    assert "benchmark" in out
    assert "rollouts spent" in out


def test_show_names_near_matches(here, capsys):
    assert main(["show", "quickstrat-1"]) == 2
    assert "did you mean 'quickstart-1'" in capsys.readouterr().err


def test_compare_says_what_compares_training(here, capsys):
    assert main(["compare", "runs/quickstart-1", "runs/other-1"]) == 2
    err = capsys.readouterr().err
    assert "runs/quickstart-1: is a training study" in err
    assert "arms of one recipe, by harness compare STUDY" in err
    assert "set = { trainer = { name =" in err


def test_board_add_check_and_build(here, capsys):
    assert main(["board", "add", "runs/quickstart-1"]) == 0
    assert main(["board", "check"]) == 0
    assert "4 entries, 0 refused" in capsys.readouterr().out
    assert main(["board", "build", "--out", "site"]) == 0
    assert (here / "site" / "index.html").is_file()
    assert main(["board", "add", "runs/other-1"]) == 2
    assert "has not finished" in capsys.readouterr().err


def test_board_check_names_file_and_fault(here, capsys):
    main(["board", "add", "runs/quickstart-1"])
    path = next((here / "leaderboards" / "quickstart" / "entries").glob("*staged*.json"))
    path.write_text(path.read_text().replace('"missing": 0', '"missing": 9'))
    assert main(["board", "check"]) == 1
    captured = capsys.readouterr()
    assert f"{path.relative_to(here)}: health.missing: 9 samples are missing" in captured.err
    assert "4 entries, 1 refused" in captured.out


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("title = ", "titel = "), "title: is missing"),
        (("[[columns]]", "[[collumns]]"), "columns: is missing"),
        (("benchmark = ", "bench = "), "columns.0.benchmark: is missing"),
        (("title = ", "title == "), "cannot be read"),
        (('"strata-7-12"', '"math500"'), "this board has no column 'strata-7-12'"),
    ],
)
def test_check_and_add_refuse_the_board_that_build_refuses(here, capsys, change, fault):
    assert main(["board", "add", "runs/quickstart-1"]) == 0
    path = here / "leaderboards" / "quickstart" / "board.toml"
    path.write_text(path.read_text().replace(*change))
    written = sorted((here / "leaderboards").rglob("*"))
    capsys.readouterr()
    assert main(["board", "check"]) == 1
    assert fault in capsys.readouterr().err
    assert main(["board", "add", "runs/quickstart-1"]) == 2
    said = capsys.readouterr().err
    assert "leaderboards/quickstart/board.toml" in said
    assert sorted((here / "leaderboards").rglob("*")) == written
    # A board of which only entries lie elsewhere is built without them.
    assert main(["board", "build"]) == (0 if "no column" in fault else 2)


def test_check_names_boards_without_a_page_and_entries_of_another_board(here, capsys):
    assert main(["board", "add", "runs/quickstart-1"]) == 0
    board = here / "leaderboards" / "quickstart"
    board.rename(here / "leaderboards" / "moved")
    assert main(["board", "check"]) == 1
    assert "board: it belongs to 'quickstart'" in capsys.readouterr().err
    (here / "leaderboards" / "moved" / "board.toml").unlink()
    assert main(["board", "check", "leaderboards/moved"]) == 1
    assert "board.toml: is missing, so the board has no page" in capsys.readouterr().err


def test_check_reads_references(here, capsys):
    assert main(["board", "add", "runs/quickstart-1"]) == 0
    folder = here / "leaderboards" / "quickstart" / "references"
    folder.mkdir()
    (folder / "paper.toml").write_text('title = "A paper"\n')
    assert main(["board", "check"]) == 1
    assert "references/paper.toml: url: is missing" in capsys.readouterr().err


def test_show_goes_on_where_samples_were_lost(here, capsys):
    for seed in (0, 1, 2):
        spoil(here / "runs" / "quickstart-1" / "staged" / f"seed-{seed}")
    spoil(here / "runs" / "quickstart-1" / "uniform" / "seed-1")
    assert main(["show", "quickstart-1"]) == 0
    out = capsys.readouterr().out
    (staged,) = [line for line in out.splitlines() if " staged " in line]
    assert "no score: 1 of 24 samples could not be judged" in staged
    (uniform,) = [line for line in out.splitlines() if " uniform " in line]
    assert "of 2 seeds, the others have no score (1 of 24 samples could not be judged)" in uniform
    assert main(["show", "runs/quickstart-1/staged/seed-1"]) == 0
    assert "no score: 1 of 24 samples could not be judged" in capsys.readouterr().out
    assert main(["board", "add", "runs/quickstart-1"]) == 2
    assert "'strata-7-12' has no score: 1 of 24 samples" in capsys.readouterr().err


def test_compare_of_a_study_says_what_arms_save_and_what_is_no_claim(here, capsys):
    assert main(["compare", "runs/quickstart-1", "--threshold", "0.6", "--baseline", "uniform"]) == 0
    out = capsys.readouterr().out
    assert "until 60.0\u2009% of strata-7-12, against uniform" in out
    assert re.search(r"^uniform .* baseline$", out, re.MULTILINE)
    assert re.search(r"^staged .* no claim$", out, re.MULTILINE)
    assert "learnability: 3 paired seeds; a claim needs at least 10." in out


def test_compare_of_a_study_counts_in_the_cost_that_the_recipe_fixed(here, capsys):
    recipe = here / "runs/quickstart-1/recipe.toml"
    terms = '[report]\nreporters = [{ name = "page", threshold = 0.6, axis = "tokens" }]\n'
    recipe.write_text(recipe.read_text() + terms)
    assert main(["compare", "runs/quickstart-1"]) == 0
    assert "tokens until 60.0" in capsys.readouterr().out
    assert main(["compare", "runs/quickstart-1", "--axis", "rollouts"]) == 0
    assert "rollouts until 60.0" in capsys.readouterr().out


def test_compare_of_a_study_as_json_has_null_where_nothing_bounds(here, capsys):
    assert main(["compare", "runs/quickstart-1", "--threshold", "1", "--strata", "9,11", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["threshold"], told["strata"], told["baseline"]) == (1.0, ["9", "11"], "uniform")
    staged = next(arm for arm in told["arms"] if arm["arm"] == "staged")
    assert [high for _, high in staged["crossings"]] == [None] * 3
    assert staged["cost_ratio"]["high"] is None
    assert staged["reading"] == "no claim"


def test_compare_of_a_study_without_a_threshold_says_how_to_fix_one(here, capsys):
    assert main(["compare", "runs/quickstart-1"]) == 2
    assert "its recipe fixes no threshold" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["runs/quickstart-1", "--fail-if-worse-than", "2pt"], "two evaluations"),
        (["runs/quickstart-1", "--flips", "3"], "two evaluations"),
        (["runs/a", "runs/b", "--threshold", "0.5"], "the arms of a study"),
        (["runs/a", "runs/b", "--json"], "the arms of a study"),
    ],
)
def test_compare_refuses_options_that_mean_nothing_there(here, capsys, given, meant):
    assert main(["compare", *given]) == 2
    assert f"{given[-2] if given[-2].startswith('--') else given[-1]} is for comparing {meant}" in (
        capsys.readouterr().err
    )


def test_compare_of_a_square_prints_main_effects_and_interaction(here, capsys):
    square = ["--two-by-two", "uniform,staged,frozen-filter,learnability"]
    assert main(["compare", "runs/quickstart-1", *square]) == 0
    out = capsys.readouterr().out
    assert "staged x frozen-filter on strata-7-12, 3 seeds in all four arms" in out
    share = r"\d+\.\d\u2009%"
    cut = f"uniform {share}, staged {share}, frozen-filter {share}, learnability {share}"
    assert re.search(rf"^Training samples that a limit cut: {cut}\.$", out, re.MULTILINE)
    assert re.search(r"^  interaction: [+-]\d+\.\d \([+-]\d+\.\d to [+-]\d+\.\d\)$", out, re.MULTILINE)
    assert main(["compare", "runs/quickstart-1", *square, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [len(cell) for cell in told["outcomes"][0]["cells"]] == [3] * 4
