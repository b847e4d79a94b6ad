"""The trainer `trl`: TRL's GRPOTrainer behind the session, for those who already run it."""

from harness import hookimpl
from harness.plugins import Register

HARNESS_API = (1, 0)


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "trl",
        "harness_trl.trainer:TrlTrainer",
        options="harness_trl.options:TrlOptions",
        capabilities={
            "kinds": ["rl"],
            "losses": ["kl", "entropy", "mask_truncated"],
            "kl_estimators": ["k3"],
            "entropy_normalise": ["token"],
            "greedy": False,
            "curriculum_granularity": "step",
            "dynamic_sampling": True,
            "in_stage_evaluation": True,
            "resume": True,
            "engine": True,
            "lora": True,
            "devices": ["cpu", "cuda"],
            "precisions": ["fp32", "bf16"],
            "simulated": False,
        },
        extra="trl",
        summary="TRL's GRPOTrainer: its loss, optimizer and vLLM modes, driven by the session",
    )
