"""Values to many digits, for what floating point cannot tell apart: tiny values, and sums that cancel.

A difference is worked out twice, to different precisions. Rounding noise shrinks with the precision; a
difference that stays is one. mpmath does the arithmetic, and no power or exponential of more than
`BITS` bits is begun.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness_math.evaluate import CONSTANTS, LOG_BASE, based_value, odd_root, unknown_function
from harness_math.nodes import (
    Add,
    Based,
    CostBound,
    Div,
    Fn,
    Mul,
    Node,
    Num,
    Pm,
    Pow,
    Quantity,
    Sym,
    Unreadable,
)
from harness_math.vocabulary import words

#: Decimal digits of the two evaluations.
DIGITS: Final = (50, 90)
#: A difference that shrinks by this factor from one precision to the other is noise.
NOISE: Final = 1e-20
#: Largest power or exponential, in bits.
BITS: Final = 60_000


def differ(
    gold: Node, prediction: Node, at: Mapping[str, complex], sign: tuple[int, int], relative: float
) -> bool:
    """Whether two values differ by more than `relative` of the larger one.

    Args:
        sign: the choice for the plus-minus of the gold, and of the prediction.
        relative: 0 asks whether they differ at all.

    Raises:
        Unreadable: a part has no value.
        CostBound: a part is too large.
    """
    rough, fine = (_difference(gold, prediction, at, sign, digits) for digits in DIGITS)
    if rough[0] == 0 or fine[0] <= rough[0] * NOISE:
        return False
    return bool(fine[0] > relative * fine[1])


def _difference(
    gold: Node, prediction: Node, at: Mapping[str, complex], sign: tuple[int, int], digits: int
) -> tuple[Any, Any]:
    """The distance of two values and the size of the larger one."""
    context = _context(digits)
    try:
        ours, theirs = (
            context.convert(_value(node, at, choice, context))
            for node, choice in zip((gold, prediction), sign, strict=True)
        )
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise Unreadable(f"undefined: {error}") from None
    return abs(ours - theirs), max(abs(ours), abs(theirs))


@functools.cache
def _context(digits: int) -> Any:
    from mpmath import MPContext

    context = MPContext()
    context.dps = digits
    return context


def _value(node: Node, at: Mapping[str, complex], sign: int, c: Any) -> Any:
    match node:
        case Num(value, _):
            return c.mpf(value.numerator) / value.denominator
        case Sym(name):
            constants = {"pi": c.pi, "e": c.e, "i": c.j}
            return +constants[name] if name in CONSTANTS else c.convert(at[name])
        case Add(terms):
            return sum((_value(term, at, sign, c) for term in terms), c.zero)
        case Mul(factors):
            product = c.one
            for factor in factors:
                product = product * _value(factor, at, sign, c)
            return product
        case Div(top, bottom):
            return _value(top, at, sign, c) / _value(bottom, at, sign, c)
        case Pow(base, exponent):
            return _power(_value(base, at, sign, c), _value(exponent, at, sign, c), exponent, c)
        case Pm(term, choice):
            return sign * choice * _value(term, at, sign, c)
        case Fn(name, args):
            return _function(name, [_value(arg, at, sign, c) for arg in args], at, c)
        case Based(digits, base):
            return c.mpf(based_value(digits, base).numerator) / based_value(digits, base).denominator
        case Quantity(value, _):
            return _value(value, at, sign, c)
    raise Unreadable(type(node).__name__)


def _power(base: Any, exponent: Any, node: Node, c: Any) -> Any:
    if base and abs(exponent) * abs(c.log(abs(base), 2)) > BITS:
        raise CostBound(f"a power of more than {BITS} bits")
    if not base.imag and base.real < 0 and (odd := odd_root(node)):
        size = (-base.real) ** exponent
        return -size if odd < 0 else size
    return base**exponent


#: Functions that grow fast, and the largest argument that they are given.
_STEEP: Final = {"exp": BITS, "cis": BITS, "sinh": BITS, "cosh": BITS, "factorial": 3000}


def _function(name: str, values: list[Any], at: Mapping[str, complex], c: Any) -> Any:
    x = values[0]
    if name == "degree":
        return x * c.pi / 180
    if name == "percent":
        return x / 100
    if name == "log":
        base = values[1] if len(values) > 1 else at.get(LOG_BASE, 0)
        return c.log(x) / c.log(base) if base and base != CONSTANTS["e"] else c.log(x)
    if name == "ratio" and len(values) == 2:
        return x / values[1]
    if name == "binom" and len(values) == 2:
        return c.binomial(x, values[1])
    if name in ("max", "min") and not any(value.imag for value in values):
        return (max if name == "max" else min)(value.real for value in values)
    if name == "mod" and len(values) == 2 and not x.imag and not values[1].imag:
        return x.real - values[1].real * c.floor(x.real / values[1].real)
    if name in ("floor", "ceil") and not x.imag:
        near = c.nint(x.real)
        return near if abs(x.real - near) < 1e-30 else (c.floor if name == "floor" else c.ceil)(x.real)
    if name in _STEEP and abs(x) > _STEEP[name]:
        raise CostBound(f"{name} of a large number")
    function = _ONE.get(name)
    if function is not None and len(values) == 1:
        return function(c, x)
    return unknown_function(name, [complex(value) for value in values])


def _method(name: str) -> Callable[[Any, Any], Any]:
    return lambda context, x: getattr(context, name)(x)


_ONE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **{
        name: _method(name)
        for name in words("sin cos tan cot sec csc asin acos atan sinh cosh tanh coth exp sqrt factorial ln")
    },
    "lg": _method("log10"),
    "cis": lambda c, x: c.exp(c.j * x),
    "acot": lambda c, x: c.pi / 2 - c.atan(x),
    "arcsec": lambda c, x: c.acos(1 / x),
    "arccsc": lambda c, x: c.asin(1 / x),
    "abs": lambda _, x: abs(x),
    "cbrt": lambda c, x: -((-x.real) ** (c.one / 3)) if not x.imag and x.real < 0 else x ** (c.one / 3),
}
