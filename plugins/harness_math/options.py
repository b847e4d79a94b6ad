"""What a recipe or a profile may choose about the verifier `math`."""

from __future__ import annotations

from typing import Literal

from harness.recipe.stage import Model


class MathOptions(Model):
    """How the final answer is found and compared."""

    #: Where thinking ends: `prefilled` when the prompt already opened it (a response without the
    #: closing tag is then all thinking), `model` when the model opens it itself, `none` without tags.
    thinking: Literal["prefilled", "model", "none"] = "model"
    #: `boxed`: the last balanced box or nothing. `final`: a response that is nothing but an answer
    #: counts too. `any`: then also a stated answer, the last formula, the last number.
    extraction: Literal["boxed", "final", "any"] = "final"
    #: Ask math-verify about what the reader here does not understand.
    library: bool = True
