"""Credit where a step earned it: each token gets what its step and those after it are worth.

This is the process supervision of GRPO (arXiv 2402.03300, section 4.1.3): scores of steps are normalised
over the whole group, and a token's advantage is the sum over its own step and the later ones.
"""

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean, pstdev
from typing import Any

from harness import hookimpl
from harness.contract import BuildContext, DataError, Difficulty, Group, Sample, token_ends, token_values
from harness.plugging import Register


@hookimpl
def register_shapers(register: Register) -> None:
    register("process-reward", f"{__name__}:ProcessReward", capabilities={"token_credit": True})


class ProcessReward:
    def __init__(self, options: None, context: BuildContext) -> None:
        # A run knows its model, whose tokenizer is read when a group first needs it; a plan does not.
        self._files = context.initial
        self._tokenizer: Any = None

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        return list(group.rewards)

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float | Sequence[float]]:
        scores = [span.score for sample in group.samples if sample.judged for span in sample.verdict.spans]
        if len(scores) < 2:
            return list(group.advantages)
        mean, deviation = fmean(scores), pstdev(scores) + 1e-6
        return [self._credit(sample, mean, deviation) for sample in group.samples]

    def _credit(self, sample: Sample, mean: float, deviation: float) -> float | Sequence[float]:
        spans, rollout = sample.verdict.spans, sample.rollout
        if not sample.judged or sample.reward is None:
            return 0.0
        if not spans or rollout is None:
            return sample.advantage
        normalised = [(span.score - mean) / deviation for span in spans]
        left = list(accumulate(reversed(normalised)))[::-1]
        ends = token_ends(rollout.completion_ids, rollout.text, self._decode)
        return token_values(spans, left, ends)

    def _decode(self, ids: Sequence[int]) -> str:
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            if self._files is None:
                raise DataError("there is no model whose tokens are meant", where="process-reward")
            self._tokenizer = AutoTokenizer.from_pretrained(self._files.path, local_files_only=True)
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
