"""How much of the tokens wrong answers cost: `harness report RUN --metric local/waste`."""

from collections.abc import Mapping, Sequence

from harness import hookimpl
from harness.contract import BuildContext, ScoredSample
from harness.plugging import Register


@hookimpl
def register_metrics(register: Register) -> None:
    register("waste", f"{__name__}:Waste", summary="share of the tokens that wrong answers took")


class Waste:
    def __init__(self, options: None, context: BuildContext) -> None: ...

    def __call__(self, samples: Sequence[ScoredSample]) -> Mapping[str, float]:
        """The samples of one benchmark, in the order of its problems."""
        tokens = sum(sample.rollout.tokens for sample in samples)
        wrong = sum(s.rollout.tokens for s in samples if s.verdict.status != "pass")
        return {"waste": wrong / tokens if tokens else 0.0}
