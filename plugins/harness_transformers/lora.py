"""LoRA (arXiv 2106.09685) by PEFT: a frozen base model with low-rank adapters, which alone learn.

An adapter is a run's own: it begins at 0 on the run's initial policy and goes on from stage to stage. A
checkpoint holds it in PEFT's form (`adapter/`) beside the policy that it makes (`model/`), whose weights
are those of base plus adapter: what measures, evaluates or serves a policy need not know of adapters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from harness.contract import TrainingError, near, seed_of
from harness.recipe import LoraOptions
from harness_transformers.network import MODEL, CausalNetwork, open_module
from harness_transformers.quiet import quiet
from harness_transformers.reading import reading

#: Below a checkpoint's folder.
ADAPTER: Final = "adapter"
#: PEFT's name for the one adapter that there is.
_NAME: Final = "default"
_WHERE: Final = "model.lora.targets"
_HINT: Final = '"all-linear", or names of linear layers inside the model such as ["q_proj", "v_proj"]'


class LoraNetwork(CausalNetwork):
    """A base model whose adapters learn (protocol `Network`)."""

    def __init__(self, peft: Any, precision: torch.dtype = torch.float32) -> None:
        super().__init__(peft.get_base_model(), precision)
        #: The same model as PEFT wraps it.
        self.peft = peft

    def adapted(self) -> list[Tensor]:
        """Weights of the base that have an adapter."""
        from peft.tuners.lora import LoraLayer

        return [cast(Any, m).base_layer.weight for m in self.module.modules() if isinstance(m, LoraLayer)]

    def save(self, folder: Path) -> None:
        """Write `adapter/`, and base plus adapter as `model/`."""
        self.peft.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
        save_merged(self.peft, folder / MODEL)


def open_lora(
    base: Path, adapter: Path | None, options: LoraOptions, *, seed: int, device: str, precision: str
) -> LoraNetwork:
    """A base model with an adapter that learns, in fp32.

    Args:
        base: folder of the run's initial policy.
        adapter: folder of an adapter to go on with; None begins one, by the run's seed.
        precision: `bf16` computes matrix products in bfloat16 over fp32 weights.

    Raises:
        TrainingError: the adapter is not there or was made for other options, or `targets` names what is
            no linear layer inside the model.
    """
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    module = open_module(base)
    peft = _begun(module, options, seed) if adapter is None else _continued(module, adapter, options)
    return LoraNetwork(peft.to(device).eval(), dtype)


def begin(base: Path, options: LoraOptions, folder: Path, *, seed: int) -> None:
    """Write the adapter that a run begins with, for a trainer in another process.

    Raises:
        TrainingError: `targets` names something that is not a linear layer inside the model.
    """
    _begun(open_module(base), options, seed).save_pretrained(folder, save_embedding_layers=False)


def merge(base: Path, adapter: Path, folder: Path) -> None:
    """Write base plus adapter as a model of its own."""
    from peft import PeftModel

    module = open_module(base)
    with quiet(), reading("the adapter", adapter):
        peft = PeftModel.from_pretrained(cast(Any, module), adapter)
    save_merged(peft, folder)


def save_merged(peft: Any, folder: Path) -> None:
    """Write base plus adapter as a model of its own; `peft` is left as it is, bit by bit."""
    base = peft.get_base_model()
    with torch.device("meta"):
        plain = type(base)(base.config)
    plain.load_state_dict(merged(base), assign=True)
    # The assignment has parted them.
    plain.tie_weights()
    plain.generation_config = base.generation_config
    plain.save_pretrained(folder)


def merged(base: nn.Module) -> dict[str, Tensor]:
    """Weights of a model plus its adapters', under the names of the model alone."""
    from peft.tuners.lora import LoraLayer

    layers = {name: layer for name, layer in base.named_modules() if isinstance(layer, LoraLayer)}
    weights = {}
    with torch.no_grad():
        for name, tensor in base.state_dict().items():
            layer, inside, last = name.partition(".base_layer.")
            if inside and last == "weight":
                # One sum at a time on the device, if a second model may have no room.
                tensor = tensor + cast(Any, layers[layer]).get_delta_weight(_NAME)
            if inside or name.rpartition(".lora_")[0] not in layers:
                weights[f"{layer}.{last}" if inside else name] = tensor.cpu()
    return weights


def _begun(module: nn.Module, options: LoraOptions, seed: int) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=options.rank,
        # PEFT scales by alpha / r.
        lora_alpha=options.alpha,
        target_modules=options.targets if isinstance(options.targets, str) else list(options.targets),
        lora_dropout=0.0,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "lora") % 2**63)
        try:
            with quiet():
                peft = get_peft_model(cast(Any, module), config)
        except ValueError as error:
            raise TrainingError(
                f"PEFT refuses {config.target_modules!r}: {error}", where=_WHERE, hint=_HINT
            ) from None
    _check_targets(peft.get_base_model(), options)
    return peft


def _check_targets(base: Any, options: LoraOptions) -> None:
    """Raise TrainingError for what cannot be added up or sent, and for names of no module."""
    from peft.tuners.lora import Linear, LoraLayer

    layers = {name: layer for name, layer in base.named_modules() if isinstance(layer, LoraLayer)}
    for name, layer in layers.items():
        if type(layer) is not Linear or layer is base.get_output_embeddings():
            what = "the output layer" if layer is base.get_output_embeddings() else "no plain linear layer"
            raise TrainingError(f"{name!r} is {what}", where=_WHERE, hint=_HINT)
    if isinstance(options.targets, tuple):
        for target in options.targets:
            if not any(name == target or name.endswith(f".{target}") for name in layers):
                linear = {
                    name.rpartition(".")[2] for name, layer in base.named_modules()
                    if isinstance(layer, nn.Linear | Linear) and layer is not base.get_output_embeddings()
                } - {"base_layer", _NAME}  # fmt: skip
                raise TrainingError(
                    f"no module is called {target!r}", where=_WHERE, allowed=near(target, linear)
                )


def continues(adapter: Path, options: LoraOptions) -> None:
    """Raise TrainingError unless an adapter is there, and the recipe's."""
    file = adapter / "adapter_config.json"
    if not file.exists():
        raise TrainingError("the checkpoint has no adapter", where=str(adapter))
    with reading("the adapter", file):
        config = json.loads(file.read_text(encoding="utf-8"))
        rank, alpha = config["r"], config["lora_alpha"]
    for name, asked, stored in (("rank", options.rank, rank), ("alpha", options.alpha, alpha)):
        if stored != asked:
            raise TrainingError(
                f"the checkpoint's adapter has {name} {stored}, the recipe {asked}",
                where=f"model.lora.{name}",
                hint="an adapter goes on as it began; start another run for another one",
            )


def _continued(module: nn.Module, adapter: Path, options: LoraOptions) -> Any:
    from peft import PeftModel

    continues(adapter, options)
    with quiet(), reading("the adapter", adapter):
        return PeftModel.from_pretrained(cast(Any, module), adapter, is_trainable=True)
