"""A recipe run by the real loop (simulated student), read back by every reporter and verb."""

import pytest

from harness.board.build import entries
from harness.board.check import check_file
from harness.cli import main
from harness.readout import read_study
from harness.recording.ledger import read
from tests.support.pages import checked

RECIPE = """
name = "two-arms"
about = "Two arms of a simulated student."
seeds = [0, 1]
detail = "group"
[model]
name = "student"
loader = "sim"
prompt = "raw"
[tasks]
train = [{ name = "sim-irt", count = 12, low = -3.0, high = 6.0 }]
[difficulty]
estimator = { name = "pass-rate", samples = 4, tasks = 4 }
max_tokens = 4000
[trainer]
name = "sim"
[evaluation]
every_steps = 2
[[evaluation.heldout]]
name = "held"
tasks = [{ name = "sim-irt", count = 6, low = -2.0, high = 3.0, split = "heldout" }]
per_stratum = 8
samples = 2
max_tokens = 4000
[report]
leaderboards = "boards"
reporters = [{ name = "page", threshold = 0.5 }, "leaderboard"]
[[stages]]
name = "all"
curriculum = "uniform"
max_steps = 6
rollout = { n = 4, batch = 8, max_tokens = 4000 }
[[arms]]
name = "uniform"
[[arms]]
name = "staged"
[[arms.set.stages]]
name = "picked"
select = "0.05 <= p <= 0.9"
curriculum = "staged"
reestimate = true
max_steps = 6
rollout = { n = 4, batch = 8, max_tokens = 4000 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("real")
    (here / "recipe.toml").write_text(RECIPE)
    assert main(["run", str(here / "recipe.toml"), "--runs", str(here / "runs"), "--jobs", "2"]) == 0
    return here / "runs" / "two-arms-1"


def test_the_study_is_read_as_its_ledgers_say(folder):
    study = read_study(folder)
    assert study.state == "finished"
    for run in study.runs:
        lines = list(read(run.folder / "ledger.jsonl"))
        evaluations = [x for x in lines if x["t"] == "evaluation"]
        assert [e.rate for e in run.evaluations] == pytest.approx([x["scores"]["mean"] for x in evaluations])
        assert len(run.steps) == 6
        assert sum(sum(d.values()) for d in run.drawn) == sum(
            len(x["group"]["statuses"]) for x in lines if x["t"] == "group"
        )
        assert run.spent.rollouts == lines[-1]["spent_rollouts"]


def test_the_page_says_that_it_is_a_simulation(folder):
    page = checked(folder / "report" / "index.html")
    assert "This is a simulation" in page.words
    assert "staged" in page.words


def test_its_entries_may_be_published(folder):
    files = sorted((folder.parent.parent / "boards" / "two-arms" / "entries").glob("*.json"))
    assert len(files) == 2
    assert [fault for file in files for fault in check_file(file)] == []
    page = checked(folder.parent.parent / "boards" / "site" / "two-arms.html")
    assert "simulated" in page.words
    assert "avg@2" in page.words


def test_its_entries_say_that_they_are_simulated_whichever_plugins_are_there(folder, monkeypatch):
    monkeypatch.setenv("HARNESS_PLUGINS", "")
    study = read_study(folder)
    assert [entry.recipe.simulated for entry in entries(study, "two-arms")] == [True, True]
    assert [run.opened["simulated"] for run in study.runs] == [True] * 4


def test_a_ledger_from_before_it_said_so_is_known_by_its_steps(folder):
    study = read_study(folder)
    for run in study.runs:
        del run.opened["simulated"]
    assert [entry.recipe.simulated for entry in entries(study, "two-arms")] == [True, True]


def test_show_reads_it(folder, capsys):
    assert main(["show", str(folder)]) == 0
    assert main(["show", str(folder / "staged" / "seed-0")]) == 0
    assert "0.05 <= p <= 0.9" in capsys.readouterr().out
