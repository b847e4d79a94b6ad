"""The engine `transformers` and the loader `folder`."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_transformers.folder import FolderLoader, FolderOptions
from harness_transformers.prompts import Renderer
from harness_transformers.weights import describe, weights_sha
from transformers import GPT2Config, GPT2LMHeadModel

from harness.contract.errors import DataError, EngineError
from harness.contract.protocols import ModelFiles, Policy
from harness.contract.records import Message, PolicyRef, Request, RolloutKey, Sampling
from tests.support.live_session import context, gather

SMALL = RandomLlamaOptions(width=32, layers=2, heads=2, mlp_width=48, initializer_range=0.25)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return RandomLlama(SMALL, context(tmp_path_factory.mktemp("cache"))).load()


def policy(files: ModelFiles) -> Policy:
    return Policy(PolicyRef(weights_sha=files.weights_sha), files)


def engine(tmp_path: Path, **options: Any) -> TransformersEngine:
    return TransformersEngine(EngineOptions(**options), context(tmp_path))


def request(text: str = "1+2=", sample: int = 0, **sampling: Any) -> Request:
    return Request(
        RolloutKey("run", "eval", "", 0, text, sample),
        (Message("user", text),),
        Sampling(**{"max_tokens": 8, **sampling}),
    )


def test_yields_rollouts_as_they_finish(files: ModelFiles, tmp_path: Path) -> None:
    subject = engine(tmp_path, batch_rows=2)
    subject.sync_weights(policy(files))

    async def first_of_two_batches() -> int:
        stream = subject.generate([request(str(i) + "=") for i in range(4)])
        seen = 0
        async for rollout in stream:
            seen += 1
            assert rollout.policy.weights_sha == files.weights_sha
            if seen == 1:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        return seen

    assert asyncio.run(first_of_two_batches()) == 1
    assert len(gather(subject, [request(str(i) + "=") for i in range(4)])) == 4


def test_other_coroutines_run_between_rollouts(files: ModelFiles, tmp_path: Path) -> None:
    subject = engine(tmp_path)
    subject.sync_weights(policy(files))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def run() -> None:
        ticker = asyncio.create_task(tick())
        async for _ in subject.generate([request(sample=i) for i in range(5)]):
            pass
        ticker.cancel()

    asyncio.run(run())
    assert ticks >= 5


def test_needs_weights_first(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="sync_weights"):
        gather(engine(tmp_path), [request()])


def test_refuses_what_exceeds_the_context(files: ModelFiles, tmp_path: Path) -> None:
    subject = engine(tmp_path)
    subject.sync_weights(policy(files))
    with pytest.raises(EngineError, match=r"4 tokens \+ max_tokens 125 exceed the context of 128"):
        gather(subject, [request(max_tokens=125)])
    assert len(gather(subject, [request(max_tokens=124)])) == 1


def test_chat_without_a_template_is_refused(files: ModelFiles, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no chat template(.|\n)*raw"):
        engine(tmp_path, prompt="chat").sync_weights(policy(files))


def test_prompts_by_template_or_raw(files: ModelFiles, tmp_path: Path) -> None:
    renderer = Renderer.open(files.path, "raw")
    assert renderer.prompt_ids((Message("user", "1+2="),)) == renderer.text_ids("1+2=")
    two = (Message("system", "1+2"), Message("user", "="))
    assert renderer.prompt_ids(two) == renderer.text_ids("1+2\n=")
    renderer.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}={% endfor %}{% if add_generation_prompt %}+{% endif %}"
    )
    chat = Renderer(renderer.tokenizer, "chat")
    assert chat.prompt_ids((Message("user", "7"),)) == renderer.text_ids("7=+")


def test_prompt_tokens_is_the_rendered_length(files: ModelFiles, tmp_path: Path) -> None:
    subject = engine(tmp_path)
    subject.sync_weights(policy(files))
    assert subject.prompt_tokens(request("1+2+3=")) == 6


def test_sync_weights_changes_what_is_generated(files: ModelFiles, tmp_path: Path) -> None:
    other = RandomLlama(SMALL.model_copy(update={"seed": 1}), context(tmp_path)).load()
    assert other.weights_sha != files.weights_sha
    subject = engine(tmp_path)
    texts = []
    for model in (files, other, files):
        subject.sync_weights(policy(model))
        texts.append([r.completion_ids for r in gather(subject, [request(sample=i) for i in range(4)])])
    assert texts[0] == texts[2]
    assert texts[0] != texts[1]


def test_any_causal_model_of_transformers_works(files: ModelFiles, tmp_path: Path) -> None:
    folder = tmp_path / "gpt2"
    config = GPT2Config(
        vocab_size=16, n_positions=64, n_embd=32, n_layer=2, n_head=2,
        initializer_range=0.3, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config).eval()
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(files.path / name, folder / name)
    described = describe(folder)
    assert described.context_length == 64
    subject = engine(tmp_path)
    subject.sync_weights(policy(described))
    wanted = [request(text, sample, temperature=0.0) for text in ("1=", "1+2+3=") for sample in range(2)]
    for rollout in gather(subject, wanted):
        ids = torch.tensor([rollout.prompt_ids])
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0
        )
        assert rollout.completion_ids == tuple(expected[0, ids.shape[1] :].tolist())


def test_bf16_generates(files: ModelFiles, tmp_path: Path) -> None:
    for own in (True, False):
        subject = engine(tmp_path, precision="bf16", own_decoder=own)
        subject.sync_weights(policy(files))
        assert len(gather(subject, [request(sample=i) for i in range(3)])) == 3


# The loader ---------------------------------------------------------------------------------------


def test_folder_is_described_from_its_files(files: ModelFiles, tmp_path: Path) -> None:
    loaded = FolderLoader(FolderOptions(), context(tmp_path, model=str(files.path))).load()
    assert loaded == ModelFiles(files.path, files.weights_sha, 128, chat=False)


def test_relative_folders_start_at_the_recipe(files: ModelFiles, tmp_path: Path) -> None:
    where = context(tmp_path, model=files.path.name, base=files.path.parent)
    loaded = FolderLoader(FolderOptions(), where).load()
    assert loaded.path == files.path


def test_hash_covers_content_and_nothing_else(files: ModelFiles, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(files.path, copy)
    (copy / "README.md").write_text("other")
    assert weights_sha(copy) == files.weights_sha
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert weights_sha(copy) != files.weights_sha


def test_chat_template_is_noticed(files: ModelFiles, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(files.path, copy)
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert describe(copy).chat


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "config.json").unlink(), "no config.json"),
        (lambda p: (p / "config.json").write_text("{"), "not JSON"),
        (lambda p: (p / "config.json").write_text(json.dumps({"model_type": "llama"})), "context length"),
        (lambda p: (p / "model.safetensors").unlink(), "no weight file"),
    ],
)
def test_a_folder_that_is_no_model_is_named(
    files: ModelFiles, tmp_path: Path, spoil: Any, message: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(files.path, copy)
    spoil(copy)
    with pytest.raises(DataError, match=message):
        describe(copy)


def test_a_checkpoint_s_folder_names_the_model_in_it(files: ModelFiles, tmp_path: Path) -> None:
    shutil.copytree(files.path, tmp_path / "s-20" / "model")
    with pytest.raises(
        DataError, match=rf"has no config\.json\n  next: did you mean {tmp_path}/s-20/model\?"
    ):
        describe(tmp_path / "s-20")


def test_a_name_that_is_neither_folder_nor_on_the_hub(tmp_path: Path) -> None:
    loader = FolderLoader(FolderOptions(offline=True), context(tmp_path, model="nobody/nothing"))
    with pytest.raises(DataError, match="'nobody/nothing': there is no such folder, and the Hub"):
        loader.load()


def test_random_llama_is_its_options(tmp_path: Path) -> None:
    one = RandomLlama(SMALL, context(tmp_path / "a")).load()
    again = RandomLlama(SMALL, context(tmp_path / "b")).load()
    assert one.weights_sha == again.weights_sha
    assert one.path != again.path


@pytest.mark.parametrize(
    ("options", "message"),
    [({"width": 97}, "width 97"), ({"kv_heads": 2}, "kv_heads 2"), ({"characters": "aa"}, "named twice")],
)
def test_random_llama_refuses_sizes_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomLlamaOptions(**options)


@pytest.mark.parametrize("own", [True, False])
def test_a_completion_goes_on_from_its_own_beginning(files: ModelFiles, tmp_path: Path, own: bool) -> None:
    """Continued at any token, it is the completion that it would have been unbroken."""
    made = engine(tmp_path, own_decoder=own)
    made.sync_weights(policy(files))
    asked = [request(sample=i, max_tokens=9) for i in range(3)]
    whole = {r.key: r for r in made.rollouts(asked)}
    for cut in (1, 4):
        begun = [
            replace(a, prefix_ids=whole[a.key].completion_ids[:cut])
            for a in asked
            if len(whole[a.key].completion_ids) > cut
        ]
        assert begun
        for rollout in made.rollouts(begun):
            unbroken = whole[rollout.key]
            assert rollout.completion_ids == unbroken.completion_ids
            assert rollout.text == unbroken.text
            assert rollout.logprobs == pytest.approx(unbroken.logprobs, abs=1e-5)
            assert (rollout.prefix, rollout.generated) == (cut, unbroken.tokens - cut)


def test_what_is_continued_differently_is_scored_as_given(files: ModelFiles, tmp_path: Path) -> None:
    made = engine(tmp_path)
    made.sync_weights(policy(files))
    (plain,) = made.rollouts([request(max_tokens=6)])
    other = tuple(3 + (token + 1) % 5 for token in plain.completion_ids[:2])
    (changed,) = made.rollouts([replace(request(max_tokens=6), prefix_ids=other)])
    assert changed.completion_ids[:2] == other
    assert changed.logprobs is not None
    assert len(changed.logprobs) == len(changed.completion_ids) <= 6


def test_a_beginning_that_leaves_no_room_is_refused(files: ModelFiles, tmp_path: Path) -> None:
    made = engine(tmp_path)
    made.sync_weights(policy(files))
    with pytest.raises(EngineError, match="begins with 4 tokens, of at most 4"):
        list(made.rollouts([replace(request(max_tokens=4), prefix_ids=(3, 4, 5, 6))]))
