"""Why a completion ended, in the words of the servers and tools that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from harness.contract.records import Finish

#: The server gave up, which it may not do again.
GAVE_UP: Final = frozenset({"abort", "aborted", "cancelled", "canceled", "error"})
#: By meaning: the model ended it, it was cut, or somebody took it away.
WORDS: Final[Mapping[Finish, frozenset[str]]] = {
    "stop": frozenset(
        {"stop", "stopped", "eos", "eos_token", "eos_found", "end", "end_turn", "end_of_turn", "end_of_text"}
        | {"stop_sequence", "stop_token", "stop_string", "stop_word", "complete", "completed", "done"}
        | {"finished", "finish", "normal", "natural", "endoftext", "im_end", "eot_id", "stop_words"}
        # The model ended its turn by asking for a tool.
        | {"stop_sequences", "stop_tokens", "tool_calls", "tool_call", "tool_use", "function_call"}
    ),
    "length": frozenset(
        {"length", "max_tokens", "max_length", "max_new_tokens", "max_output_tokens", "model_length"}
        | {"max_completion_tokens", "model_context_window_exceeded", "context_length", "token_limit"}
        | {"truncated", "incomplete", "length_limit", "max_tokens_reached", "token_limit_reached"}
    ),
    "abort": GAVE_UP
    | {"content_filter", "content_filtered", "safety", "blocklist", "prohibited_content", "recitation"}
    | {"spii", "sensitive", "refusal"},
}
#: Where a word of several begins its next one.
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MEANT: Final[Mapping[str, Finish]] = {word: finish for finish, words in WORDS.items() for word in words}


def finish_of(said: object, own: Mapping[str, Finish] | None = None) -> Finish | None:
    """What a finish reason means, None for a word that nobody knows.

    Args:
        said: the word, in any case, with hyphens or spaces for underscores.
        own: further words and their meanings; they go before the others.
    """
    if not isinstance(said, str):
        return None
    if own and said in own:
        return own[said]
    word = plain(said)
    return _MEANT.get(word) or _MEANT.get(word.rpartition(".")[2].removeprefix("finish_reason_"))


def plain(said: str) -> str:
    """A finish reason in lower case with underscores; `endTurn` and `<|im_end|>`, too."""
    said = _HUMP.sub("_", said.strip("<|>/ "))
    return "_".join(said.lower().replace("-", " ").replace("_", " ").split())
