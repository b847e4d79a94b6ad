"""A job: compose verl's configuration of its first stage, validate it, run it.

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

from harness_verl_worker.configuration import compose

EXIT_CONFIGURATION = 3
#: verl, or something that it needs, cannot be imported.
EXIT_NO_VERL = 4


def _check_platform(config: Any) -> None:
    if config.trainer.device == "cpu":
        import harness_verl_cpu

        harness_verl_cpu.check()


def _run(config: Any, composed: Any, optimizer: str | None) -> None:
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
                trainer = SessionTrainer(config, composed=composed, optimizer=optimizer)
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
    from omegaconf import OmegaConf

    composed = OmegaConf.to_container(config, resolve=True)
    if check:
        sys.stdout.flush()
        os.write(1, b"HARNESS-CONFIG " + json.dumps(composed).encode() + b"\n")
        return 0
    _run(config, composed, spec["optimizer"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
