"""Engines without a model: fixed answers for tests and benches, recorded ones for re-scoring."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "echo",
        "harness_offline.echo:Echo",
        options="harness_offline.echo:EchoOptions",
        capabilities={"weights": False, "fixed_weights": True},
        summary="answers at once with a fixed text, the prompt, or a given share of right answers",
    )
    register(
        "replay",
        "harness_offline.replay:Replay",
        options="harness_offline.replay:ReplayOptions",
        capabilities={"weights": False, "fixed_weights": True},
        summary="gives back the rollouts of a ledger or a jsonl file",
    )
