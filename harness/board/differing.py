"""What keeps the tables of one benchmark apart: the conditions that their scores were made under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.board.entry import Entry

#: Hashes and numbers that follow from the other fields of a profile: told if nothing else differs.
_DERIVED: Final = frozenset({"hash", "data_sha"})
#: Differences that a table is told by; further ones are counted.
MOST: Final = 5


def conditions(entry: Entry) -> dict[str, str]:
    """What must agree for two scores to be comparable, by name in a reader's words."""
    b = entry.benchmark
    made = {
        "benchmark version": b.version,
        "problems": f"{b.problems:,}",
        "metric": entry.score.metric,
        "verifier": ", ".join(f"{name} {sha[:8]}" for name, sha in sorted(entry.verifiers.items())),
        "answers": "made here" if entry.source is None else f"published by others: {entry.source.title}",
        "source's commit": entry.source.commit[:12] if entry.source else "",
    }
    for path, value in _flat(b.profile):
        if path not in _DERIVED:
            made["profile" if path == "name" else path] = value
    # Last, so that they are told only if nothing before them differs.
    made["choice of problems"] = b.problems_sha[:8]
    made["hash of the profile"] = b.profile_sha[:8]
    return made


def differences(tables: Sequence[Entry]) -> list[dict[str, str]]:
    """Per table, by one of its entries, the conditions that are not the same in all of them."""
    told = [conditions(entry) for entry in tables]
    names = list(dict.fromkeys(name for made in told for name in made))
    differing = [name for name in names if len({made.get(name, "") for made in told}) > 1]
    hashes = ("choice of problems", "hash of the profile")
    said = [name for name in differing if name not in hashes]
    if len({tuple(made.get(name, "") for name in said) for made in told}) == len(told):
        differing = said
    return [{name: made.get(name, "") or "not stated" for name in differing} for made in told]


def in_words(differing: Mapping[str, str]) -> str:
    """A table's differing conditions in one line."""
    shown = [f"{name} {value}" for name, value in list(differing.items())[:MOST]]
    more = len(differing) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", "none" if value is None else str(value)
