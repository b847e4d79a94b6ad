"""Factors of a product: literals, names, powers, functions, fractions, roots, matrices, brackets."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from harness_math.cursor import END, Cursor
from harness_math.lexer import Token
from harness_math.nodes import (
    Add,
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
#: Most terms of a sum or a product that is written out.
TERMS: Final = 200
#: Most nodes of one that is written out; series inside series multiply.
SERIES_NODES: Final = 5000
_ACCENTS: Final = ("overline", "vec", "hat", "bar", "tilde", "overrightarrow", "dot", "ddot")
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_INVERSE: Final = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}


class Factors(Cursor):
    """Reads factors; what stands inside brackets it leaves to `items` and `sum`."""

    def items(self) -> Node:
        """Items between separators."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Terms between signs."""
        raise NotImplementedError

    def product(self) -> Node:
        """Factors between signs."""
        raise NotImplementedError

    def starts_factor(self) -> bool:
        """Whether a factor begins here without a sign before it."""
        kind, value = self.now.kind, self.now.value
        if kind in ("num", "name", "fn", "begin"):
            return True
        if kind == "cmd":
            return value in ("frac", "sqrt", "binom", "sum", "prod", *_ACCENTS)
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
                    node = Fn("degree", (node,))
                elif self.op("'", "*") or (self.op("{") and self.peek().value == "'"):
                    self.verbatim()
                    node = Fn("prime", (node,))
                elif _ORDINALS & {self.now.value, self.peek().value}:
                    self.verbatim()
                elif self.now.kind == "name" and self.now.value in ("T", "t") and isinstance(node, Matrix):
                    self.at += 1
                    node = Matrix(tuple(zip(*node.rows, strict=True)))
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
            elif value == "!" and self.peek().value != "=":
                self.at += 1
                node = Fn("factorial", (node,))
            elif value == "%":
                self.at += 1
                node = Fn("percent", (node,))
            elif value == "_" and isinstance(node, Num | Words):
                self.at += 1
                node = self.based(node)
            elif value == "'":
                self.at += 1
                node = Fn("prime", (node,))
            else:
                return node
        return node

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
        elif self.op("!") and self.peek().value != "=":
            self.at += 1
            node = Fn("factorial", (node,))
        return node

    def based(self, node: Num | Words) -> Node:
        base = self.argument()
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
        depth, found = 0, []
        while self.now is not END:
            depth += self.op("{") - self.op("}")
            if self.now.value not in ("{", "}"):
                found.append(self.now.value)
            self.at += 1
            if depth == 0:
                return "".join(found)
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
        if self.now.value == "…":
            self.at += 1  # a decimal that goes on
        following = self.now
        if following.kind == "cmd" and following.value == "overline" and not following.spaced and "." in text:
            self.at += 1
            if (period := self.argument()) and isinstance(period, Num) and period.decimals is None:
                digits = self._digits_of_last_group()
                places = len(text.split(".")[1])
                return Num(Fraction(text + "0") + Fraction(int(digits), 10**places * (10 ** len(digits) - 1)))
            raise Unreadable("a period that is no number")
        return number(text)

    def _digits_of_last_group(self) -> str:
        i = self.at - 1
        while self.tokens[i].kind != "num":
            i -= 1
        return self.tokens[i].value

    def symbol(self, name: str) -> Node:
        if name == "∞":
            return Inf()
        if self.op("_"):
            self.at += 1
            return Sym(f"{name}_{self.verbatim()}")
        return Sym(name)

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
        else:
            args = (self.deeper(self._bare_argument),)
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
        if name in _ACCENTS:
            start = self.at
            self.argument()
            return Sym(
                name + " " + "".join(t.value for t in self.tokens[start : self.at] if t.value not in "{}")
            )
        raise Unreadable(f"\\{name}")

    def series(self, name: str) -> Node:
        """A sum or product between literal limits, written out."""
        self.expect("_")
        start = self.argument()
        self.expect("^")
        end = self.argument()
        match start, end:
            case Relation((Sym(index), Num(first, None)), ("=",)), Num(last, None):
                if last - first >= TERMS:
                    raise CostBound(f"a {name} of more than {TERMS} terms")
            case _:
                raise Unreadable(f"a {name} without literal limits")
        body = self.deeper(self.product)
        if (last - first) * len(walk(body)) > SERIES_NODES:
            raise CostBound(f"a {name} of too many parts")
        terms = [substituted(body, index, Num(Fraction(k))) for k in range(int(first), int(last) + 1)]
        return Add(tuple(terms)) if name == "sum" else Mul(tuple(terms))

    def environment(self, name: str) -> Node:
        if not (
            name.rstrip("*").endswith("matrix") or name in ("array", "cases", "aligned", "align*", "align")
        ):
            raise Unreadable(f"environment {name}")
        rows: list[tuple[Node, ...]] = []
        row: list[Node] = []
        while True:
            if self.now.kind == "end" and self.now.value:
                self.at += 1
                break
            if self.now.value == "hline":
                self.at += 1
                continue
            row.append(self.deeper(self.items))
            self.accept(".")
            if self.accept("&"):
                continue
            if row:
                rows.append(tuple(row))
                row = []
            if not self.accept("\\\\") and not (self.now.kind == "end" and self.now.value):
                raise Unreadable("a matrix that does not end")
        if row:
            rows.append(tuple(row))
        if not rows or len({len(r) for r in rows}) != 1:
            raise Unreadable("a matrix whose rows differ in length")
        matrix = Matrix(tuple(rows))
        return Fn("det", (matrix,)) if name == "vmatrix" else matrix

    def bracketed(self, symbol: str) -> Node:
        if symbol in ("(", "["):
            return self.sequence(symbol)
        if symbol == "]":
            return self.outward()
        if symbol == "{":
            if self.accept("}"):
                return self.deeper(self.primary)
            node = self.deeper(self.items)
            self.expect("}")
            return node
        if symbol == "\\{":
            return self.set()
        if symbol == "|":
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            self.expect("|")
            return Fn("abs", (node,))
        if symbol == "<<":
            node = self.items()
            self.expect(">>")
            return Seq("<", ">", node.items if isinstance(node, Seq) and not node.left else (node,))
        if symbol in ("⌊", "⌈"):
            node = self.sum()
            self.expect("⌋" if symbol == "⌊" else "⌉")
            return Fn("floor" if symbol == "⌊" else "ceil", (node,))
        raise Unreadable(f"unexpected {symbol!r}")

    def sequence(self, left: str) -> Node:
        bars, self.bars = self.bars, 0
        node = self.deeper(self.items)
        self.bars = bars
        right = self.accept(")", "]")
        if right is None:
            raise Unreadable("brackets that do not close")
        several = isinstance(node, Seq) and not node.left
        if not several:
            if left + right not in ("()", "[]"):
                raise Unreadable("one item between brackets of two kinds")
            return node
        items = node.items if isinstance(node, Seq) and several else (node,)
        return Seq(left, right, items)

    def outward(self) -> Node:
        """`]a, b[`, the open interval of many countries; either end may be closed."""
        self.outwards = True
        node = self.deeper(self.items)
        self.outwards = False
        right = self.accept("[", "]")
        if right is None or not (isinstance(node, Seq) and not node.left and len(node.items) == 2):
            raise Unreadable("brackets that open outwards around no two ends")
        return Seq("(", ")" if right == "[" else "]", node.items)

    def set(self) -> Node:
        if self.accept("\\}"):
            return Sym("∅")
        node = self.deeper(self.items)
        if self.accept("mid", "|", ":"):
            # {x | condition}: the condition is the answer.
            node = self.deeper(self.items)
            self.expect("\\}")
            return node
        self.expect("\\}")
        return Seq("{", "}", node.items if isinstance(node, Seq) and not node.left else (node,))


def number(text: str) -> Num:
    """A literal: an integer, a decimal, or either with a power of ten (`1.5e-3`)."""
    if "e" in text or "E" in text:
        if len(text.lower().partition("e")[2]) > 5:
            raise CostBound(f"{text}: a power of ten of more than four digits")
        return Num(Fraction(text))
    if "." in text:
        decimals = len(text.partition(".")[2])
        return Num(Fraction(text + "0"), decimals if decimals else None)
    return Num(Fraction(int(text)))


def negate(node: Node) -> Node:
    if isinstance(node, Num):
        return Num(-node.value, node.decimals)
    if isinstance(node, Quantity):
        return Quantity(negate(node.value), node.unit)
    return Mul((Num(Fraction(-1)), node))


def plain_words(text: str) -> str:
    return " ".join(re.sub(r"[^\w+\-/^%'.]", " ", text.lower()).split()).strip(". ")
