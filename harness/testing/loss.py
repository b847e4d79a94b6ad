"""What every loss term must do. Needs torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from harness.contract.protocols import LossTerm
from harness.recipe import Conventions, Stage
from harness.testing.plugin import Build

if TYPE_CHECKING:
    from torch import Tensor

#: Completion lengths of the rows, in tokens; the rest of a row is padding.
LENGTHS: Final = (6, 3, 1, 5)
#: What a trainer may give (protocol `LossTerm`): matrices (rows, tokens), flat ones, plain values.
MATRICES: Final = (
    "logprobs", "old_logprobs", "ref_logprobs", "entropy", "advantages", "rewards", "scores", "mask",
)  # fmt: skip
FLAT: Final = ("logits", "ref_logits", "targets")
PLAIN: Final = ("step", "stage", "conventions")
INPUTS: Final = (*MATRICES, *FLAT, *PLAIN)
#: Those that carry a gradient.
LEAVES: Final = ("logprobs", "entropy", "logits")
VOCABULARY: Final = 5


class LossConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether it moves the policy. A term that only measures does not.
    has_gradient: ClassVar[bool] = True

    @pytest.fixture
    def term(self, harness_build: Build) -> LossTerm:
        pytest.importorskip("torch", reason="loss terms are computed with torch")
        term: LossTerm = harness_build("losses", self.name, **self.options)
        return term

    @staticmethod
    def inputs(*, alike: bool = False, padding: int = 0, rows: int = len(LENGTHS)) -> dict[str, Any]:
        """What a term is given of a micro-batch: the same numbers with any padding.

        Args:
            alike: whether all rewards are equal, so that all advantages are 0.
            padding: further columns that no row fills.
            rows: how many of the rows.
        """
        import torch

        generator = torch.Generator().manual_seed(0)
        shape = (len(LENGTHS), max(LENGTHS))
        full = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
        targets = torch.randint(VOCABULARY, shape, generator=generator)
        whole = {
            name: torch.randn(*shape, VOCABULARY, generator=generator)
            for name in ("logits", "old_logits", "ref_logits")
        }
        shares = {name: values.log_softmax(-1) for name, values in whole.items()}
        chosen = {
            name.replace("logits", "logprobs"): values.gather(-1, targets[..., None]).squeeze(-1)
            for name, values in shares.items()
        }
        chosen["entropy"] = -(shares["logits"].exp() * shares["logits"]).sum(-1)
        made: dict[str, Any] = {"logprobs": chosen.pop("logprobs"), **chosen}
        rewards = torch.ones(len(LENGTHS)) if alike else torch.tensor([1.0, 0.0, 0.5, 1.0])
        made |= {name: rewards[:, None].expand(shape) for name in ("rewards", "scores")}
        made["advantages"] = made["rewards"] - rewards.mean()
        mask = torch.nn.functional.pad(full, (0, padding))[:rows]
        for name, values in made.items():
            kept = values if name in ("rewards", "scores", "advantages") else values * full
            # What a row is worth is spread over its padding, too.
            made[name] = torch.cat([kept, kept[:, -1:].expand(-1, padding)], 1)[:rows]
        for name in ("logits", "ref_logits"):
            made[name] = whole[name][:rows][full[:rows]]
        made |= {"targets": targets[:rows][full[:rows]], "mask": mask, "step": 1}
        made |= {"stage": Stage(name="s"), "conventions": Conventions()}
        for name in LEAVES:
            made[name] = made[name].clone().requires_grad_(True)
        return made

    def value(self, term: LossTerm, given: Mapping[str, Any]) -> Tensor:
        """The term's matrix, held against the protocol."""
        import torch

        missing = [name for name in term.inputs if name not in INPUTS]
        assert not missing, f"no trainer gives the inputs {missing}; known: {', '.join(INPUTS)}"
        answer = term(**{name: given[name] for name in term.inputs})
        value, numbers = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, {})
        assert all(math.isfinite(float(number)) for number in numbers.values()), (
            f"reported numbers that are not finite: {numbers}"
        )
        shape = tuple(given["mask"].shape)
        assert isinstance(value, torch.Tensor), (
            f"returned {type(value).__name__}; allowed: a tensor of shape {shape}"
        )
        assert tuple(value.shape) == shape, (
            f"returned a tensor of shape {tuple(value.shape)}; allowed: {shape}, a number per token"
        )
        assert bool(torch.isfinite(value).all()), (
            "returned nan or infinite numbers (padding counts: 0 times nan is nan)"
        )
        return value

    def test_it_says_what_it_needs(self, term: LossTerm) -> None:
        inputs = getattr(term, "inputs", None)
        assert inputs is not None, "it has no `inputs`: the names of the matrices that it needs"
        assert not isinstance(inputs, str), f"`inputs` is the text {inputs!r}, not a sequence of names"
        unknown = [name for name in inputs if name not in INPUTS]
        assert not unknown, f"no trainer gives the inputs {unknown}; known: {', '.join(INPUTS)}"

    @pytest.mark.parametrize("alike", [False, True], ids=["mixed rewards", "alike rewards"])
    @pytest.mark.parametrize("rows", [4, 1])
    def test_a_finite_number_per_token(self, term: LossTerm, alike: bool, rows: int) -> None:
        self.value(term, self.inputs(alike=alike, rows=rows))

    @pytest.mark.parametrize("alike", [False, True], ids=["mixed rewards", "alike rewards"])
    def test_its_gradient_is_finite_and_there(self, term: LossTerm, alike: bool) -> None:
        import torch

        given = self.inputs(alike=alike)
        total = (self.value(term, given) * given["mask"]).sum()
        if not total.requires_grad:
            assert not self.has_gradient, "nothing that it gives depends on the policy (detached?)"
            return
        total.backward()
        grads = [given[name].grad for name in LEAVES]
        known = [grad for grad in grads if grad is not None]
        assert all(bool(torch.isfinite(grad).all()) for grad in known), (
            "its gradient has nan or infinite numbers"
        )
        moved = any(bool(grad.abs().sum() > 0) for grad in known)
        assert alike or moved or not self.has_gradient, "its gradient is 0 everywhere"

    def test_padding_changes_nothing(self, term: LossTerm) -> None:
        import torch

        plain, padded = self.inputs(), self.inputs(padding=3)
        values = [self.value(term, given) * given["mask"] for given in (plain, padded)]
        torch.testing.assert_close(values[1][:, : max(LENGTHS)], values[0])

    def test_rows_do_not_mix(self, term: LossTerm) -> None:
        """Micro-batches are cut by length: a row's company is an accident."""
        import torch

        together, alone = self.inputs(), self.inputs(rows=2)
        values = [self.value(term, given) * given["mask"] for given in (together, alone)]
        torch.testing.assert_close(values[0][:2], values[1])

    def test_a_call_changes_nothing(self, term: LossTerm) -> None:
        import torch

        given = self.inputs()
        before = {
            name: values.detach().clone()
            for name, values in given.items()
            if isinstance(values, torch.Tensor)
        }
        first = self.value(term, given)
        for name, values in before.items():
            assert torch.equal(values, given[name].detach()), f"it changed its input {name!r} in place"
        torch.testing.assert_close(self.value(term, self.inputs()), first)
