"""The page of a run: why rollout 5 of step 12 was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from harness_report.options import StudyPageOptions
from harness_report.page import PageReporter
from harness_report.samples import HEAD, TAIL, Place, choose, excerpt, render
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import group as cli
from harness.contract.protocols import ReportContext
from harness.contract.records import Cost, PolicyRef, Rollout, RolloutKey, Sampling, Span, Verdict, encode
from harness.contract.samples import Group, Sample
from harness.plugging.plugins import Plugins
from harness.readout import read_run, step_sizes
from harness.recording.groups import Detail, group_line
from harness.recording.ledger import SCHEMA
from harness.testing.small_study import small_study
from tests.support.pages import Page, checked
from tests.support.studies import make_study

EVIL = "<script>alert(1)</script> & <b>7</b>"


def wrong(number: int, text: str = "so it is 7", **evidence: Any) -> Sample:
    """A sample that failed, with what its verifier said."""
    verdict = Verdict(status="fail", score=0.0, verifier="math", verifier_hash="ab12", **evidence)
    rollout = Rollout(
        key=RolloutKey(run="r/a/0", phase="train", stage="s", step=12, task="t", sample=number),
        prompt_ids=(1,), completion_ids=(1, 2, 3), text=text, finish="stop",
        policy=PolicyRef(weights_sha="w"), sampling=Sampling(), source="fast/greedy",
        cost=Cost(tokens=9, usd=0.25),
    )  # fmt: skip
    return Sample.of(rollout, verdict, 0.0)


def a_run(folder: Path, groups: Sequence[Group], detail: Detail = "sample") -> Path:
    """A run whose ledger has these groups of training."""
    opened = {"t": "opened", "schema": SCHEMA, "run": {"recipe": "r", "arm": "a", "seed": 0}, "seed": 0}
    lines: list[Mapping[str, Any]] = [opened]
    lines += [
        {"t": "group", "stage": "s", "kept": True, "group": group_line(group, detail)} for group in groups
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ledger.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in lines))
    return folder


def group(*samples: Sample, step: int = 12, task: str = "t") -> Group:
    return Group(task=task, subject=task, step=step, samples=samples)


def page_of(run: Path, samples: int = 1000, steps: Sequence[int] = ()) -> tuple[str, Page]:
    html = render(read_run(run), step_sizes(run), samples, steps)
    path = run / "page.html"
    path.write_text(html, encoding="utf-8")
    return html, checked(path)


def test_each_sample_says_what_was_found_and_why_it_failed(tmp_path: Path) -> None:
    first = group(wrong(0), wrong(1), wrong(2), task="one")
    evidence = wrong(
        2, extracted="7", reason="7 is not 8", parts=(("format", 1.0),), tests_run=4, tests_passed=3,
        tests_total=9, complete=False, spans=(Span(0, 5, 0.5, "claim"),),
    )  # fmt: skip
    second = group(wrong(0), wrong(1), evidence, task="two")
    _, page = page_of(a_run(tmp_path / "run", [first, second]))
    assert "step-0-rollout-5" in page.ids
    for words in (
        "5 · fail · two · extracted 7 · 7 is not 8",
        "Tests 3 of 4 passed, 9 in all; stopped early",
        "Part format 1",
        "Step claim 0.5 for characters 0 to 5: so it",
        "Tokens 3; generated 12",
        "Price $0.25",
        "Answered by fast/greedy",
        "Verifier math ab12",
        "so it is 7",
        "--samples --stage s --step 12 --task 'two' --sample 2",
    ):
        assert words in page.words


def test_what_a_model_wrote_is_text_and_no_page(tmp_path: Path) -> None:
    hostile = wrong(0, EVIL, extracted=EVIL, reason=EVIL, parts=((EVIL, 1.0),), spans=(Span(0, 9, 1, EVIL),))
    _, page = page_of(a_run(tmp_path / "run", [group(hostile, task=EVIL)]))
    assert "b" not in page.tags
    assert page.words.count("alert(1)") >= 4


def test_texts_that_were_not_kept_are_said_to_be_missing(tmp_path: Path) -> None:
    _, page = page_of(a_run(tmp_path / "run", [group(wrong(0, reason="no box"))], "evidence"))
    assert "no box" in page.words
    assert "Its text was not kept" in page.words
    assert "so it is 7" not in page.words


def test_a_long_text_is_shown_by_its_ends(tmp_path: Path) -> None:
    html, page = page_of(a_run(tmp_path / "run", [group(wrong(0, "a" * 100_000 + "the end"))]))
    assert "98,807 characters left out" in page.words
    assert "the end" in page.words
    assert len(html) < 15_000


def test_a_page_holds_no_more_samples_than_it_may(tmp_path: Path) -> None:
    groups = [group(*[wrong(i) for i in range(8)], step=step) for step in range(1, 101)]
    run = a_run(tmp_path / "run", groups)
    _, page = page_of(run, samples=40)
    assert page.tags.count("details") == 40
    assert "5 of 100 steps, 40 of 800 samples" in page.words
    assert "s, step 1 " in page.words
    assert "s, step 100 " in page.words
    assert "step-0-rollout-5" in page_of(run, steps=[12])[1].ids
    assert "s, step 12 " in page_of(run, steps=[12])[1].words
    assert "2 more are not on this page" in page_of(run, samples=6)[1].words


def test_a_step_that_there_is_not_is_said(tmp_path: Path) -> None:
    assert "none of the steps" in page_of(a_run(tmp_path / "run", [group(wrong(0))]), steps=[7])[1].words


def test_a_study_without_scores_has_pages_of_its_runs(tmp_path: Path) -> None:
    from tests.support.studies import spoil

    folder = make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), arms={"a": (0.2, 0.2)})
    spoil(folder / "a" / "seed-0")
    reported = PageReporter(StudyPageOptions()).report(ReportContext(folder, ()))
    assert list(reported.files) == [folder / "report" / "a" / "seed-0.html"]
    assert "Samples of training" in checked(reported.files[0]).words


def test_pages_of_runs_can_be_left_out(tmp_path: Path) -> None:
    folder = make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), arms={"a": (0.2, 0.2)})
    (path,) = PageReporter(StudyPageOptions(samples=0)).report(ReportContext(folder, ())).files
    assert checked(path).links == []
    assert not (path.parent / "a").exists()


def test_a_study_is_reported_again_with_the_steps_that_somebody_asks_for(
    tmp_path: Path, harness_plugins: Plugins
) -> None:
    study = small_study(tmp_path / "study", harness_plugins)
    recipe = tmp_path / "study" / "small.toml"
    recipe.write_text(recipe.read_text().replace("reporters = []", 'reporters = ["page"]'))
    told = CliRunner().invoke(cli, ["report", str(study.folder), "--step", "3"])
    page = study.folder / "report" / "index.html"
    assert told.exit_code == 0, told.output
    assert told.output.endswith(f"wrote {page}\n")
    words = checked(study.folder / "report" / "plain" / "seed-0.html").words
    assert "all, step 3" in words
    assert "1 of 4 steps" in words
    refused = CliRunner().invoke(cli, ["report", str(study.folder), "--json"])
    assert "is a training study" in str(refused.exception)


SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=60).map(
    lambda sizes: {("s", step): size for step, size in enumerate(sizes, 1)}
)


@given(SIZES, st.integers(1, 400))
def test_chosen_steps_fit_and_hold_the_first_and_the_last(sizes: dict[Place, int], most: int) -> None:
    chosen = choose(sizes, most)
    assert chosen[0] == ("s", 1)
    assert len(set(chosen)) == len(chosen)
    if len(chosen) > 1:
        assert chosen[-1] == ("s", len(sizes))
        assert sum(sizes[place] for place in chosen) <= most


@given(st.text(max_size=2 * (HEAD + TAIL)))
def test_an_excerpt_loses_nothing_that_it_does_not_count(text: str) -> None:
    cut = excerpt(text)
    assert len(cut.head) + len(cut.tail) + cut.left_out == len(text)
    assert text.startswith(cut.head)
    assert text.endswith(cut.tail)
