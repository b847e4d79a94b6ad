"""The trainer `verl`: a Ray job under verl's own interpreter, driven step by step from here."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_torch", "harness_transformers", "harness_verl_worker")


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "verl",
        "harness_verl.trainer:VerlTrainer",
        options="harness_verl.options:VerlOptions",
        capabilities={
            "kinds": ["rl"],
            "losses": ["kl", "entropy", "mask_truncated"],
            "optimizer": [
                "weight_decay",
                "betas",
                "max_grad_norm",
                "warmup_steps",
                "reset",
                "epochs",
                "mini_batches",
            ],
            "curriculum_granularity": "step",
            "dynamic_sampling": True,
            "token_credit": True,
            "group_sizes": False,
            "in_stage_evaluation": True,
            "resume": True,
            # vLLM's sums depend on what else is in a batch, which depends on when requests arrive.
            "exact_resume": False,
            # verl divides logits by the temperature.
            "greedy": False,
            "engine": True,
            "lora": True,
            "nodes": True,
            "python": True,
            "devices": ["cpu", "cuda"],
            "precisions": ["fp32", "bf16"],
        },
        extra="torch",
        summary="verl on Ray: one job for a run, on one node or many; verl may live in another environment",
    )
