"""What every difficulty estimator must do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.protocols import DifficultyEstimator
from harness.records import Difficulty, PolicyRef
from harness.testing.plugin import Build

#: Rounds after which a measurement counts as endless.
MAX_ROUNDS = 1000


class EstimatorConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    rates: ClassVar[Mapping[str, float]] = {"dead": 0.0, "hard": 0.1, "half": 0.5, "easy": 0.9, "sure": 1.0}

    @pytest.fixture
    def estimator(self, harness_build: Build) -> DifficultyEstimator:
        estimator: DifficultyEstimator = harness_build("difficulty_estimators", self.name, **self.options)
        return estimator

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
        labels = estimator.fit(self.measure(estimator))
        assert set(labels) == set(self.rates)
        for subject, label in labels.items():
            assert label.subject == subject
            assert label.samples > 0
            assert 0 <= label.passes <= label.samples
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
        again = harness_build("difficulty_estimators", self.name, **self.options)
        again.load_state_dict(json.loads(json.dumps(estimator.state_dict())))
        assert again.fit(outcomes) == estimator.fit(outcomes)
        assert again.requests({}, list(self.rates)) == estimator.requests({}, list(self.rates))
