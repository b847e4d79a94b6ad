"""Factors of a product: literals, names, powers, functions, fractions, roots, series."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from harness_math.brackets import Brackets
from harness_math.cursor import END
from harness_math.evaluate import BOUND, CALL, TERMS, written_out
from harness_math.lexer import Token
from harness_math.literals import number, repeating, with_period
from harness_math.matrices import determinant
from harness_math.nodes import (
    Based,
    CostBound,
    Div,
    Fn,
    Inf,
    Matrix,
    Mul,
    Node,
    Num,
    Pow,
    Quantity,
    Relation,
    Seq,
    Sym,
    Unreadable,
    Words,
    substituted,
    walk,
)

#: Most tokens of powers, primes and the like behind one value.
MARKS: Final = 200
#: Letters that name functions where brackets follow at once.
_FUNCTION_NAMES: Final = frozenset({"f", "g", "F", "G", "phi", "psi", "Gamma", "zeta"})
_ACCENTS: Final = ("overline", "vec", "hat", "bar", "tilde", "overrightarrow", "dot", "ddot")
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_INVERSE: Final = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot"}


class Factors(Brackets):
    """Reads factors; what stands inside brackets it leaves to `items` and `sum`."""

    def product(self) -> Node:
        """Factors between signs."""
        raise NotImplementedError

    def starts_factor(self) -> bool:
        """Whether a factor begins here without a sign before it."""
        kind, value = self.now.kind, self.now.value
        if kind in ("num", "name", "fn", "begin", "based"):
            return True
        if kind == "cmd":
            return value in ("frac", "sqrt", "binom", "sum", "prod", "det", *_ACCENTS)
        if kind == "op":
            if value == "(":
                return self.peek().value not in ("mod", "bmod")
            if value == "[":
                return not self.outwards
            return value in ("{", "⌊", "⌈") or (value == "|" and self.bars == 0 and self._bar_closes())
        return False

    def _bar_closes(self) -> bool:
        return sum(t.value == "|" for t in self.tokens[self.at :]) % 2 == 0

    def power(self) -> Node:
        node = self.deeper(self.primary)
        start = self.at
        while self.now.kind == "op":
            value = self.now.value
            if self.at - start > MARKS:
                raise CostBound(f"more than {MARKS} marks behind one value")
            if value == "^":
                self.at += 1
                if self.op("°") or (self.op("{") and self.peek().value == "°"):
                    self.degree()
                    if self.now.kind == "name" and self.now.value in ("C", "F"):
                        self.at += 1
                        return Quantity(
                            node, "celsius" if self.tokens[self.at - 1].value == "C" else "fahrenheit"
                        )
                    node = Fn("degree", (node,))
                elif self.op("'", "*") or (self.op("{") and self.peek().value == "'"):
                    node = self.primed(node, self.verbatim())
                elif _ORDINALS & {self.now.value, self.peek().value}:
                    self.verbatim()
                elif isinstance(node, Matrix) and self._transposes():
                    node = Matrix(tuple(zip(*node.rows, strict=True)))
                elif isinstance(node, Seq) and node.left in ("(", "[") and self._transposes():
                    pass  # a row: the column is the same vector
                else:
                    node = Pow(node, self.exponent())
            elif value == "°":
                if self.peek().kind == "name" and self.peek().value in ("C", "F"):
                    self.at += 2
                    return Quantity(
                        node, "celsius" if self.tokens[self.at - 1].value == "C" else "fahrenheit"
                    )
                self.at += 1
                node = Fn("degree", (node,))
            elif value == "!":
                self.at += 1
                node = Fn("factorial", (node,))
            elif value == "%":
                self.at += 1
                node = Fn("percent", (node,))
            elif value == "_" and isinstance(node, Num | Words):
                self.at += 1
                node = self.based(node)
            elif value in ("'", '"'):
                marks = ""
                while mark := self.accept("'", '"'):
                    marks += "'" if mark == "'" else "''"
                node = self.primed(node, marks)
            else:
                return node
        return node

    def _transposes(self) -> bool:
        """Passes over the exponent of a transpose, where one stands here."""
        braced = self.op("{") and self.peek(2).value == "}"
        mark = self.peek() if braced else self.now
        if mark.kind not in ("name", "cmd") or mark.value not in ("T", "t", "top", "intercal"):
            return False
        self.at += 3 if braced else 1
        return True

    def primed(self, node: Node, marks: str) -> Node:
        """Primes behind a name are part of it (and of the function that it names); behind a number they
        are feet and inches, or minutes and seconds of arc."""
        if isinstance(node, Sym):
            return self.called(node.name + marks)
        if isinstance(node, Num) and marks in ("'", "''"):
            return Quantity(node, "′" if marks == "'" else "″")
        return Fn(f"prime{marks}", (node,))

    def called(self, name: str) -> Node:
        """A name, or the function that it names applied to what stands in brackets behind it."""
        if name == "C" and self.op("(") and self.peek().kind == "num":
            inner = self.deeper(self.primary)
            if isinstance(inner, Seq) and len(inner.items) == 2 and inner.left == "(":
                return Fn("binom", inner.items)  # C(6, 2)
            return Mul((Sym(name), inner))
        if name.rstrip("'") in _FUNCTION_NAMES and self.op("(") and not self.now.spaced:
            inner = self.deeper(self.primary)
            several = isinstance(inner, Seq) and inner.left == "("
            return Fn(CALL + name, inner.items if isinstance(inner, Seq) and several else (inner,))
        return Sym(name)

    def degree(self) -> None:
        braced = self.accept("{")
        self.expect("°")
        if braced:
            self.expect("}")

    def exponent(self) -> Node:
        if self.op("-", "+"):
            negative = self.accept("-", "+") == "-"
            node = self.deeper(self.exponent)
            return negate(node) if negative else node
        if self.op("{"):
            return self.argument()
        node = self.deeper(self.primary)
        if self.accept("^"):
            node = Pow(node, self.deeper(self.exponent))
        elif self.accept("!"):
            node = Fn("factorial", (node,))
        return node

    def based(self, node: Num | Words) -> Node:
        base = self.argument()
        if isinstance(base, Num) and isinstance(node, Num) and node.decimals is not None:
            raise Unreadable("a decimal with a subscript")
        digits = node.text.upper() if isinstance(node, Words) else str(node.value)
        if not isinstance(base, Num) or base.value.denominator != 1 or not digits.isalnum():
            raise Unreadable("a base that is no number")
        return Based(digits, int(base.value))

    def argument(self) -> Node:
        """A LaTeX argument: a group, or the next single digit, letter or command."""
        if self.accept("{"):
            node = self.deeper(self.items)
            self.expect("}")
            return node
        token = self.now
        if token.kind == "num" and token.value.isdigit() and len(token.value) > 1:
            self.tokens[self.at] = Token("num", token.value[1:])
            return number(token.value[0])
        return self.deeper(self.primary)

    def verbatim(self) -> str:
        """The source of an argument that is part of a name: a subscript, what stands under an accent."""
        if not self.op("{"):
            self.at += 1
            return self.tokens[self.at - 1].value if self.at <= len(self.tokens) else ""
        depth, parts = 0, list[str]()
        while self.now is not END:
            depth += self.op("{") - self.op("}")
            if self.now.value not in ("{", "}"):
                parts.append(self.now.value)
            self.at += 1
            if depth == 0:
                return "".join(parts)
        raise Unreadable("a group that does not end")

    def primary(self) -> Node:
        token = self.now
        self.at += 1
        match token.kind:
            case "num":
                return self.literal(token.value)
            case "name":
                return self.symbol(token.value)
            case "fn":
                return self.function(token.value)
            case "cmd":
                return self.command(token.value)
            case "begin":
                return self.environment(token.value)
            case "based":
                digits, _, base = token.value.partition(" ")
                return Based(digits, int(base))
            case "word":
                return Words(plain_words(token.value))
            case "unit":
                # A letter in upright font that stands where a value is expected is that letter.
                if len(token.value) == 1 and token.value.isalpha():
                    return Sym(token.value)
                raise Unreadable("a unit without a value")
            case "op":
                return self.bracketed(token.value)
        raise Unreadable("the answer ends too early")

    def literal(self, text: str) -> Node:
        if self.now.value == "…" and "." in text:
            self.at += 1
            return repeating(text)
        if (
            self.now.kind == "cmd"
            and self.now.value in ("overline", "dot")
            and not self.now.spaced
            and "." in text
        ):
            return Num(with_period(text, self.period()))
        return number(text)

    def period(self) -> str:
        """The digits under a bar, or from the first dotted one to the last."""
        dotted = self.now.value == "dot"
        self.at += 1
        digits = self.verbatim()
        if dotted and self.now.kind == "num" and self.peek()[:2] == ("cmd", "dot"):
            digits += self.now.value
            self.at += 2
            digits += self.verbatim()
        elif dotted and self.now[:2] == ("cmd", "dot"):
            self.at += 1
            digits += self.verbatim()
        if not digits.isdigit():
            raise Unreadable("a period that is no number")
        return digits

    def symbol(self, name: str) -> Node:
        if name == "∞":
            return Inf()
        if self.op("_"):
            self.at += 1
            return Sym(f"{name}_{self.verbatim()}")
        return self.called(name)

    def function(self, name: str) -> Node:
        name = _INVERSE.get(name, name)
        power: Node | None = None
        base: Node | None = None
        while self.op("^", "_"):
            if self.accept("^"):
                power = self.exponent()
            else:
                self.at += 1
                base = self.argument()
        if power == Num(Fraction(-1)) or power == Mul((Num(Fraction(-1)), Num(Fraction(1)))):
            name, power = "a" + name, None
        if self.op("(", "{"):
            inner = self.deeper(self.primary)
            args = inner.items if isinstance(inner, Seq) and inner.left in ("", "(") else (inner,)
        elif name in ("max", "min", "gcd", "lcm") and self.accept("\\{"):
            inner = self.set()
            args = inner.items if isinstance(inner, Seq) else (inner,)
        else:
            args = (self.deeper(self._bare_argument),)
        args = tuple(_angle(arg) for arg in args)
        node: Node = Fn(name, (*args, base) if base is not None else args)
        return node if power is None else Pow(node, power)

    def _bare_argument(self) -> Node:
        """What a function without brackets applies to: factors up to the next sign or function."""
        if self.now.kind == "fn":
            return self.power()
        negative = self.accept("-") is not None
        node = self.power()
        while self.starts_factor() and self.now.kind != "fn" and not self.op("("):
            node = Mul((node, self.power()))
        if self.op("/") and self.peek().kind in ("num", "name"):
            self.at += 1
            node = Div(node, self.power())
        return negate(node) if negative else node

    def command(self, name: str) -> Node:
        if name == "frac":
            top = self.argument()
            return Div(top, self.argument())
        if name == "binom":
            top = self.argument()
            return Fn("binom", (top, self.argument()))
        if name == "sqrt":
            if self.accept("["):
                degree = self.items()
                self.expect("]")
                return Pow(self.argument(), Div(Num(Fraction(1)), degree))
            # `sqrt13` in plain text is the root of thirteen; `\sqrt13` hardly ever means anything else.
            inner = self.deeper(self.primary) if self.op("(") or self.now.kind == "num" else self.argument()
            return Fn("sqrt", (inner,))
        if name in ("sum", "prod"):
            return self.series(name)
        if name == "det":
            inner = self.deeper(self.primary)
            if not isinstance(inner, Matrix):
                raise Unreadable("the determinant of no matrix")
            return determinant(inner.rows) or Fn("det", (inner,))
        if name in _ACCENTS:
            start = self.at
            self.argument()
            return Sym(
                name + " " + "".join(t.value for t in self.tokens[start : self.at] if t.value not in "{}")
            )
        raise Unreadable(f"\\{name}")

    def series(self, name: str) -> Node:
        """A sum or product: written out between literal limits, else kept with its limits."""
        self.expect("_")
        start = self.argument()
        self.expect("^")
        end = self.argument()
        if not isinstance(start, Relation) or start.ops != ("=",) or not isinstance(start.members[0], Sym):
            raise Unreadable(f"a {name} without an index")
        index, first = start.members[0].name, start.members[1]
        body = self.deeper(self.product)
        kept = (first, end, substituted(body, index, Sym(BOUND + index)), Sym(BOUND + index))
        if not isinstance(first, Num) or not isinstance(end, Num):
            if any(isinstance(part, Inf) for limit in (first, end) for part in walk(limit)):
                raise Unreadable(f"an infinite {name}")
            return Fn(name, kept)
        if end.value - first.value >= TERMS:
            raise CostBound(f"a {name} of more than {TERMS} terms")
        return written_out(Fn(name, kept))


def _angle(node: Node) -> Node:
    """Degrees are part of the value where a function takes it."""
    if isinstance(node, Quantity) and node.unit == "degree":
        return Fn("degree", (node.value,))
    return node


def negate(node: Node) -> Node:
    if isinstance(node, Num):
        return Num(-node.value, node.decimals)
    if isinstance(node, Quantity):
        return Quantity(negate(node.value), node.unit)
    return Mul((Num(Fraction(-1)), node))


def plain_words(text: str) -> str:
    return " ".join(re.sub(r"[^\w+\-/^%'.]", " ", text.lower()).split()).strip(". ")
