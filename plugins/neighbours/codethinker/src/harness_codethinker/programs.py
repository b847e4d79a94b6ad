"""Programs over one or two variables, numbered: every number of a pattern is another program.

A pattern says of which kinds the statements are, in order. Each kind has a fixed number of forms, whatever
the variables hold, and every form leaves them within 0 to 9 and changes its target. So a program's number is
written in mixed radix, and no two numbers give the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final, Literal, get_args

from harness_tasks.permutation import permute

#: `a=b+4`; the same under a condition on one line; a loop of two turns.
Statement = Literal["assign", "if", "loop"]
STATEMENTS: Final[tuple[Statement, ...]] = get_args(Statement)
Split = Literal["train", "heldout"]

NAMES: Final = ("a", "b")
#: Values of a variable.
DIGITS: Final = 10
#: Every character of a program, a trace and an answer.
CHARACTERS: Final = "\n ()+,-0123456789:=>abfinoprt"


def patterns(kinds: Sequence[Statement], length: int) -> list[tuple[Statement, ...]]:
    """Every order in which so many statements of these kinds may stand."""
    return list(product(kinds, repeat=length))


def forms(kind: Statement, variables: int) -> int:
    """How many statements of a kind there are."""
    assignments = variables**2 * (DIGITS - 1)
    return {"assign": assignments, "if": variables * DIGITS * assignments, "loop": variables}[kind]


def contents(pattern: Sequence[Statement], variables: int) -> int:
    """How many programs of a pattern there are."""
    total: int = DIGITS**variables * variables
    for kind in pattern:
        total *= forms(kind, variables)
    return total


def dealt(pattern: Sequence[Statement], variables: int, split: Split, position: int, seed: int) -> int:
    """The number of the program at a position of a split.

    A fixed permutation of the numbers is the split: its lower half is held out. Each half is dealt in an
    order that the seed gives, without repeats until it is exhausted.
    """
    half, name = contents(pattern, variables) // 2, f"{variables}/{'/'.join(pattern)}"
    lap, place = divmod(position, half)
    rank = permute(place, half, "codethinker", "order", name, split, seed, lap)
    return permute(rank + half * (split == "train"), 2 * half, "codethinker", "split", name)


def program(pattern: Sequence[Statement], variables: int, number: int) -> str:
    """The text of a program.

    Args:
        number: in [0, contents(pattern, variables)).
    """
    values = {}
    for name in NAMES[:variables]:
        number, values[name] = divmod(number, DIGITS)
    lines = [f"{name}={value}" for name, value in values.items()]
    for kind in pattern:
        number, form = divmod(number, forms(kind, variables))
        lines += _statement(kind, form, values)
    return "\n".join([*lines, f"print({NAMES[number]})"]) + "\n"


def _statement(kind: Statement, form: int, values: dict[str, int]) -> list[str]:
    """A statement's lines; `values` become what it leaves."""
    names = tuple(values)
    if kind == "loop":
        name = names[form]
        # The loop adds 1 and 2, or takes them away.
        sign, change = ("+", 3) if values[name] + 3 < DIGITS else ("-", -3)
        values[name] += change
        return ["for i in 1,2:", f" {name}={name}{sign}i"]
    if kind == "if":
        form, threshold = divmod(form, DIGITS)
        form, tested = divmod(form, len(names))
        taken = values[names[tested]] > threshold
        return [f"if {names[tested]}>{threshold}:", f" {_assignment(form, values, taken=taken)}"]
    return [_assignment(form, values, taken=True)]


def _assignment(form: int, values: dict[str, int], *, taken: bool) -> str:
    form, result = divmod(form, DIGITS - 1)
    names = tuple(values)
    target, source = (names[i] for i in divmod(form, len(names)))
    # Any digit but the target's own.
    result += result >= values[target]
    change = result - values[source]
    if taken:
        values[target] = result
    return f"{target}={source}{'+' if change >= 0 else '-'}{abs(change)}"
