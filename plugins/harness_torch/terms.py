"""The loss terms of plugins: what they are given, and what they return, checked where it comes in."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from harness.contract import BuildContext, LossTerm, PluginError, Policy, near
from harness.recipe import Conventions, Stage
from harness.training import Step
from harness_torch.inputs import INPUTS

#: State of terms that have one, below a checkpoint's folder.
STATE: Final = "terms.json"


class Terms:
    """The loss terms of a stage. False if it has none."""

    def __init__(
        self,
        named: Sequence[tuple[str, LossTerm]],
        stage: Stage,
        conventions: Conventions,
        *,
        inputs: Sequence[str] = INPUTS,
    ) -> None:
        """
        Args:
            named: each term with its name in the recipe.
            inputs: what the trainer can give.

        Raises:
            PluginError: a term asks for something else.
        """
        self._named = named
        self._plain: dict[str, Any] = {"stage": stage, "conventions": conventions}
        self._where = f"stage {stage.name!r}"
        self.wanted = {name for _, term in named for name in term.inputs}
        #: Sums over tokens of the numbers that terms report, and the tokens.
        self._sums: dict[str, float] = defaultdict(float)
        self._tokens: dict[str, float] = defaultdict(float)
        for name, term in named:
            for asked in term.inputs:
                if asked not in inputs:
                    raise PluginError(
                        f"loss term {name!r} asks for the input {asked!r}, which this trainer does not have",
                        where=self._where,
                        allowed=near(asked, inputs),
                    )

    def __bool__(self) -> bool:
        return bool(self._named)

    @property
    def referred(self) -> bool:
        """Whether a term needs the reference model."""
        return bool(self.wanted & {"ref_logprobs", "ref_logits"})

    def begin(self, step: Step) -> None:
        """A new step: numbers are counted anew."""
        self._plain["step"], self._where = step.number, step.where
        self._sums.clear()
        self._tokens.clear()

    def total(self, available: Mapping[str, Any]) -> Tensor | None:
        """The sum of the terms (rows, tokens), each given what it names; None without terms.

        If no token counts, as in a micro-batch of rows that only fill up, no term is asked and the sum is 0.

        Raises:
            PluginError: a term did not return what it must; names the term.
        """
        total = None
        mask: Tensor = available["mask"]
        if self._named and not mask.any():
            return torch.zeros(mask.shape, device=mask.device)
        given = {**self._plain, **available}
        for name, term in self._named:
            answer = term(**{asked: given[asked] for asked in term.inputs})
            matrix, numbers = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, {})
            self._check(name, matrix, mask)
            self._count(name, numbers, float(mask.sum()))
            total = matrix if total is None else total + matrix
        return total

    def numbers(self) -> dict[str, float]:
        """Means per token of what the terms reported in the step, as `term/number`."""
        return {name: total / self._tokens[name] for name, total in self._sums.items() if self._tokens[name]}

    def _check(self, name: str, matrix: Any, mask: Tensor) -> None:
        if not isinstance(matrix, Tensor):
            raise self._fault(name, f"returned {type(matrix).__name__}, not a tensor")
        if matrix.shape != mask.shape:
            raise self._fault(
                name, f"returned a tensor of shape {tuple(matrix.shape)}, the mask has {tuple(mask.shape)}"
            )
        lost = int((~torch.isfinite(matrix.detach()) & mask).sum())
        if lost:
            raise self._fault(name, f"is not finite at {lost} of {int(mask.sum())} tokens")

    def _count(self, name: str, numbers: Any, tokens: float) -> None:
        if not isinstance(numbers, Mapping):
            raise self._fault(name, f"reported {type(numbers).__name__}, not numbers by name")
        for key, value in numbers.items():
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = math.nan
            if not math.isfinite(number):
                raise self._fault(name, f"reported {key} = {value!r}, not a finite number")
            self._sums[f"{name}/{key}"] += number * tokens
            self._tokens[f"{name}/{key}"] += tokens

    def _fault(self, name: str, what: str) -> PluginError:
        return PluginError(f"loss term {name!r} {what}", where=self._where)

    # State ----------------------------------------------------------------------------------------

    def load(self, policy: Policy) -> None:
        """Go on with the state that a checkpoint carries."""
        file = None if policy.checkpoint is None else policy.checkpoint / STATE
        known = json.loads(file.read_text()) if file is not None and file.is_file() else {}
        for name, term in self._named:
            if name in known:
                term.load_state_dict(known[name])  # type: ignore[attr-defined]

    def save(self, folder: Path, before: Policy) -> None:
        """Write the state of terms that have one; that of other stages' terms is kept."""
        file = None if before.checkpoint is None else before.checkpoint / STATE
        known = json.loads(file.read_text()) if file is not None and file.is_file() else {}
        own = {name: term.state_dict() for name, term in self._named if hasattr(term, "state_dict")}
        if known or own:
            (folder / STATE).write_text(json.dumps(known | own))


def terms_of(
    stage: Stage, conventions: Conventions, context: BuildContext, *, inputs: Sequence[str] = INPUTS
) -> Terms:
    """The terms that a stage names, built."""
    named: list[tuple[str, LossTerm]] = []
    for use in stage.loss.terms:
        again = 1 + sum(name.partition("#")[0] == use.name for name, _ in named)
        name = use.name if again == 1 else f"{use.name}#{again}"
        named.append((name, context.build("losses", use.name, use.options)))
    return Terms(named, stage, conventions, inputs=inputs)
