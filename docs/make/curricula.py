"""The tables of reference/curricula.md: what each curriculum does, and its rank in the simulation."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOT_MEASURED = "not measured"


def rows() -> Iterator[str]:
    """A row per curriculum: rule, state, needs, claim, and its ratio in the simulation."""
    told = tomllib.loads((HERE / "curricula.toml").read_text(encoding="utf-8"))
    tables = measured()
    yield "| curriculum | rule | state | needs | published claim | simulated ratio: problems, strata |"
    yield "|---|---|---|---|---|---|"
    for name, row in told.items():
        source = f"[{row['arxiv']}](https://arxiv.org/abs/{row['arxiv']})" if row["arxiv"] else ""
        ratios = [ratio(tables, ground, name) for ground in ("problems", "strata")]
        both = NOT_MEASURED if set(ratios) == {NOT_MEASURED} else "; ".join(ratios)
        cells = [
            f"`{name}` {source}".strip(),
            *(row[part] for part in ("rule", "state", "needs", "claim")),
            both,
        ]
        yield f"| {' | '.join(cells)} |"


def ranking() -> Iterator[str]:
    """The ranking of each ground, the fewest rollouts first."""
    for ground, table in measured().items():
        students = [float(student) for student in table["students"]]
        yield f"### On {ground}"
        yield ""
        heads = [f"median, ability {student:+g}" for student in students]
        yield "| " + " | ".join(["curriculum", "crossed", "ratio to uniform", "95 % interval", *heads]) + " |"
        yield "|" + "---|" * (4 + len(heads))
        for row in table["rows"]:
            crossed = "{} of {}".format(*row["crossed"])
            medians = [bounds(ends, ",.0f") for ends in row["by_student"].values()]
            cells = [f"`{row['arm']}`", crossed, bounds(row["ratio"], ".2f"), interval(row), *medians]
            yield "| " + " | ".join(cells) + " |"
        yield ""


def measured() -> Mapping[str, Any]:
    path = HERE / "curricula.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def ratio(tables: Mapping[str, Any], ground: str, arm: str) -> str:
    table = tables.get(ground, {"rows": []})
    row = next((row for row in table["rows"] if row["arm"] == arm), None)
    return NOT_MEASURED if row is None else f"{bounds(row['ratio'], '.2f')} ({interval(row)})"


def bounds(ends: Sequence[float | None], form: str) -> str:
    """A number, or what is known of it."""
    low, high = ends
    if low == high:
        return format(low, form)
    return f"above {format(low, form)}" if high is None else f"{format(low, form)} to {format(high, form)}"


def interval(row: Mapping[str, Any]) -> str:
    if row["interval"] is None:
        return "–"
    low, high = row["interval"]
    return f"{low:.2f} to {'–' if high is None else format(high, '.2f')}"
