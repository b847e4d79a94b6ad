"""Estimator `pcl`: pass rates predicted from the prompts (PCL, arXiv 2510.01135).

Prompt Curriculum Learning trains a value model V(x) beside the policy, which says from a prompt how often the
policy solves it, and so finds prompts of medium difficulty without rollouts. Here it labels: what is known of
some subjects, from training (`difficulty.reuse`) or from a measurement of a few, teaches the predictor, and
every other subject has a `predicted` rate. The curriculum of the same name chooses batches by it.

V is no language model with a head, as in the paper, but a Bayesian logistic regression on features counted in
the text (`harness_difficulty.predicting`): it costs milliseconds, knows less, and has standard errors. No
public code of the authors was found to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from harness.contract import BuildContext, DataError, Difficulty, Message, seed_of
from harness_difficulty.density import Floats
from harness_difficulty.options import PclOptions
from harness_difficulty.predicting import Predictor, Rates, read

#: Prompts that are read at a time, so that a million of them need no more memory.
CHUNK: Final = 4096
#: Nearest that a prediction comes to 0 and 1 where outcomes are added to it.
SURE: Final = 1e-6


class Pcl:
    """Predicts what was not measured (protocol `DifficultyEstimator`)."""

    def __init__(self, options: PclOptions, context: BuildContext) -> None:
        self.options = options
        self._seed = context.seed
        self._prompt: Callable[[str], Sequence[Message]] | None = None
        #: What is known with the present measurement, and without it: to fit again adds nothing.
        self._now, self._before = Predictor(), Predictor()
        self._measuring = False
        #: Measurements so far: each draws anew which subjects it samples.
        self._number = 0
        #: What the last measurement was about: predicted labels are for these.
        self._subjects: list[str] = []

    def look(self, prompt: Callable[[str], Sequence[Message]]) -> None:
        self._prompt = prompt

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        """Samples of as many further subjects as `subjects` wants known; none if training told of so many."""
        if not self._measuring:
            self._measuring = True
            self._number += 1
            self._before = self._now.copy()
            self._before.fade(self.options.memory)
        self._subjects = list(subjects)
        tried = {subject for subject, seen in outcomes.items() if seen.samples + seen.excluded_infra}
        missing = self.options.subjects - len(tried)
        if missing <= 0:
            return {}
        free = [subject for subject in subjects if subject not in tried]
        # A random choice that a run which goes on makes again.
        free.sort(key=lambda subject: seed_of("pcl", self._seed, self._number, subject))
        return dict.fromkeys(free[:missing], self.options.samples)

    def split(self, count: int, *, endless: bool) -> Sequence[int]:
        """A single rollout per fresh task of an endless source; a finite subject is one task."""
        if endless:
            return [1] * count
        return [count] if count else []

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """Labels of all subjects, each with its `predicted` rate; `rate` and `rate_sd` are the prediction
        with the subject's own outcomes, where it has any.

        Raises:
            DataError: it was never given prompts.
        """
        self._measuring = False
        labels = dict(outcomes)
        if not outcomes:
            return labels
        seen = self._read(list(outcomes))
        samples: Floats = np.array([label.samples for label in outcomes.values()], dtype=np.float64)
        passes: Floats = np.array([label.passes for label in outcomes.values()], dtype=np.float64)
        # Predicted before its own outcomes were seen, so that these count once.
        told = self._before(seen)
        self._now = self._before.copy()
        self._now.learn(seen, passes, samples)
        joined = _with_own(told, passes, samples)
        for i, (subject, label) in enumerate(outcomes.items()):
            labels[subject] = _labelled(label, told.mean[i], joined.mean[i], joined.sd[i])
        like = next(iter(outcomes.values()))
        rest = [subject for subject in dict.fromkeys(self._subjects) if subject not in outcomes]
        for start in range(0, len(rest), CHUNK):
            names = rest[start : start + CHUNK]
            made = self._now(self._read(names))
            for name, mean, sd in zip(names, made.mean, made.sd, strict=True):
                blank = replace(
                    like, subject=name, samples=0, passes=0, score_sum=0.0, score_sq_sum=0.0, truncated=0,
                    excluded_infra=0, criterion="all_pass", extra={},
                )  # fmt: skip
                labels[name] = _labelled(blank, mean, mean, sd)
        return labels

    def _read(self, subjects: Sequence[str]) -> Floats:
        if self._prompt is None:
            raise DataError(
                "was given no prompts to predict from", where="estimator 'pcl'",
                hint="call `look` before the first `requests`, as the harness does",
            )  # fmt: skip
        return read([self._prompt(subject) for subject in subjects])

    def state_dict(self) -> dict[str, Any]:
        """What the predictor knows with and without the measurement under way, and what that is about."""
        return {
            "now": self._now.state_dict(),
            "before": self._before.state_dict(),
            "measuring": self._measuring,
            "number": self._number,
            "subjects": self._subjects,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self._now.load_state_dict(state["now"])
        self._before.load_state_dict(state["before"])
        self._measuring = bool(state["measuring"])
        self._number = int(state["number"])
        self._subjects = [str(subject) for subject in state["subjects"]]


def _labelled(label: Difficulty, predicted: float, rate: float, sd: float) -> Difficulty:
    return replace(
        label, predicted=float(predicted), extra={**label.extra, "rate": float(rate), "rate_sd": float(sd)}
    )


def _with_own(told: Rates, passes: Floats, samples: Floats) -> Rates:
    """Predictions as Beta distributions of the same mean and deviation, with outcomes that came after."""
    # A predictor may be sure beyond rounding; as a distribution it never is.
    sure = np.clip(told.mean, SURE, 1 - SURE)
    worth = np.maximum(sure * (1 - sure) / np.maximum(told.sd, SURE) ** 2 - 1, SURE)
    a, b = sure * worth + passes, (1 - sure) * worth + samples - passes
    mean = a / (a + b)
    return Rates(mean, np.sqrt(mean * (1 - mean) / (a + b + 1)))
