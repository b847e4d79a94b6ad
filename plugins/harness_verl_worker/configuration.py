"""verl's complete configuration from a specification (see `harness_verl_worker.main`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compose(spec: Mapping[str, Any]) -> Any:
    """verl's complete configuration.

    Raises:
        Exception: hydra's or verl's own, for what they refuse.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    with initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra_compose("ppo_trainer", overrides=list(spec["overrides"]))
    for key, value in spec["settings"].items():
        OmegaConf.update(config, key, value, force_add=True)
    validate_config(
        config=config,
        use_reference_policy=need_reference_policy(config),
        use_critic=need_critic(config),
    )
    return config
