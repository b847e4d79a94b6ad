"""`harness board`, `harness runs`, `harness show`, through the command line."""

import pytest
from studies import make_study, spoil

from harness.cli import main


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
    assert "arms of one recipe" in err
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


def test_show_goes_on_where_nothing_could_be_judged(here, capsys):
    for seed in (0, 1, 2):
        spoil(here / "runs" / "quickstart-1" / "staged" / f"seed-{seed}")
    spoil(here / "runs" / "quickstart-1" / "uniform" / "seed-1")
    assert main(["show", "quickstart-1"]) == 0
    out = capsys.readouterr().out
    (staged,) = [line for line in out.splitlines() if " staged " in line]
    assert "nothing could be judged" in staged
    (uniform,) = [line for line in out.splitlines() if " uniform " in line]
    assert "of 2 seeds, in the others nothing could be judged" in uniform
    assert main(["show", "runs/quickstart-1/staged/seed-1"]) == 0
    assert "nothing could be judged" in capsys.readouterr().out
    assert main(["board", "add", "runs/quickstart-1"]) == 2
    assert "no sample of 'strata-7-12' could be judged" in capsys.readouterr().err
