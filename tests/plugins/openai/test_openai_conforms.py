"""The engine `openai` against real servers conforms, whatever kind of server answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.engine import OpenAIEngine

from harness.contract.protocols import ModelFiles, Policy
from harness.contract.records import PolicyRef
from harness.testing import EngineConformance
from harness.testing.plugin import Build
from tests.support.openai_server import serving


class _Conforms(EngineConformance):
    name = "openai"
    #: Where an engine is only made, and asked for nothing.
    options = {"servers": ["http://localhost:9/v1"]}
    prompts = ["What is 1+1?", "Name a prime."]
    #: Of the server.
    script: dict[str, Any] = {}
    more: dict[str, Any] = {}

    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(PolicyRef(weights_sha="abc"), ModelFiles(Path(), "abc", 4096, True))

    @pytest.fixture
    def engine(self, harness_build: Build, policy: Policy | None) -> Iterator[OpenAIEngine]:
        with serving(**self.script) as one, serving(**self.script) as two:
            made: OpenAIEngine = harness_build("engines", "openai", servers=[one.url, two.url], **self.more)
            assert policy is not None
            made.sync_weights(policy)
            yield made
            made.close()


class TestChatOfVllm(_Conforms):
    pass


class TestRawOfVllm(_Conforms):
    more = {"prompt": "raw"}


class TestChatOfOthers(_Conforms):
    token_ids = False
    script = {"vllm": False}

    @pytest.fixture(autouse=True)
    def tokenizer(self, tmp_path: Path) -> None:
        """Counts prompts where the server does not: a byte a token, as the server's own."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        made = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        fast = PreTrainedTokenizerFast(tokenizer_object=made)
        fast.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
        fast.save_pretrained(tmp_path / "tokenizer")

    more = {"tokenizer": "tokenizer"}
