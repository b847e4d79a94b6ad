"""How long a prompt is: by a tokenizer at hand, else by the servers' `/tokenize`."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from harness.contract import UNPARSABLE, BuildContext, EngineError, ModelFiles, Request
from harness_openai.options import OpenAIOptions
from harness_openai.protocol import Mode, error_text, prompt_fields

_SECONDS = 30.0


class PromptCounter:
    """Counts the tokens of rendered prompts."""

    def __init__(self, options: OpenAIOptions, context: BuildContext, mode: Mode, key: str | None) -> None:
        self._options, self._mode, self._key = options, mode, key
        self._folder = context.base / Path(options.tokenizer).expanduser() if options.tokenizer else None
        #: The policy's files: their tokenizer is the last resort.
        self.files: ModelFiles | None = None
        self._renderer: Any = None
        #: The proxies of the environment are for the world outside; so are they in `calls`.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def count(self, request: Request) -> int:
        """Tokens of the rendered prompt.

        Raises:
            EngineError: no tokenizer, and no server that counts; why each did not.
        """
        if self._folder is not None:
            return self._by_tokenizer(self._folder, request)
        refusals = []
        for server in self._options.servers:
            try:
                return self._by_server(server, request)
            except (OSError, *UNPARSABLE) as error:
                refusals.append(f"{server}: {_reason(error)}")
        if self.files is not None:
            return self._by_tokenizer(self.files.path, request)
        raise EngineError(
            f"no server counts prompts: {'; '.join(refusals)}",
            where="engine 'openai'",
            hint="set tokenizer to a folder with the model's tokenizer",
        )

    def _by_tokenizer(self, folder: Path, request: Request) -> int:
        if self._renderer is None:
            from harness_transformers.prompts import Renderer

            self._renderer = Renderer.open(folder, self._mode)
        return len(self._renderer.prompt_ids(request.prompt))

    def _by_server(self, server: str, request: Request) -> int:
        fields = prompt_fields(request, self._mode)
        if self._mode == "raw":
            fields["add_special_tokens"] = False
        else:
            fields |= {"add_generation_prompt": True}
            fields |= {k: v for k, v in self._options.extra.items() if k == "chat_template_kwargs"}
        if self._options.model is not None:
            fields["model"] = self._options.model
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        # vLLM has it beside `/v1`, not below.
        url = server.removesuffix("/v1") + "/tokenize"
        asked = urllib.request.Request(url, data=msgspec.json.encode(fields), headers=headers)
        with self._open(asked, timeout=_SECONDS) as answer:
            return msgspec.json.decode(answer.read(), type=_Count).count


class _Count(msgspec.Struct):
    count: int


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error_text(error.read())}"
    return str(error)[:200]
