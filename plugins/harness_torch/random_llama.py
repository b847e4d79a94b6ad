"""Models from nothing: a Llama with random weights and a tokenizer whose tokens are characters."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

from harness_transformers.weights import describe
from pydantic import Field, model_validator

from harness.contract import BuildContext, ModelFiles, digest
from harness.recipe import Model

Count = Annotated[int, Field(gt=0)]

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"


class RandomLlamaOptions(Model):
    """Sizes, characters and seed of a Llama model with random weights; together they define the model."""

    characters: str = "0123456789+-="
    """Characters that the tokenizer knows, one token each, besides the tokens for padding, end of sequence
    and unknown text."""
    width: Count = 96
    """Width of the hidden states. An even multiple of `heads`."""
    layers: Count = 3
    """Number of transformer layers."""
    heads: Count = 3
    """Attention heads per layer."""
    kv_heads: Count | None = None
    """Key-value heads per layer, a divisor of `heads`. If not set, as many as `heads`."""
    mlp_width: Count = 256
    """Width of the hidden layer of each feed-forward block."""
    context_length: Count = 128
    """Longest prompt plus completion, in tokens."""
    initializer_range: Annotated[float, Field(gt=0)] = 0.02
    """Standard deviation of the normal distribution that weight matrices are drawn from."""
    seed: int = 0
    """Names the random weights."""

    @model_validator(mode="after")
    def _fits(self) -> RandomLlamaOptions:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} is not heads {self.heads} times an even number")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("characters: one is named twice")
        return self


class RandomLlama:
    """Makes the model once and keeps it in the cache."""

    def __init__(self, options: RandomLlamaOptions, context: BuildContext) -> None:
        self.options = options
        self.cache = context.cache

    def load(self) -> ModelFiles:
        """The model's folder, made if it is not there."""
        folder = self.cache / "random-llama" / digest(self.options.model_dump())
        if not folder.exists():
            scratch = folder.with_name(f".{folder.name}-{os.getpid()}")
            write_random_llama(self.options, scratch)
            try:
                scratch.rename(folder)
            except OSError:
                # Another process was faster; what it made is the same.
                if not folder.exists():
                    raise
                shutil.rmtree(scratch)
        return describe(folder)


def write_random_llama(options: RandomLlamaOptions, folder: Path) -> None:
    """Write model and tokenizer; the same options give the same weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    tokenizer = character_tokenizer(options.characters, options.context_length)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.width,
        intermediate_size=options.mlp_width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads or options.heads,
        max_position_embeddings=options.context_length,
        initializer_range=options.initializer_range,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def character_tokenizer(characters: str, context_length: int):  # type: ignore[no-untyped-def]
    """A fast tokenizer with a token a character; no special token is added to a text."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate([PAD, EOS, UNKNOWN, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        model_max_length=context_length,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
