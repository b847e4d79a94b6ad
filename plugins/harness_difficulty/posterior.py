"""Estimator `posterior`: pass rates with all that is known besides the outcomes of one measurement.

- Drift: outcomes of earlier measurements count, too. Those of the same policy count in full, each once.
Those of earlier policies count with a share `drift`, which is taken once for each later measurement of the
subject under another policy, however many steps or stages of training lie between the two. Outcomes of
training, which `difficulty.reuse` brings back and fades itself, count in that one measurement. - Verifier
noise: with false passes fp and false fails fn, what is seen is p_obs = (1 - fn) p + fp (1 - p). - Prior: a
published pass rate counts as so many samples, which measurements overrule.

It samples as `pass-rate` does, and stops once this posterior is decisive; each subject is measured for one
round at least. Labels keep their counts; the posterior's mean and standard deviation are in `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.contract import BuildContext, Difficulty
from harness_difficulty.density import Floats, Moments, moments
from harness_difficulty.options import PosteriorOptions
from harness_difficulty.pass_rate import PassRate


class Known(NamedTuple):
    """What was measured of a subject so far."""

    #: Of the last measurement: the policy, and the passes and samples without those of training.
    policy: str
    passes: int
    samples: int
    #: Passes and samples of measurements before it: of the same policy, and of others, faded.
    same: tuple[int, int] = (0, 0)
    past: tuple[float, float] = (0.0, 0.0)


class Given(NamedTuple):
    """Passes and samples that a measurement began with: of training, or what the store kept of the policy."""

    passes: int
    samples: int
    trained: bool


NOTHING = Given(0, 0, trained=False)


class Posterior(PassRate):
    """Pass rates under drift, noise and a prior (protocol `DifficultyEstimator`)."""

    def __init__(self, options: PosteriorOptions, context: BuildContext | None = None) -> None:
        super().__init__(options, context)
        self._told = options
        self._published = {} if context is None else context.labels.get(options.prior, {})
        self._known: dict[str, Known] = {}
        #: What the present measurement began with; it lasts from the first `requests` until `fit`.
        self._given: dict[str, Given] = {}
        self._measuring = False
        #: Policies of the outcomes at hand, by subject.
        self._policies: dict[str, str] = {}

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        if not self._measuring:
            self._measuring = True
            self._given = {
                subject: Given(seen.passes, seen.samples, seen.criterion == "training")
                for subject, seen in outcomes.items()
                if seen.samples
            }
        self._policies = {subject: seen.policy.weights_sha for subject, seen in outcomes.items()}
        return super().requests(outcomes, subjects)

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """The outcomes, with the posterior's mean as `rate` and its standard deviation as `rate_sd`. To fit a
        measurement's outcomes again adds nothing."""
        self._known |= {subject: self._with(subject, seen) for subject, seen in outcomes.items()}
        self._measuring = False
        subjects = list(outcomes)
        samples = np.array([outcomes[s].samples for s in subjects], dtype=np.int64)
        passes = np.array([outcomes[s].passes for s in subjects], dtype=np.int64)
        earlier = np.array([_sum(self._known[s].same, self._known[s].past) for s in subjects]).reshape(-1, 2)
        made = self._moments(subjects, samples, passes, earlier)
        return {
            subject: replace(
                outcomes[subject], extra={**outcomes[subject].extra, "rate": mean, "rate_sd": sd}
            )
            for subject, mean, sd in zip(subjects, made.mean.tolist(), made.sd.tolist(), strict=True)
        }

    def _with(self, subject: str, seen: Difficulty) -> Known:
        """What is known of a subject with the outcomes of a measurement."""
        policy, before = seen.policy.weights_sha, self._known.get(subject)
        same, past = self._before(subject, policy)
        again = before is not None and before.policy == policy
        given = self._given.get(subject, NOTHING) if self._measuring or again else NOTHING
        if given.trained:
            return Known(policy, seen.passes - given.passes, seen.samples - given.samples, same, past)
        return Known(policy, seen.passes, seen.samples, same, past)

    def _inside(
        self, subjects: Sequence[str], samples: npt.NDArray[np.int64], passes: npt.NDArray[np.int64]
    ) -> Floats:
        earlier = [_sum(*self._before(subject, self._policies.get(subject, ""))) for subject in subjects]
        return self._moments(subjects, samples, passes, np.array(earlier).reshape(-1, 2)).inside

    def _before(self, subject: str, policy: str) -> tuple[tuple[int, int], tuple[float, float]]:
        """Passes and samples that count beside a measurement of this policy: of the same one, and faded."""
        known = self._known.get(subject)
        if known is None:
            return (0, 0), (0.0, 0.0)
        whole = (known.same[0] + known.passes, known.same[1] + known.samples)
        if known.policy != policy:
            passes, samples = _sum(whole, known.past)
            return (0, 0), (self._told.drift * passes, self._told.drift * samples)
        if not self._measuring:  # the same measurement, fitted again
            return known.same, known.past
        given = self._given.get(subject, NOTHING)
        # What the store kept of this policy holds the measurements of this run.
        stored = not given.trained and given.samples >= whole[1]
        return (0, 0) if stored else whole, known.past

    def _moments(
        self,
        subjects: Sequence[str],
        samples: npt.NDArray[np.int64],
        passes: npt.NDArray[np.int64],
        earlier: Floats,
    ) -> Moments:
        options = self._told
        counted = np.stack([passes, samples], axis=1) + earlier
        observed = np.stack([counted[:, 0], counted[:, 1] - counted[:, 0]], axis=1)
        labels = [self._published.get(subject) for subject in subjects]
        known = np.array([label is not None and label.known for label in labels], dtype=bool)
        rates = np.array([0.0 if label is None or not label.known else label.pass_rate for label in labels])
        weight = options.prior_samples * known
        prior = np.stack([weight * rates, weight * (1 - rates)], axis=1)
        return moments(
            observed, prior, (options.low, options.high),
            false_pass=options.false_pass, false_fail=options.false_fail,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {
            "known": {
                subject: [known.policy, known.passes, known.samples, list(known.same), list(known.past)]
                for subject, known in self._known.items()
            },
            "given": {subject: list(given) for subject, given in self._given.items()},
            "measuring": self._measuring,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._known = {
            str(s): Known(policy, passes, samples, (same[0], same[1]), (past[0], past[1]))
            for s, (policy, passes, samples, same, past) in state.get("known", {}).items()
        }
        self._given = {str(s): Given(*given) for s, given in state.get("given", {}).items()}
        self._measuring = bool(state.get("measuring", False))


def _sum(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]
