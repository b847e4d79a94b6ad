"""The trainer `torch`: GRPO as the reference implementation, on one process's CPU or GPU."""

from harness import hookimpl
from harness.plugging import Register
from harness_torch.inputs import INPUTS

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_transformers",)
#: Modules that other plugins may import.
PUBLIC = ("inputs", "live", "live_options", "mini_batches", "reference", "terms")


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "torch",
        "harness_torch.trainer:TorchTrainer",
        options="harness_torch.options:TorchOptions",
        capabilities={
            "kinds": ["rl", "sft"],
            "losses": ["kl", "entropy", "terms", "mask_truncated"],
            "optimizer": [
                "weight_decay",
                "betas",
                "max_grad_norm",
                "warmup_steps",
                "reset",
                "epochs",
                "mini_batches",
            ],
            "sampling": ["temperature", "top_p", "top_k", "engine"],
            "loss_inputs": INPUTS,
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
        extra="torch",
        summary="GRPO and supervised fine-tuning in plain torch: easy to read, fast on small models",
    )


@hookimpl
def register_models(register: Register) -> None:
    register(
        "random-llama",
        "harness_torch.random_llama:RandomLlama",
        options="harness_torch.random_llama:RandomLlamaOptions",
        capabilities={"local": True},
        extra="torch",
        summary="a Llama of any size with random weights and a tokenizer of single characters",
    )
