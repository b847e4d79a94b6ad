"""What we rely on of TRL beyond its documentation, in one place, checked against the version at hand.

`tests/plugins/trl/test_trl_upstream.py` says when a release changes one of these; the trainer refuses to
start on a TRL that lacks one, by name.
"""

from __future__ import annotations

import dataclasses
import inspect
from functools import cache
from typing import Any, Final

from harness.contract import TrainingError

#: Releases whose GRPOTrainer was read and tested: from the first up to, not including, the second.
TESTED: Final = ("1.16.0", "1.17.0")

#: Methods of GRPOTrainer that are not documented, with the parameters that we count on. The first is
#: overridden to put the session's advantages and masks in; the second generates as TRL would; the third is
#: overridden to hear of log-probabilities and entropies, for loss terms; the fourth is replaced, so that
#: mini-batches are cut from the batch's own order.
PRIVATE: Final[dict[str, tuple[str, ...]]] = {
    "_generate_and_score_completions": ("self", "inputs"),
    "_generate_single_turn": ("self", "prompt_ids", "images", "multimodal_fields", "num_generations"),
    "_get_per_token_logps_and_entropies": ("self", "model", "input_ids", "attention_mask", "logits_to_keep"),
    "_prepare_inputs": ("self", "generation_batch"),
}


def config_fields() -> frozenset[str]:
    """Names of GRPOConfig's fields.

    Raises:
        ValueError: TRL is not installed.
    """
    try:
        from trl import GRPOConfig
    except ImportError as error:
        raise ValueError(
            f"TRL cannot be imported ({error}); install the extra: pip install 'staged-harness[trl]'"
        ) from None
    return frozenset(field.name for field in dataclasses.fields(GRPOConfig))


def faults(trainer: type[Any]) -> list[str]:
    """What a GRPOTrainer lacks of what we rely on, in words."""
    differences = []
    for name, parameters in PRIVATE.items():
        method = getattr(trainer, name, None)
        has = tuple(inspect.signature(method).parameters)[: len(parameters)] if method else None
        if has is None:
            differences.append(f"it has no method {name}")
        elif has != parameters:
            differences.append(f"{name} takes ({', '.join(has)}), not ({', '.join(parameters)})")
    if "rollout_func" not in inspect.signature(trainer.__init__).parameters:
        differences.append("it takes no rollout_func")
    return differences


@cache
def check() -> None:
    """Refuse a TRL that we cannot drive.

    Raises:
        TrainingError: what is missing.
    """
    import trl

    lacking = faults(trl.GRPOTrainer)
    if lacking:
        raise TrainingError(
            f"TRL {trl.__version__}'s GRPOTrainer cannot be driven: {'; '.join(lacking)}",
            where="trainer 'trl'",
            allowed=f"trl >= {TESTED[0]}, < {TESTED[1]}",
        )
