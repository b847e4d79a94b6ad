"""How numbers are written for people: shares, counts, times. A thin space stands before a unit."""

from __future__ import annotations

from collections.abc import Mapping


def percent(share: float | None, digits: int = 1) -> str:
    """A share as percent: 80.7 %, or 81 % with no `digits`; a dash for what was not measured."""
    return "–" if share is None or share != share else f"{100 * share:.{digits}f}\u2009%"


def count(number: float) -> str:
    """A count with separators, 40,960; from a million on three digits with a unit, 6.64 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:#.3g}".rstrip(".") + f"\u2009{unit}"
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f}\u2009s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}\u2009s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}\u2009min" + (f" {rest}\u2009s" if rest else "")
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours}\u2009h" + (f" {minutes}\u2009min" if minutes else "")


def dollars(amount: float) -> str:
    """US dollars: $12.40, or $0.0031 of less than a cent's precision."""
    return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.2g}"


def sources(samples: Mapping[str, int], most: int = 4) -> str:
    """Who answered how many samples, most first: `fast 1,200, careful 80`."""
    ordered = sorted(samples.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name} {count(number)}" for name, number in ordered[:most]]
    return ", ".join([*named, f"{len(ordered) - most} more"] if len(ordered) > most else named)
