"""RAPO (arXiv 2510.03865): a forward KL to a reference that is reweighted by reward."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_losses(register: Register) -> None:
    register(
        "forward-kl",
        "harness_rapo.term:ForwardKl",
        options="harness_rapo.options:ForwardKlOptions",
        summary="forward KL from the reference, reweighted by reward, to the policy",
    )
