"""The recipe beside this distribution says what the plugin can do."""

from pathlib import Path

import pytest
from harness.cli import main

RECIPE = Path(__file__).parent.parent / "recipe.toml"


def test_the_recipe_fits() -> None:
    if "random-llama" in RECIPE.read_text(encoding="utf-8"):
        pytest.importorskip("torch", reason="the recipe's model is made with torch")
    assert main(["recipe", "check", str(RECIPE)]) == 0
