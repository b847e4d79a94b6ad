"""What every difficulty estimator must do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, Final

import numpy as np
import pytest

from harness.contract.members import member
from harness.contract.protocols import DifficultyEstimator
from harness.contract.records import Difficulty, Message, PolicyRef, builtins
from harness.tasks.measuring import checked_labels
from harness.testing.plugin import Build

#: Rounds after which a measurement counts as endless.
MAX_ROUNDS = 1000


class EstimatorConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether every subject is sampled; an estimator that predicts some from others sets it to False.
    measures_all: ClassVar[bool] = True
    rates: ClassVar[Mapping[str, float]] = {"dead": 0.0, "hard": 0.1, "half": 0.5, "easy": 0.9, "sure": 1.0}

    @pytest.fixture
    def estimator(self, harness_build: Build) -> DifficultyEstimator:
        return self.built(harness_build)

    def built(self, harness_build: Build) -> DifficultyEstimator:
        """A new one, which was shown the prompts if it looks at them."""
        estimator: DifficultyEstimator = harness_build("difficulty_estimators", self.name, **self.options)
        member("difficulty_estimators", estimator, "look")(self.prompt)
        return estimator

    @staticmethod
    def prompt(subject: str) -> Sequence[Message]:
        """The prompt of a subject."""
        return (Message("user", f"What is {subject} of {len(subject)}?"),)

    def measure(self, estimator: DifficultyEstimator, *, lose: float = 0.0) -> dict[str, Difficulty]:
        """Sample until it asks for no more; a share of rollouts may be lost to infrastructure."""
        rng = np.random.default_rng(0)
        outcomes: dict[str, Difficulty] = {}
        for _ in range(MAX_ROUNDS):
            wanted = estimator.requests(outcomes, list(self.rates))
            if not wanted:
                return outcomes
            for subject, count in wanted.items():
                lost = int(rng.binomial(count, lose))
                known = outcomes.get(subject) or Difficulty(
                    subject=subject, model="policy", policy=PolicyRef(weights_sha="0"), samples=0, passes=0
                )
                passes = int(rng.binomial(count - lost, self.rates[subject]))
                outcomes[subject] = replace(
                    known,
                    samples=known.samples + count - lost,
                    passes=known.passes + passes,
                    score_sum=known.score_sum + passes,
                    score_sq_sum=known.score_sq_sum + passes,
                    excluded_infra=known.excluded_infra + lost,
                )
        raise AssertionError(f"still asks for rollouts after {MAX_ROUNDS} rounds")

    def test_it_asks_for_positive_numbers_of_what_it_was_asked_about(
        self, estimator: DifficultyEstimator
    ) -> None:
        wanted = estimator.requests({}, list(self.rates))
        assert wanted, "without any outcome nothing can be known"
        assert set(wanted) <= set(self.rates)
        assert all(isinstance(count, int) and count > 0 for count in wanted.values())
        assert not estimator.requests({}, [])

    def test_its_questions_depend_on_the_outcomes_alone(self, estimator: DifficultyEstimator) -> None:
        outcomes = self.measure(estimator)
        some = {subject: outcomes[subject] for subject in list(outcomes)[:2]}
        assert estimator.requests(some, list(self.rates)) == estimator.requests(some, list(self.rates))

    def test_it_ends_and_every_subject_has_a_label(self, estimator: DifficultyEstimator) -> None:
        outcomes = self.measure(estimator)
        labels = checked_labels(estimator.fit(outcomes), outcomes, estimator)
        assert set(labels) == set(self.rates)
        for label in labels.values():
            assert label.samples > 0 or (label.known and not self.measures_all)
        assert labels["dead"].mean < labels["half"].mean < labels["sure"].mean

    def test_it_ends_even_when_every_rollout_is_lost(self, estimator: DifficultyEstimator) -> None:
        assert all(label.samples == 0 for label in self.measure(estimator, lose=1.0).values())

    def test_parts_add_up(self, estimator: DifficultyEstimator) -> None:
        for endless in (True, False):
            for count in (0, 1, 7, 64):
                parts = list(estimator.split(count, endless=endless))
                assert sum(parts) == count
                assert all(part > 0 for part in parts)
        assert len(estimator.split(64, endless=False)) == 1, "a finite subject is one task"

    def test_its_state_goes_through_json(self, estimator: DifficultyEstimator, harness_build: Build) -> None:
        outcomes = self.measure(estimator)
        again = self.built(harness_build)
        again.load_state_dict(json.loads(json.dumps(estimator.state_dict())))
        assert again.fit(outcomes) == estimator.fit(outcomes)
        assert again.requests({}, list(self.rates)) == estimator.requests({}, list(self.rates))

    def test_it_looks_at_prompts_of_what_it_was_asked_about(self, harness_build: Build) -> None:
        """A prompt of a million is not looked up for nothing, and of another name there is none."""
        asked: set[str] = set()

        def prompt(subject: str) -> Sequence[Message]:
            asked.add(subject)
            return self.prompt(subject)

        estimator = self.built(harness_build)
        look = member("difficulty_estimators", estimator, "look")
        look(prompt)
        outcomes = self.measure(estimator)
        first = estimator.fit(outcomes)
        strange = asked - set(self.rates)
        assert not strange, f"it asked for prompts of {sorted(strange)}, which are no subjects of its"
        look(self.prompt)
        assert estimator.fit(outcomes) == first, "the same prompts, shown again, give other labels"

    def test_labels_do_not_become_outcomes(self, estimator: DifficultyEstimator) -> None:
        """A label says what is thought of a subject; the outcomes say what was seen, and stay as they are."""
        outcomes = self.measure(estimator)
        before = dict(outcomes)
        labels = estimator.fit(outcomes)
        assert outcomes == before, "fit changed the outcomes that it was given"
        for subject, label in labels.items():
            seen = outcomes.get(subject)
            counted = (0, 0) if seen is None else (seen.samples, seen.passes)
            assert (label.samples, label.passes) == counted, (
                f"the label of {subject!r} counts {label.passes} passes of {label.samples} samples, and "
                f"{counted[1]} of {counted[0]} were seen: a prediction is stored as an outcome"
            )
        assert estimator.fit(outcomes) == labels, "fitting the same outcomes again gives other labels"

    def test_harder_items_have_the_larger_difficulty(self, harness_build: Build) -> None:
        """On simulated data: `a` says how sharply an item separates, `b` how hard it is."""
        labels = self.built(harness_build).fit(simulated_outcomes())
        fitted = {
            subject: fit for subject, label in labels.items() if (fit := item_parameters(label)) is not None
        }
        if not fitted:
            pytest.skip("it fits no item parameters")
        assert set(fitted) == set(ITEMS), f"no item parameters for {sorted(set(ITEMS) - set(fitted))}"
        order = sorted(ITEMS, key=lambda subject: ITEMS[subject])
        a, b = zip(*(fitted[subject] for subject in order), strict=True)
        assert all(value > 0 for value in a), (
            f"discriminations a are {a}; allowed: above 0 (a and b swapped?)"
        )
        inverted = [(easy, hard) for easy, hard in pairwise(order) if not fitted[easy][1] < fitted[hard][1]]
        assert not inverted, (
            f"a harder item has the smaller difficulty b: {inverted}; b is {b} from easy to hard "
            "(a and b swapped?)"
        )


#: Difficulty of simulated items: the pass rate of a policy falls with it.
ITEMS: Final[Mapping[str, float]] = {"b-2": -2.0, "b-1": -1.0, "b0": 0.0, "b1": 1.0, "b2": 2.0}


def simulated_outcomes(samples: int = 400) -> dict[str, Difficulty]:
    """Outcomes of a policy of ability 0 on `ITEMS` under item response theory, as many as expected."""
    rates = {subject: 1 / (1 + math.exp(b)) for subject, b in ITEMS.items()}
    return {
        subject: Difficulty(
            subject=subject, model="policy", policy=PolicyRef(weights_sha="0"), samples=samples,
            passes=round(rate * samples), score_sum=round(rate * samples), score_sq_sum=round(rate * samples),
        )
        for subject, rate in rates.items()
    }  # fmt: skip


def item_parameters(label: Difficulty) -> tuple[float, float] | None:
    """Discrimination and difficulty as an estimator fitted them; None if it fits none."""
    told = builtins(label)
    told = {"a": told.get("irt_a"), "b": told.get("irt_b"), **told.get("extra", {})}
    return None if told["b"] is None else (1.0 if told["a"] is None else told["a"], told["b"])
