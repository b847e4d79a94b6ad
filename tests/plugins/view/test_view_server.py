"""`harness view` as a server: who may look, what is shown and what never is."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import group as cli
from harness.contract.errors import DataError
from harness.plugging.plugins import Plugins
from harness.readout.index import NAME
from harness.testing import CommandConformance
from tests.plugins.report.test_report_samples import a_run, group, wrong
from tests.support.pages import Page
from tests.support.places import ROOT
from tests.support.studies import make_study
from tests.support.viewing import EVIL, Answer, Served, answers, evaluation, served, write_lines
from tests.support.waiting import until

pytest.importorskip("starlette")

RUN = "/run/model-1/main/0"
SAMPLES = "/samples/model-1/main/0"


class TestCommand(CommandConformance):
    name = "view"


@pytest.fixture
def runs(tmp_path: Path, harness_plugins: Plugins) -> Path:
    evaluation(tmp_path / "runs", harness_plugins, answers(1, 2))
    return tmp_path / "runs"


@pytest.fixture
def view(runs: Path) -> Iterator[Served]:
    with served(runs) as made:
        yield made


def words(html: str) -> str:
    return Page(re.sub("<style>.*?</style>", "", html, flags=re.DOTALL)).words


def settled(view: Served, path: str) -> str:
    """The page when everything that it waits for is there."""
    until(lambda: "being read" not in view.get(path)[2], what="the problems are read")
    return view.get(path)[2]


# Who may look ----------------------------------------------------------------------------------------


def test_the_token_opens_the_page_and_leaves_the_address(view: Served) -> None:
    assert view.ask("/")[0] == 403
    assert view.ask("/?token=guess")[0] == 403
    assert view.ask("/static/view.js")[0] == 403
    status, headers, _ = view.ask(f"{SAMPLES}?status=fail&token={view.token}")
    assert (status, headers["location"]) == (303, f"{SAMPLES}?status=fail")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=lax" in headers["set-cookie"]
    assert view.get("/")[0] == 200


def test_a_redirect_stays_here(view: Served) -> None:
    for path in ("//example.org", "/%5Cexample.org", "/\\example.org"):
        _, headers, _ = view.ask(f"{path}?token={view.token}")
        assert headers["location"].startswith("/")
        assert not headers["location"].startswith(("//", "/\\"))


def test_another_name_for_this_machine_is_refused(view: Served) -> None:
    """A page of another site may have its name point here (DNS rebinding)."""
    assert view.get("/", Host=f"evil.example:{view.port}")[0] == 421
    assert view.get("/", Host=f"localhost:{view.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(view: Served, method: str) -> None:
    assert view.get("/", method)[0] == 405


def test_pages_load_and_run_nothing_from_elsewhere(view: Served) -> None:
    for path in ("/", RUN, SAMPLES, "/compare", "/nothing"):
        _, headers, html = view.get(path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        page = Page(html)
        assert page.handlers == []
        assert [address for address in page.loads if not address.startswith(("/", "data:"))] == []
        assert "http://" not in html
        assert "https://" not in html


def test_it_listens_to_this_machine_alone_and_says_if_a_port_is_taken(runs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(cli, ["view", str(runs), "--port", port])
    assert f"port {port} cannot be had" in str(done.exception)
    assert "--port 0" in str(done.exception)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["view", "nothing"])
    assert isinstance(done.exception, DataError)
    assert "no such folder" in str(done.exception)


# What is shown ---------------------------------------------------------------------------------------


def test_runs_are_listed_and_one_of_them_may_be_the_folder(view: Served, runs: Path) -> None:
    assert "model-1 evaluation finished" in words(view.get("/")[2])
    with served(runs / "model-1") as alone:
        assert "model-1 evaluation finished" in words(alone.get("/")[2])
        assert alone.get(RUN)[0] == 200


def test_a_study_has_curves_runs_and_a_map_of_difficulty(tmp_path: Path) -> None:
    make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0, 1))
    with served(tmp_path) as view:
        _, _, html = view.get("/study/quickstart-1")
        assert "staged, seed 1 finished" in words(html)
        assert "strata-7-12 against rollouts" in html
        _, _, html = view.get("/run/quickstart-1/staged/1")
        assert "Difficulty over time" in words(html)
        assert html.count("<svg") == 5
        assert "stage-4" in words(html)


def test_samples_are_filtered_by_their_address(view: Served) -> None:
    until(lambda: "optgroup" in view.get(SAMPLES)[2], what="the problems are read")
    for query, number in (
        ("", 20),
        ("status=fail", 4),
        ("tag=level%3D1", 10),
        ("tag=subject%3Dgeometry&status=fail", 0),
        ("least=11", 0),
        ("cut=0", 20),
        ("words=sums/1", 2),
    ):
        assert f"{number} samples" in words(view.get(f"{SAMPLES}?{query}")[2]), query
    searched = view.get(f"{SAMPLES}?text=more+than+7")[2]
    assert searched.count("<tr data-row>") == 2


@pytest.mark.parametrize("query", ["least=many", "cut=maybe", "after=-1", "step=1.5", "least=1e9"])
def test_what_cannot_be_asked_is_said(view: Served, query: str) -> None:
    status, _, html = view.get(f"{SAMPLES}?{query}")
    assert status == 404
    assert "allowed:" in words(html)


@pytest.mark.parametrize(
    "path",
    ["/run/other/main/0", "/run/model-1/main/7", "/study/other", "/nothing", "/run/..%2F..%2Fetc/passwd/0",
     "/static/../app.py", "/boards/index.html", "/sample/model-1/main/0?in=sums&of=none"],
)  # fmt: skip
def test_what_is_not_there_is_said(view: Served, path: str) -> None:
    assert view.get(path)[0] == 404


def test_a_sample_is_shown_with_its_problem_and_its_verdict(view: Served) -> None:
    page = words(settled(view, "/sample/model-1/main/0?in=sums&of=sums/1&number=1&at=final"))
    for said in ("sums/1 1 fail", "What is 1 + 1? <i>Think.</i>", "Extracted 1", "Right is 2", "level=2",
                 "Verifier math ab12"):  # fmt: skip
        assert said in page


def test_what_a_model_wrote_is_text_and_no_page(tmp_path: Path, harness_plugins: Plugins) -> None:
    said = Answer("sums/0", 0, f"{EVIL} \\boxed{{{EVIL}}}", "fail", EVIL, evidence={"reason": EVIL})
    evaluation(tmp_path / "runs", harness_plugins, [said], name=f"{EVIL[:8]}")
    hostile = group(wrong(0, EVIL, extracted=EVIL), task=EVIL)
    a_run(tmp_path / "runs" / "trained-1" / "a" / "seed-0", [hostile])
    with served(tmp_path / "runs") as view:
        name = next(path.name for path in (tmp_path / "runs").iterdir() if path.name != "trained-1")
        for path in ("/", f"/run/{name}/main/0", f"/samples/{name}/main/0",
                     f"/sample/{name}/main/0?in=sums&of=sums/0&at=final", "/samples/trained-1/a/0",
                     f"/samples/{name}/main/0?words=%3Cscript%3E"):  # fmt: skip
            status, _, html = view.get(path)
            assert status == 200, path
            page = Page(html)
            assert "b" not in page.tags
            assert "img" not in page.tags
            assert page.tags.count("script") == 1


def test_names_in_addresses_are_quoted_once(tmp_path: Path, harness_plugins: Plugins) -> None:
    evaluation(tmp_path / "runs", harness_plugins, answers(), name="50% & <more>?")
    with served(tmp_path / "runs") as view:
        (address,) = [link for link in Page(view.get("/")[2]).links if link.startswith("/run/")]
        assert view.get(address)[0] == 200
        (samples,) = {
            link for link in Page(view.get(address)[2]).links if "/samples/" in link and "status" in link
        }
        assert view.get(samples)[0] == 200


def test_items_of_a_gated_benchmark_are_never_shown(tmp_path: Path, harness_plugins: Plugins) -> None:
    secret = "the protein folds"
    task = "gpqa-diamond-000"
    made = [Answer(task, i, f"{secret} (B)", "fail", "theB", evidence={"reason": secret}) for i in range(2)]
    for name in ("one", "two"):
        evaluation(tmp_path / "runs", harness_plugins, made, name=name, benchmark="gpqa-diamond", options={})
    with served(tmp_path / "runs") as view:
        sides = "a=one-1/main/0&b=two-1/main/0"
        for path in ("/run/one-1/main/0", "/samples/one-1/main/0",
                     f"/sample/one-1/main/0?in=gpqa-diamond&of={task}&at=final",
                     f"/compare?{sides}", f"/pair?{sides}&set=gpqa-diamond&task={task}"):  # fmt: skip
            status, _, html = view.get(path)
            assert status == 200, path
            assert secret not in html
            assert "theB" not in html
        assert "not shown: its owner gives access only to those who ask" in words(
            view.get("/samples/one-1/main/0")[2]
        )
        for query in ("words=protein", "words=theB", "text=protein"):
            assert "<tr data-row>" not in view.get(f"/samples/one-1/main/0?{query}")[2], query


def test_nor_are_those_of_one_that_is_asked_for_later(
    view: Served, runs: Path, harness_plugins: Plugins
) -> None:
    assert "20 samples" in words(view.get(SAMPLES)[2])
    study = runs / "model-1" / "study.json"
    values = json.loads(study.read_text())
    values["asked"]["benchmarks"]["gpqa-diamond"] = {}
    study.write_text(json.dumps(values))
    secret = Answer("gpqa-diamond-000", 0, "x", "fail", "the protein")
    write_lines(runs / "model-1" / "main" / "seed-0" / "ledger.jsonl", [secret.line("gpqa-diamond")])
    page = view.get(SAMPLES)[2]
    assert "21 samples" in words(page)
    assert "protein" not in page


@pytest.mark.parametrize("place", ["heldout", "train"])
def test_nor_are_they_in_a_study(tmp_path: Path, place: str) -> None:
    run = a_run(tmp_path / "s-1" / "a" / "seed-0", [group(wrong(0, "the protein folds"))])
    write_lines(run / "ledger.jsonl", [Answer("t", 0, "the protein folds", "fail").line("quiz")])
    source = 'tasks = [{ name = "hub", benchmark = "gpqa-diamond" }]'
    recipe = f'name = "s"\n[[evaluation.heldout]]\nname = "quiz"\n{source if place == "heldout" else ""}\n'
    if place == "train":
        recipe += f"[tasks]\n{source.replace('tasks', 'train')}\n"
    (tmp_path / "s-1" / "recipe.toml").write_text(recipe)
    with served(tmp_path) as view:
        quiz = view.get("/sample/s-1/a/0?in=quiz&of=t&at=final")[2]
        trained = view.get("/sample/s-1/a/0?in=~training&of=t&during=s&after=12")[2]
    assert "protein" not in quiz
    assert "not shown" in quiz
    assert ("protein" in trained) == (place == "heldout")


def test_two_runs_are_compared_by_problem(runs: Path, view: Served, harness_plugins: Plugins) -> None:
    evaluation(runs, harness_plugins, answers(2, 3, 4), name="other")
    both = "a=model-1/main/0&b=other-1/main/0"
    page = words(view.get(f"/compare?{both}")[2])
    assert "A 80.0 %, B 70.0 %; B minus A -10.0 points" in page
    assert "flips 3 gained 1 lost 2" in page
    flipped = view.get(f"/compare?{both}&show=lost")[2]
    assert flipped.count("<tr data-row>") == 2
    assert "sums/3" in flipped
    side = words(settled(view, f"/pair?{both}&set=sums&task=sums/3&number=1"))
    assert "A: model-1 pass sample 1 of 2, 2 pass" in side
    assert "B: other-1 fail sample 1 of 2, 0 pass" in side
    assert view.get(f"/compare?{both}&show=odd")[0] == 404
    assert view.get(f"/pair?{both}&set=sums&task=none")[0] == 404


def test_a_running_run_is_shown_as_far_as_it_is(tmp_path: Path, harness_plugins: Plugins) -> None:
    made = answers()
    folder = evaluation(tmp_path / "runs", harness_plugins, made[:3], finished=False)
    with served(tmp_path / "runs") as view:
        _, headers, html = view.get(SAMPLES)
        assert "data-live" in html
        assert "3 samples" in words(html)
        until(lambda: "optgroup" in view.get(SAMPLES)[2], what="the problems are read")
        _, headers, _ = view.get(SAMPLES)
        assert view.get(SAMPLES, **{"If-None-Match": headers["etag"]})[0] == 304
        write_lines(folder / "main" / "seed-0" / "ledger.jsonl", [answer.line() for answer in made[3:5]])
        assert "5 samples" in words(view.get(SAMPLES, **{"If-None-Match": headers["etag"]})[2])
        write_lines(folder / "main" / "seed-0" / "ledger.jsonl", [{"t": "finished", "at": "x"}])
        assert "data-live" not in view.get(SAMPLES)[2]


def test_a_long_index_is_built_behind_the_page(
    tmp_path: Path, harness_plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.readout.index.BATCH", 5)
    evaluation(tmp_path / "runs", harness_plugins, answers())
    with served(tmp_path / "runs", patience=-1.0) as view:
        first = view.get(SAMPLES)[2]
        assert "of the ledger indexed" in words(first)
        assert "data-live" in first
        until(lambda: "indexed" not in view.get(SAMPLES)[2], 120, what="the index is complete")
        assert "20 samples" in words(view.get(SAMPLES)[2])


def test_an_index_that_is_deleted_is_made_anew_while_somebody_looks(view: Served, runs: Path) -> None:
    assert "20 samples" in words(view.get(SAMPLES)[2])
    (index,) = runs.rglob(NAME)
    index.unlink()
    assert "20 samples" in words(view.get(SAMPLES)[2])
    assert index.is_file()


def test_a_damaged_ledger_is_said_and_the_others_are_shown(
    view: Served, runs: Path, harness_plugins: Plugins
) -> None:
    bad = evaluation(runs, harness_plugins, answers(), name="bad") / "main" / "seed-0" / "ledger.jsonl"
    bad.write_bytes(bad.read_bytes() + b"{broken\n{}\n")
    status, _, html = view.get("/run/bad-1/main/0")
    assert status == 409
    assert "is damaged" in words(html)
    assert view.get(RUN)[0] == 200


def test_secrets_of_the_environment_are_blotted_out(
    tmp_path: Path, harness_plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation(tmp_path / "runs", harness_plugins, [Answer("sums/0", 0, "hunter2hunter2")])
    monkeypatch.setenv("SOME_API_KEY", "hunter2hunter2")
    with served(tmp_path / "runs") as view:
        assert "hunter2" not in view.get("/sample/model-1/main/0?in=sums&of=sums/0&at=final")[2]


def test_boards_are_built_and_built_again_when_an_entry_comes(tmp_path: Path) -> None:
    boards = tmp_path / "boards"
    shutil.copytree(ROOT / "leaderboards" / "quickstart", boards / "quickstart")
    with served(tmp_path, boards) as view:
        assert "quickstart" in words(view.get("/")[2])
        before = view.get("/boards/quickstart.html")[2]
        text = (boards / "quickstart" / "board.toml").read_text()
        assert 'title = "' in text
        (boards / "quickstart" / "board.toml").write_text(text.replace('title = "', 'title = "Anew: ', 1))
        assert "Anew: " not in before
        assert "Anew: " in view.get("/boards/quickstart.html")[2]
        entry = next(iter(re.findall(r"quickstart/entry-[\w.-]+\.html", before)))
        assert view.get(f"/boards/{entry}")[0] == 200
        for absent in ("other.html", "../quickstart/board.toml", "quickstart/../../x", "quickstart"):
            assert view.get(f"/boards/{absent}")[0] == 303


def test_the_ledger_is_left_as_it_is(view: Served, runs: Path) -> None:
    (ledger,) = runs.rglob("ledger.jsonl")
    before = ledger.read_bytes()
    for path in ("/", RUN, SAMPLES):
        view.get(path)
    assert ledger.read_bytes() == before
    study = json.loads((runs / "model-1" / "study.json").read_text())
    assert study["kind"] == "evaluation"
