"""The trainer `trl`: TRL's GRPOTrainer behind the session, for those who already run it."""

from harness_torch.inputs import WITHOUT_LOGITS

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_torch", "harness_transformers")


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "trl",
        "harness_trl.trainer:TrlTrainer",
        options="harness_trl.options:TrlOptions",
        capabilities={
            "kinds": ["rl"],
            "losses": ["kl", "entropy", "terms", "mask_truncated"],
            "kl_estimators": ["k3"],
            "entropy_normalise": ["token"],
            "greedy": False,
            "optimizer": [
                "weight_decay",
                "betas",
                "max_grad_norm",
                "warmup_steps",
                "reset",
                "epochs",
                "mini_batches",
            ],
            "loss_inputs": WITHOUT_LOGITS,
            "curriculum_granularity": "step",
            "dynamic_sampling": True,
            "token_credit": True,
            "replay": True,
            "in_stage_evaluation": True,
            "resume": True,
            "engine": True,
            "lora": True,
            "devices": ["cpu", "cuda"],
            "precisions": ["fp32", "bf16"],
        },
        extra="trl",
        summary="TRL's GRPOTrainer: its loss, optimizer and vLLM modes, driven by the session",
    )
