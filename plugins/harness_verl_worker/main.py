"""One stage as one job: compose verl's configuration, validate it, run it.

    python -m harness_verl_worker.main SPEC.json          run
    python -m harness_verl_worker.main --check SPEC.json  compose and validate; prints the configuration

A specification holds `overrides` (the user's, in Hydra's own grammar), `settings` (verl's keys with
values, which come after), `optimizer` (a folder, or null).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

EXIT_CONFIGURATION = 3
#: verl, or something that it needs, cannot be imported.
EXIT_NO_VERL = 4


def compose(spec: dict[str, Any]) -> Any:
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


def _check_platform(config: Any) -> None:
    if config.trainer.device == "cpu":
        import harness_verl_cpu

        harness_verl_cpu.check()


def _run(config: Any, optimizer: str | None) -> None:
    import ray
    from verl.trainer.main_ppo import run_ppo

    @ray.remote(num_cpus=1)
    class Runner:
        """The job's controller. As verl's own, with this package's trainer."""

        def run(self, config: Any) -> None:
            import transfer_queue as tq
            from omegaconf import OmegaConf
            from verl.utils.logging_utils import configure_verl_logging

            from harness_verl_worker.manager import SessionAgentManager
            from harness_verl_worker.trainer import SessionTrainer

            configure_verl_logging()
            config.transfer_queue.enable = True
            OmegaConf.resolve(config)
            tq.init(config.transfer_queue)
            try:
                trainer = SessionTrainer(config, optimizer=optimizer)
                trainer.init()
                manager = SessionAgentManager.create(
                    config=config,
                    llm_client=trainer.get_llm_client(),
                    teacher_client=trainer.get_teacher_client(),
                    reward_loop_worker_handles=trainer.get_reward_handles(),
                )
                trainer.fit(manager)
                trainer.logger.finish(exit_code=0)
            finally:
                tq.close()

    run_ppo(config, Runner)
    ray.shutdown()


def main(arguments: list[str]) -> int:
    check = arguments[:1] == ["--check"]
    spec = json.loads(Path(arguments[-1]).read_text())
    try:
        config = compose(spec)
        _check_platform(config)
    except ImportError as error:
        print(f"HARNESS-NO-VERL {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return EXIT_NO_VERL
    except Exception as error:  # noqa: BLE001 - whatever hydra, verl or a plugin says, in its words
        print(f"HARNESS-REFUSED {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return EXIT_CONFIGURATION
    if check:
        from omegaconf import OmegaConf

        sys.stdout.flush()
        os.write(
            1, b"HARNESS-CONFIG " + json.dumps(OmegaConf.to_container(config, resolve=True)).encode() + b"\n"
        )
        return 0
    _run(config, spec["optimizer"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
