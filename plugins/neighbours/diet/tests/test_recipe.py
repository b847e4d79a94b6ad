"""The recipe beside this distribution, and what is refused before anything runs."""

from pathlib import Path

import pytest
from harness.cli import main

RECIPE = Path(__file__).parent.parent / "recipe.toml"


def test_the_recipe_fits() -> None:
    assert main(["recipe", "check", str(RECIPE)]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("strength = -1", "strength: Input should be greater than or equal to 0"),
        ('difficulty = "online"', "difficulty: Input should be 'group', 'posterior', 'label' or 'none'"),
        ("decay = 0", "decay: Input should be greater than 0"),
        ("cycle = 1", "cycle: Input should be greater than or equal to 2"),
        ("strenght = 1", "strenght: no such field; did you mean 'strength'?"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    options: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    text = RECIPE.read_text(encoding="utf-8")
    old = 'diet", strength = 0.5, difficulty = "posterior"'
    assert old in text
    recipe.write_text(text.replace(old, f'diet", {options}'), encoding="utf-8")
    assert main(["recipe", "check", str(recipe)]) == 2
    assert words in capsys.readouterr().err
