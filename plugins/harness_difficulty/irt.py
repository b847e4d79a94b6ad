"""Estimator `irt-2pl`: a policy's ability from few items, and labels for all of them.

With a scale, a measurement asks for the items that tell most about the policy, some per round, until its
ability is known well enough; then every item of the scale has a label, those nobody ran a predicted one.
Without a scale there is nothing to compare with: every subject is measured alike, and b is in the gauge theta
= 0, a = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.contract import BuildContext, DataError, Difficulty, builtins, digest, seed_of
from harness.readout.outcomes import counts, from_labels
from harness.statistics.irt import (
    Placement,
    Scale,
    blurred,
    fit,
    matrix_of,
    next_items,
    passing,
    place,
    read_scale,
    scale_of,
)
from harness_difficulty.density import Floats
from harness_difficulty.options import Irt2plOptions

#: Rollouts of a subject without a scale.
ALONE: Final = 8


class Irt2pl:
    """Estimator `irt-2pl` (protocol `DifficultyEstimator`)."""

    def __init__(self, options: Irt2plOptions, context: BuildContext) -> None:
        """Raises DataError if the scale cannot be read, or the labels give none."""
        self.options = options
        self.scale = _scale(options, context)
        self._hash = "" if self.scale is None else digest(builtins(self.scale))
        self._seed = context.seed
        #: Most rollouts of an item.
        self.most = options.most or (ALONE if self.scale is None else 1)
        #: What the last measurement was about: predicted labels are for these.
        self._subjects: list[str] = []

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        """The next items, the most informative ones first; empty once the ability is known well enough.

        Raises:
            DataError: none of the subjects is on the scale.
        """
        self._subjects = list(subjects)
        if not subjects:
            return {}
        if self.scale is None:
            return self._all_alike(outcomes, subjects)
        known = [subject for subject in subjects if subject in self.scale.items]
        if not known:
            raise DataError(
                f"none of the {len(subjects)} subjects, such as {subjects[0]!r}, is on the scale",
                where="estimator 'irt-2pl'", hint="fit a scale to outcomes of these tasks, by the same names",
            )  # fmt: skip
        tried = np.array([_tried(outcomes.get(subject)) for subject in known])
        placed = self.placed(outcomes)
        if outcomes and placed.se <= self.options.se:
            return {}
        limit = self.options.max_items
        room = self.options.per_round if limit is None else limit - int(np.count_nonzero(tried))
        if room < 1:
            return {}
        # A function of the outcomes alone, so that a run that goes on asks the same.
        rolled = int(tried.sum())
        draws = np.array([seed_of("irt-2pl", self._seed, rolled, subject) / 2**63 for subject in known])
        chosen = next_items(
            self.scale.items_of(known), placed, tried < self.most, draws,
            count=min(self.options.per_round, room), spread=self.options.spread,
        )  # fmt: skip
        samples = self.options.samples
        return {known[i]: min(samples, self.most - int(tried[i])) for i in chosen}

    def _all_alike(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> dict[str, int]:
        """Up to `most` samples of each; what was lost is drawn again, but not for ever."""
        most = self.most
        wanted = {}
        for subject in subjects:
            seen = outcomes.get(subject)
            samples, lost = (0, 0) if seen is None else (seen.samples, seen.excluded_infra)
            if samples < most and samples + lost < 2 * most:
                wanted[subject] = most - samples
        return wanted

    def split(self, count: int, *, endless: bool) -> Sequence[int]:
        """One rollout per fresh task of an endless source; a finite subject is one task."""
        if endless:
            return [1] * count
        return [count] if count else []

    def placed(self, outcomes: Mapping[str, Difficulty]) -> Placement:
        """The policy's ability by what is known so far; the prior N(0, 1) of the scale's gauge without
        anything."""
        if self.scale is None:
            return Placement(0.0, 0.0)
        names = [subject for subject in outcomes if subject in self.scale.items]
        samples: Floats = np.array([float(outcomes[name].samples) for name in names])
        passes: Floats = np.array([float(outcomes[name].passes) for name in names])
        return place(self.scale.items_of(names), samples, passes)

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """Labels with a, b, the ability `theta` and its error `se`, and predicted rates if nothing was
        run."""
        if self.scale is None:
            return {subject: _alone(label) for subject, label in outcomes.items()}
        placed = self.placed(outcomes)
        labels = dict(outcomes)
        if not outcomes:
            return labels
        like = next(iter(outcomes.values()))
        for subject in dict.fromkeys([*outcomes, *self._subjects]):
            if subject not in self.scale.items:
                continue
            item = self.scale.items[subject]
            seen = blurred(self.scale.items_of([subject]), placed.theta)
            # What is not known of the ability flattens its curve, too.
            flat = 1 / np.sqrt(1 + np.pi * (seen.a * placed.se) ** 2 / 8)
            rate = float(passing(placed.theta, seen.a * flat, seen.b)[0])
            told = {
                "a": item.a, "b": item.b, "a_se": item.a_se, "b_se": item.b_se, "theta": placed.theta,
                "se": placed.se,
            }  # fmt: skip
            label = outcomes.get(subject) or replace(
                like, subject=subject, samples=0, passes=0, score_sum=0.0, score_sq_sum=0.0, truncated=0,
                excluded_infra=0, criterion="all_pass", extra={},
            )  # fmt: skip
            labels[subject] = replace(label, predicted=rate, extra=dict(label.extra) | told)
        return labels

    def state_dict(self) -> dict[str, Any]:
        """The subjects of the measurement under way, and a hash of the scale."""
        return {"subjects": self._subjects, "scale": self._hash}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; raises DataError if it was about another scale."""
        if state["scale"] != self._hash:
            raise DataError(
                f"the scale has changed since the measurement was begun (was {state['scale'] or 'none'}, is "
                f"{self._hash or 'none'})",
                where="estimator 'irt-2pl'", hint="put the scale back, or measure anew",
            )  # fmt: skip
        self._subjects = [str(subject) for subject in state["subjects"]]


def _tried(seen: Difficulty | None) -> int:
    """Rollouts of an item, lost ones included: an item whose rollouts are lost is not asked for ever."""
    return 0 if seen is None else seen.samples + seen.excluded_infra


def _alone(label: Difficulty) -> Difficulty:
    """A label in the gauge theta = 0, a = 1: b is minus the logit of the pass rate's posterior mean."""
    b = -float(np.log(label.mean) - np.log1p(-label.mean))
    se = label.sd / (label.mean * (1 - label.mean))
    return replace(label, extra=dict(label.extra) | {"a": 1.0, "b": b, "b_se": se, "theta": 0.0})


def _scale(options: Irt2plOptions, context: BuildContext) -> Scale | None:
    if options.scale:
        return read_scale(context.base / Path(options.scale))
    table = {model: from_labels(labels) for model, labels in context.labels.items()}
    table = {model: cells for model, cells in table.items() if cells}
    if len(table) < 2:
        return None
    return scale_of(fit(matrix_of(counts(table))))
