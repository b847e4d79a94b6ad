"""What `harness compare STUDY --two-by-two` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click

from harness.cli.tables import Table, show
from harness.readout import Factorial, factorial, read_study
from harness.readout.words import points_in_words
from harness.statistics import Spread
from harness.support.figures import percent


def show_factorial(
    folder: Path, arms: Sequence[str], heldout: str | None, strata: Sequence[str], *, as_json: bool
) -> None:
    """Print a study's main effects and interaction as tables, or as one JSON object.

    Raises:
        DataError: the arms are not four of the study, or no seed finished in all of them.
    """
    made = factorial(read_study(folder), arms, heldout, strata)
    if as_json:
        click.echo(json.dumps(values(made), indent=1, allow_nan=False))
        return
    first, second = made.factors
    click.echo(f"{folder}: {first} x {second} on {made.heldout}, {len(made.seeds)} seeds in all four arms")
    for outcome in made.outcomes:
        cells = [percent(cell.mean) for cell in outcome.cells]
        rows = [[f"without {second}", cells[0], cells[1]], [f"with {second}", cells[2], cells[3]]]
        show(Table([outcome.name, f"without {first}", f"with {first}"], rows))
        effects = outcome.effects
        for name, effect in (
            (first, effects.first),
            (second, effects.second),
            ("interaction", effects.interaction),
        ):
            click.echo(f"  {name}: {points_in_words(effect)}")
    cut = [f"{arm} {percent(share)}" for arm, share in zip(made.arms, made.truncated, strict=True)]
    click.echo(f"Training samples that a limit cut: {', '.join(cut)}.")
    click.echo("Effects are in points, with Student's t interval over seeds.")


def values(made: Factorial) -> dict[str, Any]:
    """The experiment as plain values."""
    return {
        "arms": list(made.arms),
        "heldout": made.heldout,
        "seeds": list(made.seeds),
        "truncated": [share if isfinite(share) else None for share in made.truncated],
        "outcomes": [
            {
                "name": outcome.name,
                "cells": [list(cell.values) for cell in outcome.cells],
                "first": _effect(outcome.effects.first),
                "second": _effect(outcome.effects.second),
                "interaction": _effect(outcome.effects.interaction),
            }
            for outcome in made.outcomes
        ],
    }


def _effect(effect: Spread) -> dict[str, Any]:
    interval = effect.interval
    return {"mean": effect.mean, "interval": None if interval is None else [interval.low, interval.high]}
