"""What a loss term may ask for: `LossTerm.inputs`. `harness_torch.terms` gives it."""

from typing import Final

#: Matrices, shape (rows, tokens), 0 if there is no token.
MATRICES: Final = (
    "logprobs", "old_logprobs", "ref_logprobs", "entropy", "advantages", "rewards", "scores", "mask",
)  # fmt: skip
#: Flat, in the mask's order: logits of policy and reference (tokens, vocabulary), token ids (tokens,).
FLAT: Final = ("logits", "ref_logits", "targets")
#: The step's number, the stage and the conventions of the recipe.
PLAIN: Final = ("step", "stage", "conventions")
INPUTS: Final = (*MATRICES, *FLAT, *PLAIN)
#: What TRL can give: it hands the policy's logits to nobody, and a pass of our own would double the cost.
WITHOUT_LOGITS: Final = tuple(name for name in INPUTS if name != "logits")
