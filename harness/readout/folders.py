"""Where studies and runs are, and how far they are, without reading whole ledgers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.errors import UNPARSABLE, DataError, LedgerError, RecipeError, counted
from harness.contract.records import convert
from harness.recipe.load import override_value
from harness.recording.ledger import Head, last_line


def run_folders(study: Path) -> list[tuple[str, int, Path]]:
    """(arm, seed, folder) of a study's runs, planned ones included, arms in the recipe's order.

    Raises:
        LedgerError: `study.json` or `recipe.toml` cannot be read.
    """
    folders = {}
    for arm, seed in _plan(study).get("runs", ()):
        folders[str(arm), int(seed)] = study / str(arm) / f"seed-{seed}"
    for ledger in study.glob("*/seed-*/ledger.jsonl"):
        seed = ledger.parent.name.removeprefix("seed-")
        if seed.lstrip("-").isdigit():
            folders[ledger.parent.parent.name, int(seed)] = ledger.parent
    order = {name: i for i, name in enumerate(arms_of(study))}
    rows = [(arm, seed, folder) for (arm, seed), folder in folders.items()]
    return sorted(rows, key=lambda f: (order.get(f[0], len(order)), f[0], f[1]))


def recipe_of(study: Path) -> dict[str, Any]:
    """The values of the recipe that a study keeps, its overrides applied; only the recipe's name
    if it keeps no recipe."""
    plan, path = _plan(study), study / "recipe.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {"name": plan["recipe"]} if isinstance(plan.get("recipe"), str) else {}
    except UNPARSABLE as error:
        raise LedgerError(f"not TOML: {error}", where=str(path)) from None
    for override in plan.get("overrides", ()):
        try:
            values = override_value(values, override)
        except RecipeError as error:
            raise LedgerError(error.what, where=str(study / "study.json")) from None
    return values


class _Plan(msgspec.Struct):
    """What is read of a study's plan, as far as it is there."""

    runs: list[tuple[str, int]] = []
    recipe: Any = None
    overrides: list[str] = []


def _plan(study: Path) -> dict[str, Any]:
    """What `study.json` says; {} without one."""
    path = study / "study.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UNPARSABLE as error:
        raise LedgerError(f"not JSON: {error}", where=str(path)) from None
    try:
        convert(values, _Plan)
    except DataError as error:
        raise LedgerError(error.what, where=str(path)) from None
    return dict(values)


def arms_of(study: Path) -> dict[str, str]:
    """What each arm of a study is there to show, in the recipe's order."""
    arms = recipe_of(study).get("arms", [])
    named = [arm for arm in arms if isinstance(arm, dict)] if isinstance(arms, list) else []
    return {str(arm["name"]): str(arm.get("about", "")) for arm in named if "name" in arm}


def studies(root: Path) -> Iterator[Path]:
    """Folders under `root` that hold a study, oldest first."""
    if root.is_dir():
        folders = [
            p for p in root.iterdir() if p.is_dir() and ((p / "study.json").is_file() or run_folders(p))
        ]
        yield from sorted(folders, key=lambda p: (p.stat().st_mtime, p.name))


@dataclass(frozen=True, slots=True)
class Glance:
    """A study's state without reading whole ledgers."""

    arms: list[str]
    seeds: list[int]
    state: str
    #: What the newest ledger's last line says.
    doing: str


def glance(folder: Path) -> Glance:
    """How far a study is, from the ends of its ledgers."""
    folders = run_folders(folder)
    tails = [(path / "ledger.jsonl", last_line(path / "ledger.jsonl")) for _, _, path in folders]
    done = sum(tail.get("t") == "finished" for _, tail in tails)
    if not folders:
        state = "empty"
    else:
        state = "finished" if done == len(folders) else f"{done} of {counted(len(folders), 'run')} finished"
    doing = ""
    if tails and done < len(folders):
        begun = [(path, tail) for path, tail in tails if tail and tail.get("t") != "finished"]
        if begun:
            path, tail = max(begun, key=lambda item: item[0].stat().st_mtime)
            doing = f"{path.parent.parent.name}/{path.parent.name}: {_in_words(tail)}"
    return Glance(
        list(dict.fromkeys(a for a, _, _ in folders)), sorted({s for _, s, _ in folders}), state, doing
    )


def _in_words(line: dict[str, Any]) -> str:
    kind = line.get("t", "nothing yet")
    try:
        place = convert(line, Head).place if kind in ("step", "group") else None
    except DataError:
        place = None
    if place is not None:
        return f"{place[0]} step {place[1]}"
    return f"{kind} {line.get('stage') or line.get('name') or ''}".strip()
