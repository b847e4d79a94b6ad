"""What every loader of models must do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from harness.contract.errors import HarnessError
from harness.contract.protocols import BuildContext, ModelFiles
from harness.plugging.plugins import Plugins
from harness.plugging.registry import Registration


class ModelConformance:
    """Subclass with the registered name and a model that it loads."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: A recipe's `model.name`.
    model: ClassVar[str]
    #: Another name, or other options, that give other weights; None if it loads one model alone.
    other: ClassVar[tuple[str, Mapping[str, Any]] | None] = None
    #: Whether `model.name` says which model it loads; if not, any name will do.
    by_name: ClassVar[bool] = True

    @pytest.fixture
    def registration(self, harness_plugins: Plugins) -> Registration:
        return harness_plugins.registry.find("models", self.name)

    def load(
        self,
        registration: Registration,
        context: BuildContext,
        *,
        model: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ModelFiles:
        """The model's files, by a loader of its own."""
        options = self.options if options is None else options
        loader = registration.build(options, replace(context, model=model or self.model))
        files = loader.load()
        assert isinstance(files, ModelFiles), f"load returned {type(files).__name__}; allowed: ModelFiles"
        return files

    def test_it_says_what_it_loaded(self, registration: Registration, build_context: BuildContext) -> None:
        files = self.load(registration, build_context)
        assert files.path.is_dir(), f"{files.path} is no folder"
        assert any(files.path.iterdir()), f"{files.path} is empty"
        assert files.weights_sha, "weights_sha is empty, so nobody can tell which weights were used"
        assert files.context_length > 0, f"context_length is {files.context_length}"

    def test_loading_again_gives_the_same(
        self, registration: Registration, build_context: BuildContext
    ) -> None:
        first = self.load(registration, build_context)
        before = {path: path.stat().st_mtime_ns for path in first.path.rglob("*") if path.is_file()}
        assert self.load(registration, build_context) == first, "the second time it loaded something else"
        after = {path: path.stat().st_mtime_ns for path in first.path.rglob("*") if path.is_file()}
        assert after == before, "it wrote its folder again instead of keeping it"

    def test_the_hash_tells_weights_apart(
        self, registration: Registration, build_context: BuildContext
    ) -> None:
        if self.other is None:
            pytest.skip("the suite was given no other weights (`other`)")
        name, options = self.other
        first = self.load(registration, build_context)
        second = self.load(registration, build_context, model=name, options=options)
        assert second.path != first.path, "other weights came into the same folder"
        assert second.weights_sha != first.weights_sha, (
            f"weights_sha is {first.weights_sha} for both: the hash does not cover the weights"
        )

    def test_what_it_does_not_know_is_refused_in_words(
        self, registration: Registration, build_context: BuildContext
    ) -> None:
        if not self.by_name:
            pytest.skip("it takes any name (`by_name`)")
        with pytest.raises(HarnessError, match="no-such-model"):
            self.load(registration, build_context, model="no-such-model")

    def test_transformers_opens_the_folder(
        self, registration: Registration, build_context: BuildContext
    ) -> None:
        if registration.capabilities.get("simulated"):
            pytest.skip("a simulation has no weights")
        transformers = pytest.importorskip("transformers")
        files = self.load(registration, build_context)
        model = transformers.AutoModelForCausalLM.from_pretrained(files.path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.path)
        vocabulary = model.get_input_embeddings().weight.shape[0]
        assert len(tokenizer) <= vocabulary, (
            f"its tokenizer has {len(tokenizer)} tokens, the model embeds {vocabulary}"
        )
        assert bool(tokenizer.chat_template) == files.chat, (
            f"chat is {files.chat}, and the tokenizer's template is {tokenizer.chat_template!r:.40}"
        )
        assert tokenizer.eos_token_id is not None, "no token ends a completion"
