"""Profiles, tallies, scores and the check of the tail: the parts of an evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import statistics
from harness.benchmarking.profile import Profile, load_profile
from harness.contract.errors import CapabilityError, RecipeError
from harness.contract.records import Verdict
from harness.evaluating.recording import refusal
from harness.evaluating.scores import pass_ks, scored
from harness.evaluating.tail import gold_in_tail
from harness.plugging.plugins import load
from harness.statistics.tally import Tally, total
from tests.support import builders

STATUSES = ("pass", "fail", "partial", "no_answer", "timeout", "infra_error")
Sample = tuple[str, str, str, float]


def tally(samples: list[Sample]) -> Tally:
    made = Tally()
    for i, (status, answer, finish, score) in enumerate(samples):
        add(made, i, status, answer, finish, score)
    return made


def add(
    made: Tally, i: int, status: str, answer: str | None = "1", finish: str = "stop", score: float = 1.0
) -> None:
    made.add(
        i, status=status, score=score if status in ("pass", "partial") else None, extracted=answer,
        finish=finish, tokens=10, tail=False,
    )  # fmt: skip


samples_of = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        st.sampled_from("abc"),
        st.sampled_from(("stop", "length", "abort")),
        st.floats(0, 1),
    ),
    max_size=20,
)


@given(samples_of, st.randoms())
def test_a_tally_does_not_depend_on_the_order(samples: list[Sample], rng: Any) -> None:
    order = list(range(len(samples)))
    rng.shuffle(order)
    shuffled = Tally()
    for i in order:
        add(shuffled, i, *samples[i])
    assert shuffled.counts() == tally(samples).counts()
    assert shuffled.missing(20) == tally(samples).missing(20)


@given(samples_of)
def test_a_second_judgement_changes_nothing_and_a_first_one_mends_a_failure(samples: list[Sample]) -> None:
    made = tally(samples)
    before = made.counts()
    for i in range(len(samples)):
        if made.judged >> i & 1:
            add(made, i, "pass" if samples[i][0] != "pass" else "fail")
    assert made.counts() == before
    for i in range(len(samples)):
        add(made, i, "pass")
    assert (made.infra, made.samples, made.missing(len(samples))) == (0, len(samples), [])


@given(samples_of)
def test_a_sample_counts_if_and_only_if_its_verdict_says_that_it_was_judged(samples: list[Sample]) -> None:
    """One rule for training, measuring and evaluating."""
    verdicts = [
        Verdict(
            status="infra_error" if finish == "abort" else status,  # type: ignore[arg-type]
            score=None, verifier="v", verifier_hash="h",
        )
        for status, _, finish, _ in samples
    ]  # fmt: skip
    made = tally(samples)
    assert made.samples == sum(verdict.judged for verdict in verdicts)
    assert made.infra == len(samples) - made.samples
    assert made.passes == sum(verdict.status == "pass" for verdict in verdicts)


@given(st.lists(samples_of, max_size=5))
def test_problems_are_counted_together_as_their_samples_would_be(problems: list[list[Sample]]) -> None:
    counts = total(tally(samples).counts() for samples in problems)
    together = tally([sample for samples in problems for sample in samples]).counts()
    assert counts.problems == len(problems)
    for name in ("samples", "passes", "tokens", "truncated", "no_answer", "timeout", "infra"):
        assert getattr(counts, name) == getattr(together, name)
    assert counts.score == pytest.approx(together.score)


@given(st.lists(samples_of, min_size=1, max_size=5), st.integers(1, 4))
def test_a_score_is_refused_exactly_while_a_sample_is_missing_or_unjudged(
    problems: list[list[Sample]], wanted: int
) -> None:
    names = [f"p{i}" for i in range(len(problems))]
    tallies = {name: tally(samples[:wanted]) for name, samples in zip(names, problems, strict=True)}
    complete = all(made.samples == wanted for made in tallies.values())
    assert (refusal(tallies, wanted, len(names), names) == "") == complete
    assert (refusal(tallies, wanted, len(names)) == "") == complete, "nor does it need the names"


def test_a_refusal_says_how_many_and_which_first() -> None:
    tallies = {
        "a": tally([("pass", "1", "stop", 1.0), ("fail", "1", "abort", 0.0)]),
        "b": tally([("infra_error", "1", "stop", 0.0), ("pass", "1", "stop", 1.0)]),
    }
    assert refusal(tallies, 2, 3, ["a", "b", "c"]) == (
        "3 of 6 samples are missing, 1 of which the engine gave up (first: 'a'); "
        "1 of 6 samples could not be judged (first: 'b')"
    )
    assert refusal({}, 2, 1) == "2 of 2 samples are missing"


@pytest.mark.parametrize(
    ("samples", "ks"),
    [
        (1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (64, [1, 2, 4, 8, 16, 32, 64]),
        (1000, [*(1 << i for i in range(10)), 1000]), (1024, [1 << i for i in range(11)]),
        (5000, [1 << i for i in range(11)]),
    ],
)  # fmt: skip
def test_pass_at_k_is_given_for_powers_of_two_and_for_all_samples(samples: int, ks: list[int]) -> None:
    assert pass_ks(samples) == ks
    half = tally([("pass" if i % 2 else "fail", "x", "stop", 1.0) for i in range(samples)])
    made = scored([builders.task(id="a")], {"a": half})
    assert list(made.pass_at) == ks
    assert all(0 <= value <= 1 for value in made.pass_at.values())


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=12))
def test_the_majority_is_that_of_the_statistics(votes: list[tuple[str, bool]]) -> None:
    made = Tally()
    for i, (answer, right) in enumerate(votes):
        add(made, i, "pass" if right else "fail", answer)
    expected = statistics.maj_at_k([a for a, _ in votes], [r for _, r in votes])
    assert made.majority == pytest.approx(expected)


def test_scores_are_those_of_the_statistics() -> None:
    rng = np.random.default_rng(0)
    marks = rng.random((12, 8)) < rng.random((12, 1))
    tasks = [builders.task(id=f"t{i}", tags=(f"level={i % 3}",)) for i in range(12)]
    tallies = {
        t.id: tally([("pass" if right else "fail", "x" if right else "y", "stop", 1.0) for right in row])
        for t, row in zip(tasks, marks, strict=True)
    }
    made = scored(tasks, tallies)
    assert made.score.value == pytest.approx(marks.mean())
    assert made.pass_at[8] == pytest.approx(marks.any(axis=1).mean())
    assert made.pass_at[1] == pytest.approx(marks.mean())
    assert set(made.pass_at) == {1, 2, 4, 8}
    assert made.groups["level=1"].value == pytest.approx(marks[1::3].mean())
    with pytest.raises(ValueError, match="no judged sample"):
        scored(tasks, {**tallies, "t3": Tally()})


@pytest.mark.parametrize(
    ("answer", "text", "there"),
    [
        (25, "so the answer is 25", True),
        ("25", "so the answer is 125", False),
        ("25", "so the answer is 25.5", False),
        ("25", "so the answer is 25.", True),
        ("25", "the answer is 25" + " and so on" * 40, False),
        (r"\frac{1}{2}", r"that is \frac{1}{2}$", True),
        (r"\left( 3, \pi \right)", r"that is $\left(3, \pi\right)$", True),
        (["1", "2"], "either 1 or 2", True),
        (["1", "2"], "it is 1", False),
        ({"kind": "asserts", "tests": "1"}, "kind tests 1", False),
    ],
)
def test_the_gold_in_the_tail_is_a_word_of_its_own(answer: Any, text: str, there: bool) -> None:
    assert gold_in_tail(answer, text) is there


# Profiles ----------------------------------------------------------------------------------------


def profile(name: str, *overrides: str) -> Profile:
    return load_profile(name, load(), builders.context(), overrides)


def test_profiles_say_what_their_sources_say() -> None:
    r1, paper, qwen = profile("r1-standard"), profile("seed-paper"), profile("qwen3-thinking")
    assert (r1.sampling.temperature, r1.sampling.top_p, r1.sampling.max_tokens) == (0.6, 0.95, 32768)
    assert (r1.samples_of("aime24"), r1.samples_of("math500")) == (64, 4)
    assert [paper.samples_of(b) for b in ("aime24", "math500", "livecodebench")] == [16, 16, 4]
    assert paper.samples_of("livecodebench-v5@2024-08-01..2025-02-01") == 4
    assert qwen.sampling_of("aime25-alt").max_tokens == qwen.sampling_of("aime25").max_tokens == 38912
    assert (qwen.sampling.top_k, qwen.sampling_of("aime24").max_tokens) == (20, 38912)
    assert qwen.sampling_of("math500").max_tokens == 32768
    assert r1.domains["math"].verifier.options["thinking"] == "prefilled"


def test_a_hash_follows_what_moves_a_score_and_nothing_else() -> None:
    base = profile("r1-standard")
    assert base.hash == profile("r1-standard").hash
    assert base.hash == profile("r1-standard", "about=other words", "name=mine").hash
    changed = [
        "sampling.temperature=0.7", "samples.default=8", "chat=false", "system=Think.", "version=2-A",
        "sampling.max_tokens=100", "domains.math.verifier.extraction=any", "max_tokens.aime24=9",
    ]  # fmt: skip
    hashes = {profile("r1-standard", change).hash for change in changed}
    assert len(hashes | {base.hash}) == len(changed) + 1
    names = ("r1-standard", "seed-paper", "qwen3-thinking", "greedy-smoke")
    assert len({profile(name).hash for name in names}) == 4


def test_a_problem_is_asked_in_the_profiles_words() -> None:
    task = builders.task(prompt="What is {x}?", domain="math")
    asked = profile("r1-standard", "system=Be brief.").asked(task, "b")
    assert [m.role for m in asked.prompt] == ["system", "user"]
    assert asked.prompt[1].content.startswith("What is {x}?\nPlease reason")
    assert asked.verifier == "math"
    with pytest.raises(CapabilityError, match="no domain 'poetry'"):
        profile("r1-standard").asked(builders.task(domain="poetry"), "odes")


def test_a_domain_may_have_a_system_turn_and_a_format() -> None:
    task = builders.task(prompt="What is {format}?", domain="math")
    task = replace(task, meta={"format": "Say {problem}."})
    settings = ("system=Be brief.", "domains.math.system=Be exact.", "domains.math.prompt={problem} {format}")
    made = profile("r1-standard", *settings)
    system, user = made.asked(task, "b").prompt
    assert system.content == "Be exact."
    assert user.content == "What is {format}? Say {problem}."
    assert [m.role for m in profile("r1-standard", "domains.math.system=").asked(task, "b").prompt] == [
        "user"
    ]
    hashes = {profile("r1-standard", *some).hash for some in ((), settings[:1], settings[:2], settings)}
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("name", "samples"),
    [("a-b@p", 1), ("a-b", 2), ("a-b@q", 2), ("a-c", 3), ("a-c@p", 3), ("a", 3), ("c", 9), ("ab", 9)],
)
def test_a_number_holds_for_a_benchmark_its_parts_and_its_family(name: str, samples: int) -> None:
    made = profile("r1-standard").model_copy(update={"samples": {"default": 9, "a-b@p": 1, "a-b": 2, "a": 3}})
    assert made.samples_of(name) == samples


def test_a_file_may_extend_a_profile(tmp_path: Any) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "r1-standard"\nname = "mine"\n[sampling]\nmax_tokens = 64\n')
    mine = profile(str(path))
    assert (mine.name, mine.sampling.max_tokens, mine.sampling.top_p) == ("mine", 64, 0.95)
    path.write_text(f'extends = "{path}"\n')
    with pytest.raises(RecipeError, match="extends itself"):
        profile(str(path))
    path.write_text('extends = "r1-standard"\n[domains.math]\nprompt = "no place"\n')
    with pytest.raises(RecipeError, match="holds no"):
        profile(str(path))
