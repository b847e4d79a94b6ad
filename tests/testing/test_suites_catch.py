"""Each suite catches the mistakes that plugins really make, and names them.

A broken plugin per mistake, in a one-file plugin as a third party would write it (`support/broken`), and
beside each kind's broken ones a whole one, which must pass. `MISTAKES` is a table: who is broken, which test
finds it, and in which words.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.contract.kinds import KINDS
from tests.support.places import ROOT, SUPPORT

pytest_plugins = ["pytester"]

CONFTEST = """
from pathlib import Path
import pytest
from harness.plugging.plugins import load

@pytest.fixture(scope="session")
def harness_plugins():
    return load(local=Path(__file__).with_name("harness_plugin.py"))
"""
BROKEN = SUPPORT / "broken"

#: file of broken plugins -> broken class -> (test that finds it, words of its message)
MISTAKES = {
    "shapers": {
        "TooMany": ("a_finite_number_per_sample", "returned 9 advantages"),
        "TooFew": ("a_finite_number_per_sample", "returned 7 rewards"),
        "NanOnAlikeRewards": ("a_finite_number_per_sample", "advantage: nan"),
        "Mapping": ("a_finite_number_per_sample", "returned dict as advantages"),
        "Unmasking": ("a_finite_number_per_sample", "which could not be judged"),
        "Blaming": ("what_could_not_be_judged_gets_no_credit", "which could not be judged"),
        "Forgetful": ("a_restored_state_goes_on", "state_dict leaves something out"),
        "OwnDice": ("no_randomness_of_its_own", "gave other numbers the second time"),
        "Undeclared": ("advantages_per_token_are_declared", "without the capability 'token_credit'"),
    },
    "gates": {
        "Shut": ("some_group_reaches_the_loss", "it keeps no group whatever"),
        "Vague": ("it_decides_on_every_group", "keep returned"),
        "Forgetful": ("a_restored_state_goes_on", "state_dict leaves something out"),
        "Endless": ("refills_are_bounded", "max_refills is -1"),
    },
    "rewards": {
        "Ungated": ("right_steps_do_not_make", "not gated by the outcome"),
        "Nan": ("every_judged_verdict_has_a_finite", "a finite number"),
        "Backwards": ("a_right_answer_earns_more", "a right answer earns 0.0"),
        "Forgetful": ("a_restored_state_goes_on", "state_dict leaves something out"),
    },
    "losses": {
        "Transposed": ("a_finite_number_per_token", "a tensor of shape (6, 4); allowed: (4, 6)"),
        "Scalar": ("a_finite_number_per_token", "a tensor of shape (); allowed: (4, 6)"),
        "Nothing": ("a_finite_number_per_token", "returned NoneType"),
        "Misspelt": ("it_says_what_it_needs", "no trainer gives the inputs ['logprob']"),
        "NanOnAlikeRewards": ("a_finite_number_per_token", "nan or infinite"),
        "NanAtPadding": ("padding_changes_nothing", "padding counts"),
        "Detached": ("its_gradient_is_finite", "nothing that it gives depends on the policy"),
        "NoInputs": ("it_says_what_it_needs", "it has no `inputs`"),
        "OverRows": ("rows_do_not_mix", "not close"),
    },
    "curricula": {
        "Empty": ("groups_of_unknown_subjects", "0 tasks instead of 20"),
        "Sized": ("groups_are_as_large_as_declared", "without the capability 'group_sizes'"),
        "Forgetful": ("a_restored_state_goes_on", "state_dict leaves something out"),
        "Strangers": ("groups_are_as_large_as_declared", "were not answered in this step"),
    },
    "estimators": {
        "Swapped": ("harder_items_have_the_larger_difficulty", "a and b swapped?"),
        "Storing": ("labels_do_not_become_outcomes", "a prediction is stored as an outcome"),
        "Wandering": ("it_looks_at_prompts_of_what_it_was_asked_about", "prompts of ['another']"),
        "Drifting": ("it_looks_at_prompts_of_what_it_was_asked_about", "give other labels"),
    },
    "verifiers": {
        "NoOptions": ("the_hash_covers_the_options", "leaves the option 'strip' out"),
        "Ungated": ("a_wrong_answer_earns_nothing", "not gated by the outcome"),
        "Misplaced": ("steps_lie_in_the_text", "lies outside of it"),
        "Overlapping": ("steps_lie_in_the_text", "begins before the one before it ends"),
    },
    "engines": {
        "OtherText": ("the_text_is_what_the_token_ids_say", "the token ids"),
        "OfTheObject": ("equal_requests_give_equal_rollouts", "its seed is not the key's"),
        "Twice": ("a_wrapper_counts_what_was_generated_once", "and its engines generated"),
        "Speechless": ("what_it_gives_up_has_a_reason", "an abort without a reason"),
        "Losing": ("what_it_gives_up_has_a_reason", "requests that its engine gave up are lost"),
        "Anew": ("a_prefix_is_continued", "continued from"),
        "Paying": ("a_prefix_is_continued", "they are paid again"),
    },
    "trainers": {
        "Blaming": ("what_the_engine_gives_up_is_no_failure", "what the engine gave up counts as a failure"),
        "Paying": ("replayed_groups_join_the_update", "its metrics count"),
        "Drifting": ("a_step_that_is_masked_altogether", "weights moved in a step in which no token counted"),
        "Measuring": ("an_evaluation_inside_a_stage", "weights moved while they were evaluated"),
        "Rounding": ("a_broken_stage_goes_on", "a resumed stage has other numbers"),
        "Trusting": ("a_checkpoint_whose_weights_have_changed", "DID NOT RAISE"),
    },
    "launchers": {
        "Idle": ("its_width_is_a_number", "width is 0"),
        "Cutting": ("what_a_run_prints_is_added", "the log of an earlier start is gone"),
        "Twice": ("a_run_is_executed_once", "its command was executed 2 times"),
        "Praising": ("a_run_that_fails_is_told", "told as one that ended well"),
        "Hasty": ("a_run_in_progress_has_no_code", "a run in progress is told with"),
        "Loose": ("an_interrupt_ends_a_run", "has not ended"),
        "Vague": ("a_run_is_executed_once", "allowed: RunState"),
    },
    "trackers": {
        "Anew": ("a_run_that_goes_on_keeps_what_is_there", "not shown after the run went on"),
        "Refusing": ("it_takes_a_run_that_goes_on", "FileExistsError"),
        "Once": ("it_takes_a_run_from_start_to_end", "step 0 is known"),
        "Averaging": ("it_takes_a_run_that_ends_at_once", "ZeroDivisionError"),
        "Hoarding": ("it_shows_every_step", "not shown when the run has ended"),
        "Late": ("it_shows_every_step", "not shown when the run has ended"),
        "Shared": ("runs_are_told_apart_by_their_ids", "another one has the same recipe, arm and seed"),
        "Tampering": ("the_record_stays_as_it_was", "it changed the run's ledger"),
    },
    "others": {
        "Repeating": ("an_endless_source_never_repeats", "5 different tasks in 20 draws"),
        "Bare": ("what_it_never_had_is_refused_in_words", "KeyError"),
        "KeepsAll": ("it_keeps_and_drops_what_it_should", "which it should drop"),
        "Memory": ("a_task_is_judged_by_itself", "it decides by what it saw before"),
        "NanMetric": ("finite_numbers_by_name", "is nan"),
        "DeafMetric": ("every_problem_counts", "no number depends on what passed"),
        "OneHash": ("the_hash_tells_weights_apart", "the hash does not cover the weights"),
        "Shuffled": ("reading_it_again_gives_the_same", "another order"),
        "Unversioned": ("its_version_says_when_scores_compare", "allowed: a number and a letter"),
        "Repeated": ("it_has_problems_each_once", "ids that occur twice"),
        "NoVerifier": ("its_verifiers_are_there", "nothing of kind 'verifiers'"),
        "Boasting": ("what_it_says_it_wrote_is_there", "which is not there"),
        "Tampering": ("the_record_stays_as_it_was", "it changed what is not its own"),
        "Deafening": ("it_explains_itself", "it has no help text"),
        "Blind": ("a_program_that_fails_says_so", "came back as 'ok'"),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_suite_names_each_mistake_and_passes_what_is_whole(pytester: pytest.Pytester, kind: str) -> None:
    mistakes = MISTAKES[kind]
    # Looked for and not imported: pytester forgets what a test imported, and torch cannot be imported twice.
    if kind in ("losses", "trainers") and find_spec("torch") is None:
        pytest.skip("these plugins compute with torch")
    plugin, suites = (BROKEN / f"{name}.py" for name in (kind, f"{kind}_suites"))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        harness_plugin=plugin.read_text(encoding="utf-8"), test_suites=suites.read_text(encoding="utf-8")
    )
    wanted = " or ".join(["Whole", *(f"(Test{name} and {test})" for name, (test, _) in mistakes.items())])
    result = pytester.runpytest_subprocess(
        "-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", wanted
    )
    messages = failures(result.stdout.str())
    for name, (test, words) in mistakes.items():
        mine = [text for head, text in messages if head.startswith(f"Test{name}.") and test in head]
        assert mine, f"nothing found {name}: {[head for head, _ in messages]}"
        assert any(words in text for text in mine), f"{name} is found in other words: {mine[0][-1500:]}"
    whole = [head for head, _ in messages if "Whole" in head]
    assert not whole, f"whole plugins fail: {whole}\n{result.stdout.str()[-3000:]}"
    assert result.parseoutcomes().get("passed"), result.stdout.str()[-2000:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_broken_plugins_and_its_mistakes_on_the_page(kind: str) -> None:
    suite = KINDS[kind].suite
    files = [*BROKEN.glob("*_suites.py"), Path(__file__).with_name("test_conformance_catches.py")]
    assert any(re.search(rf"\b{suite}\b", file.read_text(encoding="utf-8")) for file in files)
    page = (ROOT / "docs" / "how-to" / "conformance.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{kind}` \| `{suite}` \| .+ \|$", page, re.MULTILINE)


def failures(output: str) -> list[tuple[str, str]]:
    """(Class.test, report) of each test that failed or could not be set up."""
    parts = re.split(r"^_+ (?:ERROR at setup of )?(Test.+?) _+$", output, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))
