"""From messages to token ids, and back to text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.contract import EngineError, Message, Request
from harness_transformers.reading import reading


class Renderer:
    """A model's tokenizer, as generation uses it."""

    def __init__(self, tokenizer: Any, mode: Literal["chat", "raw"]) -> None:
        """`chat` renders with the chat template and a generation prompt; `raw` joins the messages'
        texts with a newline and adds no special token.

        Raises:
            EngineError: `chat` without a chat template.
        """
        self.tokenizer, self.mode = tokenizer, mode
        if mode == "chat" and not tokenizer.chat_template:
            raise EngineError(
                "the model's tokenizer has no chat template",
                where=str(tokenizer.name_or_path),
                hint='set prompt = "raw" under [model]',
            )

    @classmethod
    def open(cls, path: Path, mode: Literal["chat", "raw"]) -> Renderer:
        """The tokenizer of a folder.

        Raises:
            DataError: it cannot be read.
            EngineError: as the constructor.
        """
        from transformers import AutoTokenizer

        with reading("the tokenizer", path):
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        return cls(tokenizer, mode)

    def prompt_ids(self, prompt: tuple[Message, ...]) -> tuple[int, ...]:
        """The prompt's token ids."""
        if self.mode == "chat":
            messages = [{"role": m.role, "content": m.content} for m in prompt]
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        else:
            text = "\n".join(m.content for m in prompt)
        return self.text_ids(text)

    def fitting(
        self, requests: Iterable[Request], context_length: int
    ) -> dict[tuple[Message, ...], tuple[int, ...]]:
        """Token ids of each distinct prompt, none of which a server would have to cut.

        Raises:
            EngineError: a prompt has no tokens, or exceeds the context together with its completion, or a
                completion would begin with as many tokens as it may have.
        """
        prompts: dict[tuple[Message, ...], tuple[int, ...]] = {}
        for request in {(r.prompt, r.sampling.max_tokens, len(r.prefix_ids)): r for r in requests}.values():
            ids = prompts.setdefault(request.prompt, self.prompt_ids(request.prompt))
            where, longest = f"task {request.key.task!r}", request.sampling.max_tokens
            if len(request.prefix_ids) >= longest:
                raise EngineError(
                    f"begins with {len(request.prefix_ids)} tokens, of at most {longest}",
                    where=where,
                    hint="raise max_tokens: it counts the prefix, too",
                )
            if not ids:
                raise EngineError("its prompt has no tokens", where=where)
            if len(ids) + longest > context_length:
                raise EngineError(
                    f"prompt of {len(ids)} tokens + max_tokens {longest} exceed the context of "
                    f"{context_length}",
                    where=where,
                    hint="lower max_tokens, or drop such tasks",
                )
        return prompts

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text; no special token is added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def texts(self, completions: Sequence[Sequence[int]]) -> list[str]:
        """Texts of completions, without special tokens."""
        texts: list[str] = self.tokenizer.batch_decode(
            [list(ids) for ids in completions],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return texts

    @property
    def eos(self) -> int | None:
        """The tokenizer's end-of-sequence token."""
        token: int | None = self.tokenizer.eos_token_id
        return token


def end_tokens(renderer: Renderer, generation_config: Any) -> frozenset[int]:
    """All tokens that end a completion: the tokenizer's and the generation config's."""
    declared = getattr(generation_config, "eos_token_id", None)
    ids: Iterable[int | None] = declared if isinstance(declared, list | tuple) else (declared,)
    return frozenset(i for i in (renderer.eos, *ids) if i is not None)
