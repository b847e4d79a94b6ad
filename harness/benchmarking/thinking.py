"""Where a model's thinking begins, as far as its chat template tells.

A profile says how its verifiers read thinking: `prefilled` (the prompt opens it), `model` (the model opens
it) or `none`. That is a guess about the model: a wrong one makes every sample `no_answer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from harness.benchmarking.problems import ProblemSet
from harness.benchmarking.profile import Profile
from harness.contract.protocols import ModelFiles

#: A prompt that ends inside a block of thinking, behind an empty one, or outside of any.
Opening = Literal["open", "closed", "none"]
OPEN: Final = "<think>"
CLOSE: Final = "</think>"
_GENERATION: Final = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


def opening(template: str, words: Mapping[str, Any] | None = None) -> Opening | None:
    """How a chat template's prompt for a first answer ends; None if it cannot be rendered here.

    Args:
        template: Jinja source, as tokenizers have it.
        words: what the template may name besides the messages: special tokens, flags.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals.update(strftime_now=lambda form: "2026-01-01", raise_exception=_refuse)
    messages = [{"role": "user", "content": "1+1="}]
    try:
        made = environment.from_string(_GENERATION.sub("", template))
        prompt = made.render(
            messages=messages,
            add_generation_prompt=True,
            **{"tools": None, "documents": None, **(words or {})},
        )
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    before, mark, after = prompt.rstrip().rpartition(OPEN)
    if not mark:
        return "closed" if before.endswith(CLOSE) or after.endswith(CLOSE) else "none"
    if CLOSE not in after:
        return "open"
    return "closed" if not after.rpartition(CLOSE)[2].strip() else "none"


def opening_of(files: ModelFiles) -> Opening | None:
    """As `opening`, of the model's own template; None if it has none that can be read here."""
    settings = _json(files.path / "tokenizer_config.json")
    path = files.path / "chat_template.jinja"
    template = path.read_text(encoding="utf-8") if path.is_file() else settings.get("chat_template")
    if isinstance(template, list):
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    if not isinstance(template, str):
        return None
    tokens = ("bos_token", "eos_token", "pad_token", "unk_token")
    return opening(template, {name: _token(settings.get(name)) for name in tokens})


def mismatches(profile: Profile, sets: Sequence[ProblemSet], files: ModelFiles) -> Iterator[str]:
    """What the model's template says against what the profile says of thinking, a line each."""
    if not profile.chat:
        return
    said = {str(use.options["thinking"]) for p in sets for use in p.verifiers if "thinking" in use.options}
    how = opening_of(files)
    if how == "open" and said & {"none"}:
        yield (
            f"the model's chat template opens {OPEN}, and profile {profile.name!r} judges thinking as text "
            "(thinking = none): a box in the thinking counts"
        )
    if how in ("closed", "none") and "prefilled" in said:
        what = "puts an empty thought there" if how == "closed" else "does not open one"
        yield (
            f"profile {profile.name!r} says that the prompt opens {OPEN}; the model's chat template {what}: "
            f"a response without {CLOSE} is no answer; for a model that does not think, thinking = none"
        )


def _refuse(message: str) -> None:
    raise ValueError(message)


def _token(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
