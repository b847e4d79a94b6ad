"""From verl's checkpoint to a policy: what is taken over and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")

import torch
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_verl import checkpoint
from safetensors.torch import load_file, save_file

from harness.contract.errors import TrainingError
from harness.contract.protocols import Policy
from harness.contract.records import PolicyRef
from tests.support.builders import context


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    options = RandomLlamaOptions(width=16, layers=1, heads=2, mlp_width=32)
    files = RandomLlama(options, context(cache=tmp_path_factory.mktemp("cache"))).load()
    return Policy(PolicyRef(weights_sha=files.weights_sha), files)


def export(scratch: Path, tensors: dict[str, Any]) -> Path:
    folder = scratch / "verl" / "global_step_7" / "actor" / "huggingface"
    folder.mkdir(parents=True)
    if tensors:
        save_file(tensors, folder / "model.safetensors")
    # As verl writes it, with its own version's idea of it.
    (folder / "config.json").write_text('{"dtype": "bfloat16"}')
    (folder / "tokenizer.json").write_text("{}")
    return folder


def weights(policy: Policy) -> dict[str, Any]:
    return {name: t + 0.5 for name, t in load_file(policy.files.path / "model.safetensors").items()}


def test_weights_are_verls_and_all_else_is_the_policys(policy: Policy, tmp_path: Path) -> None:
    # As most base models say it.
    base = tmp_path / "base"
    shutil.copytree(policy.files.path, base)
    config = json.loads((base / "config.json").read_text()) | {"dtype": "bfloat16"}
    (base / "config.json").write_text(json.dumps(config))
    policy = replace(policy, files=replace(policy.files, path=base))
    expected = weights(policy)
    left = export(tmp_path, expected)
    sha = checkpoint.adopt(tmp_path, policy, 7, where="here")
    assert sha != policy.ref.weights_sha
    saved = load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(saved[name], expected[name]) for name in expected)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "model" / name).read_bytes() == (policy.files.path / name).read_bytes()
    assert not left.exists(), "what is not needed takes no room"
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "float32"

    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype="auto")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: {}, "exported no weights"),
        (lambda t: {k: v.bfloat16() for k, v in t.items()}, "as BF16: small updates would be rounded away"),
        (lambda t: dict(list(t.items())[1:]), "lacks 1 tensors, such as 'model.embed_tokens.weight'"),
        (lambda t: {k: v[:1] for k, v in t.items()}, "with shape"),
    ],
    ids=["none", "rounded", "lacking", "shapes"],
)
def test_an_export_is_not_taken_on_trust(policy: Policy, tmp_path: Path, spoil: Any, words: str) -> None:
    export(tmp_path, spoil(dict(sorted(weights(policy).items()))))
    with pytest.raises(TrainingError, match=words):
        checkpoint.adopt(tmp_path, policy, 7, where="here")


@pytest.mark.parametrize(
    ("architecture", "said", "tied"),
    [
        ("llama", {"tie_word_embeddings": True}, True),
        ("llama", {"tie_word_embeddings": False}, False),
        # What an architecture does where its configuration does not say.
        ("llama", {}, False),
        ("gpt2", {}, True),
    ],
)
def test_an_output_layer_may_be_left_out_where_it_is_the_embeddings(
    policy: Policy, tmp_path: Path, architecture: str, said: dict[str, Any], tied: bool
) -> None:
    base = tmp_path / "base"
    shutil.copytree(policy.files.path, base)
    config = json.loads((base / "config.json").read_text())
    config.pop("tie_word_embeddings", None)
    (base / "config.json").write_text(json.dumps(config | {"model_type": architecture} | said))
    # Some files hold it although it is tied.
    tensors = weights(policy) | {"lm_head.weight": torch.zeros(4, 16)}
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    policy = replace(policy, files=replace(policy.files, path=base))
    del tensors["lm_head.weight"]
    export(tmp_path, tensors)
    if tied:
        checkpoint.adopt(tmp_path, policy, 7, where="here")
        assert (tmp_path / "model").exists()
    else:
        with pytest.raises(TrainingError, match=r"lacks 1 tensors, such as 'lm_head.weight'"):
            checkpoint.adopt(tmp_path, policy, 7, where="here")


def test_an_export_of_another_step_is_none(policy: Policy, tmp_path: Path) -> None:
    export(tmp_path, weights(policy))
    with pytest.raises(TrainingError, match=r"exported no weights|global_step_8"):
        checkpoint.adopt(tmp_path, policy, 8, where="here")


def test_the_number_of_workers_must_be_that_of_the_checkpoint(tmp_path: Path) -> None:
    actor = tmp_path / "verl" / "global_step_3" / "actor"
    actor.mkdir(parents=True)
    for rank in range(2):
        (actor / f"model_world_size_2_rank_{rank}.pt").touch()
    folder = checkpoint.state(tmp_path)
    assert folder == actor.parent
    checkpoint.check_workers(folder, 2, where="here")
    with pytest.raises(TrainingError, match="written by 2 workers and would be read by 4"):
        checkpoint.check_workers(folder, 4, where="here")
    assert checkpoint.state(tmp_path / "nothing") is None
    assert checkpoint.state(None) is None
