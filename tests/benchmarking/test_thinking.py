"""Where thinking begins is read from the chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarking.thinking import opening, opening_of
from harness.contract.protocols import ModelFiles

TURN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("end", "ends"),
    [
        ("<|assistant|>", "none"),
        ("<|assistant|><think>", "open"),
        ("<|assistant|><think>\n", "open"),
        ("<|assistant|>\n<think>\n\n</think>\n\n", "closed"),
        ("<|assistant|></think>", "closed"),
        (
            "{{ '<think>' if enable_thinking is not defined or enable_thinking else '<think></think>' }}",
            "open",
        ),
        ("{% if add_generation_prompt %}{{ bos_token }}<think>{% endif %}", "open"),
        ("{% generation %}<think>{% endgeneration %}", "open"),
        ("{{ strftime_now('%Y') }}<think>", "open"),
        ("{% set x = namespace(y=1) %}{% for m in messages %}{% continue %}{% endfor %}<think>", "open"),
        ("Write <think> and </think> around your thoughts.<|assistant|>", "none"),
        ("{{ raise_exception('only for tools') }}", None),
        ("{{ messages[3].content }}", None),
        ("{{ 1 / 0 }}", None),
        ("{% unknown %}", None),
    ],
)
def test_a_template_tells_how_its_prompt_ends(end: str, ends: str | None) -> None:
    assert opening(TURN + end, {"bos_token": "<s>"}) == ends


@given(st.text(alphabet="{}%<>/think \n|a'", max_size=60))
def test_any_template_is_read(template: str) -> None:
    assert opening(template) in ("open", "closed", "none", None)


OPEN = {
    "deepseek_r1_distill",
    "deepseekv3",
    "nemotron_3_nano",
    "nemotron_3_super",
    "qwen3_5_think",
    "qwen3_6",
}
CLOSED = {"qwen3_5_nothink"}
NONE = {"qwen2_5", "qwen3", "qwen3_instruct_2507", "gptoss", "glm4moe", "llama3", "gemma3"}


@pytest.mark.parametrize("family", sorted(OPEN | CLOSED | NONE))
def test_templates_of_real_models_are_told_apart(family: str) -> None:
    trl = pytest.importorskip("trl", reason="trl brings chat templates of many families")
    path = Path(trl.__file__).parent / "chat_templates" / f"{family}.jinja"
    if not path.is_file():
        pytest.skip(f"this version of trl has no template {family}")
    ends = "open" if family in OPEN else "closed" if family in CLOSED else "none"
    assert opening(path.read_text(encoding="utf-8"), {"bos_token": "<s>", "eos_token": "</s>"}) == ends


@pytest.mark.parametrize("form", ["file", "setting", "named"])
def test_a_model_s_own_template_is_found(tmp_path: Path, form: str) -> None:
    template = TURN + "{{ eos_token }}<think>"
    settings: dict[str, Any] = {"eos_token": {"content": "</s>"}}
    if form == "file":
        (tmp_path / "chat_template.jinja").write_text(template)
    else:
        named = [{"name": "tools", "template": "x"}, {"name": "default", "template": template}]
        settings["chat_template"] = template if form == "setting" else named
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert opening_of(ModelFiles(tmp_path, "", 100, True)) == "open"


def test_a_model_without_a_template_tells_nothing(tmp_path: Path) -> None:
    assert opening_of(ModelFiles(tmp_path, "", 100, False)) is None
