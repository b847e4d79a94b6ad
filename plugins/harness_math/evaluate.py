"""Values of expressions: exact where everything is rational, else complex floating point.

Every operation is priced before it is done. An exact power, factorial or binomial that would need
more than `BITS` bits, or a float that overflows, raises CostBound.
"""

from __future__ import annotations

import cmath
import math
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

from harness_math.nodes import (
    Add,
    Based,
    CostBound,
    Div,
    Fn,
    Inf,
    Mul,
    Node,
    Num,
    Pm,
    Pow,
    Quantity,
    Sym,
    Unreadable,
    substituted,
    walk,
)

#: Largest exact number, in bits of numerator and denominator.
BITS: Final = 1 << 15
#: Most terms of a sum or a product that is written out.
TERMS: Final = 200
#: Most nodes of one that is written out; series inside series multiply.
SERIES_NODES: Final = 5000
SERIES: Final = ("sum", "prod")
#: What the names of bound variables begin with.
BOUND: Final = "#"
CONSTANTS: Final[Mapping[str, complex]] = {"pi": math.pi, "e": math.e, "i": 1j}


class Inexact(Exception):
    """The value is not rational."""


def exact(node: Node) -> Fraction:
    """The rational value of an expression.

    Raises:
        Inexact: it is not rational, or not by arithmetic alone.
        CostBound: it has too many digits.
    """
    match node:
        case Num(value, _):
            return value
        case Based(digits, base):
            return based_value(digits, base)
        case Add(terms):
            return _priced(sum((exact(term) for term in terms), Fraction(0)))
        case Mul(factors):
            product = Fraction(1)
            for factor in factors:
                product = _priced(product * exact(factor))
            return product
        case Div(top, bottom):
            divisor = exact(bottom)
            if divisor == 0:
                raise Inexact("division by zero")
            return _priced(exact(top) / divisor)
        case Pow(base, exponent):
            return _power(exact(base), exact(exponent))
        case Fn(name, args):
            return _exact_function(name, args)
        case Quantity(value, _):
            return exact(value)
    raise Inexact(type(node).__name__)


def based_value(digits: str, base: int) -> Fraction:
    """The value of digits in a base, with or without a point.

    Raises:
        Unreadable: the base is none, or lacks one of the digits.
    """
    if not 2 <= base <= 36:
        raise Unreadable(f"base {base}")
    whole, _, part = digits.partition(".")
    try:
        return Fraction(int(whole + part, base), base ** len(part))
    except ValueError:
        raise Unreadable(f"{digits} in base {base}") from None


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _priced(value: Fraction) -> Fraction:
    if _bits(value) > BITS:
        raise CostBound(f"more than {BITS} bits")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if base in (0, 1) and exponent > 0:
        return base
    if exponent.denominator != 1:
        return _root(base, exponent)
    if abs(exponent) * _bits(base) > BITS:
        raise CostBound(f"a power of more than {BITS} bits")
    if base == 0:
        raise Inexact("zero to a power that is not positive")
    return base ** int(exponent)


def _root(base: Fraction, exponent: Fraction) -> Fraction:
    """A rational root of a rational number, when there is one."""
    degree = exponent.denominator
    if degree > 64 or base < 0:
        raise Inexact("root")
    top, bottom = _integer_root(base.numerator, degree), _integer_root(base.denominator, degree)
    if top is None or bottom is None:
        raise Inexact("root")
    return _power(Fraction(top, bottom), Fraction(exponent.numerator))


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    else:
        if value.bit_length() > 1000:
            return None
        root = round(value ** (1 / degree))
    return root if root**degree == value else None


def _exact_function(name: str, args: tuple[Node, ...]) -> Fraction:
    if name == "factorial":
        value = exact(args[0])
        if value.denominator != 1 or value < 0:
            raise Inexact("factorial of no natural number")
        if value > 3000:
            raise CostBound("a factorial beyond 3000")
        return _priced(Fraction(math.factorial(int(value))))
    if name == "binom" and len(args) == 2:
        above, below = exact(args[0]), exact(args[1])
        if above.denominator != 1 or below.denominator != 1 or above < 0 or below < 0:
            raise Inexact("binomial of no natural numbers")
        if above > BITS:
            raise CostBound("a binomial coefficient of too many digits")
        return Fraction(math.comb(int(above), int(below)))
    if name == "sqrt":
        return _power(exact(args[0]), Fraction(1, 2))
    if name == "percent":
        return exact(args[0]) / 100
    if name in SERIES:
        try:
            return exact(written_out(Fn(name, args)))
        except Unreadable as error:
            raise Inexact(str(error)) from None
    if name == "ratio" and len(args) == 2:
        return exact(Div(args[0], args[1]))
    simple = _EXACT.get(name)
    if simple is None:
        raise Inexact(name)
    return simple([exact(arg) for arg in args])


