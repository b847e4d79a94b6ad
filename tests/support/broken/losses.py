"""Loss terms, each with one mistake, and a whole one."""

import torch

from harness import hookimpl


class Whole:
    """Pulls log-probabilities towards the reference where the reward is high (forward KL, by tokens)."""

    inputs = ("logprobs", "ref_logprobs", "rewards", "mask")

    def __init__(self, options, context):
        pass

    def __call__(self, *, logprobs, ref_logprobs, rewards, mask):
        return (logprobs - ref_logprobs).square() * rewards * mask


class Transposed(Whole):
    def __call__(self, **inputs):
        return super().__call__(**inputs).T


class Scalar(Whole):
    def __call__(self, **inputs):
        return super().__call__(**inputs).sum()


class Nothing(Whole):
    def __call__(self, **inputs):
        super().__call__(**inputs)


class Misspelt(Whole):
    inputs = ("logprob", "mask")


class NanOnAlikeRewards(Whole):
    inputs = ("logprobs", "advantages")

    def __call__(self, *, logprobs, advantages):
        return logprobs * advantages / advantages.abs().max()


class NanAtPadding(Whole):
    inputs = ("logprobs", "mask")

    def __call__(self, *, logprobs, mask):
        return logprobs.masked_fill(~mask, float("nan"))


class Detached(Whole):
    def __call__(self, **inputs):
        return super().__call__(**inputs).detach()


class NoInputs(Whole):
    inputs = None


class OverRows(Whole):
    """Divides by the tokens of the micro-batch, which is the trainer's business."""

    def __call__(self, *, mask, **inputs):
        return super().__call__(mask=mask, **inputs) / torch.count_nonzero(mask)


@hookimpl
def register_losses(register):
    for made in (
        Whole, Transposed, Scalar, Nothing, Misspelt, NanOnAlikeRewards, NanAtPadding, Detached,
        NoInputs, OverRows,
    ):  # fmt: skip
        register(made.__name__, f"harness_plugin:{made.__name__}")
