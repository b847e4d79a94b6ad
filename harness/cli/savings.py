"""What `harness compare STUDY` prints: each arm's cost until the threshold, as a ratio to the baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.cli.tables import Table, show
from harness.readout import ArmSaving, Saving, read_study, savings, terms_of
from harness.readout.words import cost_in_words, interval_in_words, ratio_in_words, reading_in_words
from harness.statistics import Ratio
from harness.support.figures import percent


def show_study(folder: Path, given: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the savings of a study's arms as a table, or as one JSON object.

    Raises:
        DataError: the terms are not fixed, or there is nothing to compare with.
        LedgerError: the folder holds no study.
    """
    study = read_study(folder)
    saving = savings(study, terms_of(study, given))
    if as_json:
        click.echo(json.dumps(values(saving), indent=1, allow_nan=False))
        return
    terms = saving.terms
    what = f"strata {', '.join(terms.strata)} of {terms.heldout}" if terms.strata else terms.heldout
    unit = terms.axis.replace("_", " ")
    click.echo(f"{folder}: {unit} until {percent(terms.threshold)} of {what}, against {terms.baseline}")
    rows = [
        [
            arm.arm,
            f"{arm.crossed} of {len(arm.seeds)}",
            cost_in_words(arm.median),
            ratio_in_words(arm.cost),
            interval_in_words(arm.cost),
            ratio_in_words(arm.area),
            interval_in_words(arm.area),
            reading_in_words(arm, saving),
        ]
        for arm in saving.arms
    ]
    columns = ["arm", "crossed", "median", "ratio", "95 % interval", "area", "95 % interval", "reading"]
    show(Table(columns, rows))
    for arm in saving.arms:
        for caveat in arm.caveats:
            click.echo(f"{arm.arm}: {caveat}.")
    for run in saving.left_out:
        click.echo(f"Left out: {run}.")
    click.echo(
        f"Areas are mean scores over the first {saving.end:,.0f} {unit}, which every run reached; above 1 is "
        "ahead. docs/explanation/saving.md defines all of it."
    )


def values(saving: Saving) -> dict[str, Any]:
    """The comparison as plain values; what is not bounded from above is null."""
    terms = saving.terms
    return {
        "study": str(saving.study.folder),
        "threshold": terms.threshold,
        "heldout": terms.heldout,
        "strata": list(terms.strata),
        "baseline": terms.baseline,
        "axis": terms.axis,
        "end": saving.end,
        "arms": [_arm(arm) for arm in saving.arms],
        "left_out": list(saving.left_out),
    }


def _arm(arm: ArmSaving) -> dict[str, Any]:
    return {
        "arm": arm.arm,
        "seeds": list(arm.seeds),
        "crossings": [[_finite(c.low), _finite(c.high)] for c in arm.crossings],
        "areas": list(arm.areas),
        "grid": {"steps": arm.grid.steps, "cost": arm.grid.cost},
        "cost_ratio": _ratio(arm.cost),
        "area_ratio": _ratio(arm.area),
        "reading": arm.reading,
        "caveats": list(arm.caveats),
    }


def _ratio(ratio: Ratio | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    interval = None if ratio.interval is None else [_finite(end) for end in ratio.interval]
    return {
        "low": _finite(ratio.low), "high": _finite(ratio.high), "interval": interval, "level": ratio.level,
        "seeds": ratio.seeds, "enough_seeds": ratio.enough,
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