def _mod(values: list[Fraction]) -> Fraction:
    if len(values) != 2 or values[1] == 0:
        raise Inexact("mod")
    return values[0] % values[1]


def _whole(operation: Callable[..., int]) -> Callable[[list[Fraction]], Fraction]:
    def apply(values: list[Fraction]) -> Fraction:
        if any(value.denominator != 1 for value in values):
            raise Inexact("of whole numbers only")
        return Fraction(operation(*(int(value) for value in values)))

    return apply


_EXACT: Final[Mapping[str, Callable[[list[Fraction]], Fraction]]] = {
    "abs": lambda v: abs(v[0]),
    "floor": lambda v: Fraction(math.floor(v[0])),
    "ceil": lambda v: Fraction(math.ceil(v[0])),
    "max": max,
    "min": min,
    "mod": _mod,
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
}


def written_out(node: Fn) -> Node:
    """A sum or a product as its terms.

    Raises:
        Unreadable: its limits are no whole numbers.
        CostBound: it has too many terms, or too large ones.
    """
    start, end, body, index = node.args
    try:
        first, last = exact(start), exact(end)
    except Inexact:
        raise Unreadable(f"a {node.name} without literal limits") from None
    if first.denominator != 1 or last.denominator != 1:
        raise Unreadable(f"a {node.name} between fractions")
    if last - first >= TERMS:
        raise CostBound(f"a {node.name} of more than {TERMS} terms")
    if (last - first) * len(walk(body)) > SERIES_NODES:
        raise CostBound(f"a {node.name} of too many parts")
    assert isinstance(index, Sym)
    terms = [substituted(body, index.name, Num(Fraction(k))) for k in range(int(first), int(last) + 1)]
    empty = Num(Fraction(0 if node.name == "sum" else 1))
    return Add((empty, *terms)) if node.name == "sum" else Mul((empty, *terms))


def numeric(node: Node, values: Mapping[str, complex], sign: int = 1) -> complex:
    """The value at a point. `sign` is the choice for every plus-minus.

    Raises:
        Unreadable: a part has no value there (undefined, or no number at all).
        CostBound: a part overflows.
    """
    try:
        return complex(_numeric(node, values, sign))
    except OverflowError:
        raise CostBound("too large for floating point") from None
    except (ZeroDivisionError, ValueError) as error:
        raise Unreadable(f"undefined: {error}") from None


def _numeric(node: Node, at: Mapping[str, complex], sign: int) -> complex:
    match node:
        case Num(value, _):
            return float(value)
        case Sym(name):
            return CONSTANTS[name] if name in CONSTANTS else at[name]
        case Add(terms):
            return sum(_numeric(term, at, sign) for term in terms)
        case Mul(factors):
            product: complex = 1.0
            for factor in factors:
                product *= _numeric(factor, at, sign)
            return product
        case Div(top, bottom):
            return _numeric(top, at, sign) / _numeric(bottom, at, sign)
        case Pow(base, exponent):
            return _numeric_power(_numeric(base, at, sign), _numeric(exponent, at, sign), exponent)
        case Pm(term, choice):
            return sign * choice * _numeric(term, at, sign)
        case Fn(name, args):
            return _numeric_function(name, args, at, sign)
        case Based(digits, base):
            return float(based_value(digits, base))
        case Quantity(value, _):
            return _numeric(value, at, sign)
        case Inf():
            return math.inf
    raise Unreadable(type(node).__name__)


def _numeric_power(base: complex, exponent: complex, node: Node) -> complex:
    if isinstance(base, complex) and base.imag == 0:
        base = base.real
    if isinstance(base, float | int) and base < 0 and (odd := odd_root(node)):
        size = (-base) ** exponent
        return -size if odd < 0 else size
    return base**exponent


def odd_root(exponent: Node) -> int:
    """The sign of an odd root of a negative number, which is the real one; 0 for other exponents."""
    if isinstance(exponent, Div):
        top, bottom = exponent.top, exponent.bottom
        if isinstance(top, Num) and isinstance(bottom, Num) and bottom.value % 2 == 1:
            return -1 if top.value % 2 == 1 else 1
    return 0


