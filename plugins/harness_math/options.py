"""What a recipe or a profile may choose about the verifier `math`."""

from __future__ import annotations

from typing import Literal

from harness.recipe import Model


class MathOptions(Model):
    """How the final answer is read from a response and compared."""

    thinking: Literal["prefilled", "model", "none"] = "model"
    """Where thinking ends. `prefilled`: the prompt has opened it already, so a response without a closing
    tag is all thinking. `model`: the model opens it itself. `none`: there are no thinking tags."""
    extraction: Literal["boxed", "final", "any"] = "final"
    r"""What counts as an answer. `boxed`: the last balanced `\boxed{...}` and nothing else. `final`: also a
    response that is nothing but an answer. `any`: also a stated answer, the last formula or the last
    number."""
    library: bool = True
    """Whether math-verify is asked about answers that this project's own reader does not understand."""
