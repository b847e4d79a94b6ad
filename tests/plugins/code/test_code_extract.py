"""The program is the last complete fenced block."""

from __future__ import annotations

import pytest
from harness_code.extract import last_block
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\nprint(1)\n```", "print(1)"),
        ("a\n```\nx\n```\nb\n```py\ny\nz\n```\nc", "y\nz"),
        ("```python\nx = '''\n```\n```python\ny\n```", "y"),
        ("~~~python\na\n```\nb\n~~~", "a\n```\nb"),
        ("````\n```\ninner\n```\n````", "```\ninner\n```"),
        ("   ```python\nx\n   ```  ", "x"),
        ("```python\nwhole\n```\n```python\ncut off", "whole"),
        ("```\n```", ""),
        ("no code", None),
        ("```python\ncut off", None),
        ("inline ```x``` only", None),
        ("    ```\nx\n    ```", None),
    ],
)
def test_the_last_block(text: str, program: str | None) -> None:
    assert last_block(text) == program


@given(st.text(alphabet="a\n`~ ", max_size=60))
def test_any_text_is_read(text: str) -> None:
    block = last_block(text)
    assert block is None or all(line in text.splitlines() for line in block.splitlines())