def _numeric_function(name: str, args: tuple[Node, ...], at: Mapping[str, complex], sign: int) -> complex:
    if name == "degree":
        return _numeric(args[0], at, sign) * math.pi / 180
    if name in SERIES:
        return _numeric(written_out(Fn(name, args)), at, sign)
    values = [_numeric(arg, at, sign) for arg in args]
    if name in ("factorial", "binom", "floor", "ceil", "mod", "gcd", "lcm", "max", "min"):
        return _real_function(name, values)
    if name == "log":
        return cmath.log(values[0]) / cmath.log(values[1] if len(values) > 1 else at.get(LOG_BASE, math.e))
    if name == "ratio":
        if len(values) != 2:
            raise Unreadable("a ratio of more than two terms")
        return values[0] / values[1]
    function = _NUMERIC.get(name)
    if function is not None and len(values) == 1:
        return function(values[0])
    return unknown_function(name, values)


def unknown_function(name: str, values: list[complex]) -> complex:
    """The value of a function that the answer does not define (`f(x)`): some smooth function that only
    this name has, so that it is the same for the same arguments and for no others.

    Raises:
        Unreadable: the name is that of a known function, given too many arguments.
    """
    if not name.startswith((CALL, "prime")):
        raise Unreadable(name)
    seed = zlib.crc32(name.encode())
    total: complex = 1.0
    for i, value in enumerate(values):
        rate, shift = 0.7 + (seed >> 3 * i) % 97 / 61, (seed >> (5 + i)) % 89 / 7 + i
        total += (
            math.cos(rate * value.real + shift)
            + 1j * math.cos(rate * value.imag + shift)
            - 1j * math.cos(shift)
        )
    return total


#: What the names of undefined functions begin with.
CALL: Final = "call "


#: Key of a point that says what `log` without a base means; e when it says nothing.
LOG_BASE: Final = "log base"


def _real_function(name: str, values: list[complex]) -> complex:
    reals = []
    for value in values:
        if isinstance(value, complex):
            if abs(value.imag) > 1e-12 * max(1.0, abs(value)):
                raise Unreadable(f"{name} of a complex number")
            value = value.real
        reals.append(value)
    if name == "factorial":
        return math.gamma(reals[0] + 1)
    if name == "binom" and len(reals) == 2:
        upper, lower = reals
        return math.gamma(upper + 1) / (math.gamma(lower + 1) * math.gamma(upper - lower + 1))
    if name in ("floor", "ceil"):
        near = round(reals[0])
        if abs(reals[0] - near) < 1e-9:
            return near
        return math.floor(reals[0]) if name == "floor" else math.ceil(reals[0])
    if name in ("max", "min"):
        return max(reals) if name == "max" else min(reals)
    if name == "mod" and len(reals) == 2:
        return reals[0] % reals[1]
    whole = [round(value) for value in reals]
    if name in ("gcd", "lcm") and all(abs(a - b) < 1e-9 for a, b in zip(whole, reals, strict=True)):
        return math.gcd(*whole) if name == "gcd" else math.lcm(*whole)
    raise Unreadable(name)


_NUMERIC: Final[Mapping[str, Callable[[complex], complex]]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda z: 1 / cmath.tan(z),
    "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z),
    "asin": cmath.asin,
    "acos": cmath.acos,
    "atan": cmath.atan,
    "acot": lambda z: cmath.pi / 2 - cmath.atan(z),
    "arcsec": lambda z: cmath.acos(1 / z),
    "arccsc": lambda z: cmath.asin(1 / z),
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "coth": lambda z: 1 / cmath.tanh(z),
    "ln": cmath.log,
    "lg": cmath.log10,
    "exp": cmath.exp,
    "cis": lambda z: cmath.exp(1j * z),
    "sqrt": cmath.sqrt,
    "cbrt": lambda z: _numeric_power(z, 1 / 3, Div(Num(Fraction(1)), Num(Fraction(3)))),
    "abs": abs,
    "percent": lambda z: z / 100,
}


def variables(node: Node) -> set[str]:
    """Names that are not constants."""
    return {
        part.name
        for part in walk(node)
        if isinstance(part, Sym) and part.name not in CONSTANTS and not part.name.startswith(BOUND)
    }


def has_sign_choice(node: Node) -> bool:
    return any(isinstance(part, Pm) for part in walk(node))
