"""From tokens to the tree: recursive descent over what answers look like.

A whole answer is items between commas, `and`, `or`; an item is a chain of relations between sums; a
sum may carry a unit. What does not fit is `Opaque`, but the last member of a chain of equations is
read even where the others cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

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
    Opaque,
    Pm,
    Pow,
    Quantity,
    Relation,
    Seq,
    Sym,
    Union,
    Unreadable,
    Without,
    Words,
)
from harness_math.units import Unit
from harness_math.units import unit as known_unit

#: Deepest nesting read; one level of brackets takes four.
DEPTH: Final = 120
#: Most factors of one product, and most tokens of powers, primes and the like behind one value.
FACTORS: Final = 100
MARKS: Final = 200
RELATIONS: Final = frozenset({"=", "<", ">", "<=", ">=", "!=", "~", "in", "->"})
_SEPARATORS: Final = frozenset({",", ";", "and", "or"})
_CLOSERS: Final = frozenset({")", "]", "}", "\\}", "|", ">>", "⌋", "⌉", "mid", "&", "\\\\"})
_FILLERS: Final = frozenset(
    {"approximately", "about", "exactly", "roughly", "the", "is", "equals", "are", "answer"}
)
_INVERSE: Final = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
_ACCENTS: Final = ("overline", "vec", "hat", "bar", "tilde", "overrightarrow", "underline", "dot", "ddot")
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_END: Final = Token("end", "")


def parse(tokens: list[Token], source: str) -> Node:
    """The tree of an answer; `Opaque(source)` when it cannot be read.

    Raises:
        CostBound: it nests deeper than is read.
    """
    if not tokens:
        return Opaque(source)
    try:
        return _Parser(tokens).whole()
    except Unreadable:
        return _last_member(tokens, source)


def _last_member(tokens: list[Token], source: str) -> Node:
    """A chain whose last member alone can be read: `lim ... = 1`."""
    depth = 0
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token.kind in ("op", "begin", "end"):
            depth += (token.value in ")]}" or token.kind == "end") - (
                token.value in "([{" or token.kind == "begin"
            )
        if token.value == "=" and depth == 0:
            try:
                return Relation((Opaque(source), _Parser(tokens[i + 1 :]).whole()), ("=",))
            except Unreadable:
                break
    return Opaque(source)


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth, self.bars = tokens, 0, 0, 0
        #: Whether an open bracket closes what is being read.
        self.outwards = False

    # Reading tokens ------------------------------------------------------------------------------

    @property
    def now(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else _END

    def op(self, *values: str) -> bool:
        """Whether the current token is one of these operators."""
        return self.now.kind == "op" and self.now.value in values

    def accept(self, *values: str) -> str | None:
        if self.op(*values):
            self.at += 1
            return self.tokens[self.at - 1].value
        return None

    def expect(self, value: str) -> None:
        if not self.accept(value):
            raise Unreadable(f"expected {value} at {self.now.value!r}")

    def deeper(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEPTH:
            raise CostBound(f"nested deeper than {DEPTH}")
        node = read()
        self.depth -= 1
        return node

    # Answers -------------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self.items()
        while self.accept(".", ",", ";", "?", "!"):
            pass
        if self.now is not _END:
            raise Unreadable(f"left over: {self.now.value!r}")
        return node

    def items(self) -> Node:
        """Items between separators; one item is itself, several are a bare list."""
        found = [self.deeper(self.item)]
        alternatives = False
        while self.op(*_SEPARATORS):
            before = self.at
            words = set()
            while (word := self.accept(*_SEPARATORS)) is not None:
                words.add(word)
            if self.now is _END or self.op(".", *_CLOSERS):
                if "and" in words or "or" in words:
                    self.at = before
                break
            alternatives = alternatives or "or" in words
            found.append(self.deeper(self.item))
        if len(found) == 1:
            return found[0]
        if alternatives and all(_is_inequality(item) for item in found):
            return Union(tuple(found))
        return Seq("", "", tuple(found))

    def item(self) -> Node:
        name = self.name()
        if name is None and self.now.kind == "word":
            if self.now.value.lower() not in _FILLERS:
                return self.words()
            while self.now.kind == "word" and self.now.value.lower() in _FILLERS:
                self.at += 1
        if name is None:
            self.accept("=", "~")  # = 5
        if name is None and self.op("<", ">", "<=", ">="):
            members: list[Node] = [Sym("?")]  # > 5
        else:
            members = [name or self.ratio()]
        ops: list[str] = []
        while self.op(*RELATIONS):
            ops.append(self.now.value)
            self.at += 1
            members.append(self.ratio())
        node: Node = Relation(tuple(members), tuple(ops)) if ops else members[0]
        if self.accept("("):
            # (mod 11), however it is written
            if not (self.now.value in ("mod", "bmod") or (self.now.kind == "name" and self.now.value == "m")):
                raise Unreadable("brackets after a value")
            self.at += 1
            self.sum()
            self.expect(")")
        if self.now.kind == "cmd" and self.now.value == "pmod":
            self.at += 1
            self.argument()
        return node

    def words(self) -> Node:
        """Text up to the end of the item, with whatever symbols stand in it."""
        found, depth = [], 0
        while self.now is not _END and (depth or not (self.op(*_SEPARATORS) or self.op(*_CLOSERS))):
            depth += self.op("(") - self.op(")")
            found.append(self.now.value)
            self.at += 1
        return Words(_plain(" ".join(found)))

    def name(self) -> Node | None:
        """What is named before a relation: `f(2) =`, `AB =`, `Area =`; None when it is something else."""
        for i in range(self.at, min(self.at + 24, len(self.tokens))):
            token = self.tokens[i]
            if token.kind == "op" and token.value in ("=", "in") and i > self.at:
                part = self.tokens[self.at : i]
                text = "".join(t.value for t in part)
                call = part[0].kind == "name" and re.fullmatch(
                    r"[A-Za-z]+'*(?:\^\{?-1\}?)?\([-\w,]{1,12}\)", text
                )
                if call or any(t.kind in ("word", "unit") for t in part):
                    self.at = i
                    return Sym(text)
                return None
            if (
                token.kind == "op"
                and token.value in (*_SEPARATORS, *(RELATIONS - {"=", "in"}))
                and token.value != ","
            ):
                return None
        return None

    def ratio(self) -> Node:
        node = self.sets()
        if self.accept(":"):
            parts = [node, self.sets()]
            while self.accept(":"):
                parts.append(self.sets())
            return Fn("ratio", tuple(parts))
        return node

    def sets(self) -> Node:
        node = self.measured()
        while symbol := self.accept("∪", "∖", "∩"):
            other = self.measured()
            if symbol == "∪":
                parts = node.parts if isinstance(node, Union) else (node,)
                node = Union((*parts, other))
            elif symbol == "∖":
                node = Without(node, other)
            else:
                raise Unreadable("intersection")
        return node

    def measured(self) -> Node:
        """A sum and the unit or the words around it."""
        before = ""
        if self.now.kind == "unit" and self.now.value in "$€£¥":
            before = self.now.value
            self.at += 1
        node = self.sum()
        unit = self.unit()
        if unit and self.now.kind == "num" and (first := known_unit(unit)) is not None:
            return self.compound(node, unit, first)
        if not unit and isinstance(node, Fn) and node.name == "degree":
            return Quantity(node.args[0], "degree")
        if not unit and isinstance(node, Fn) and node.name == "percent":
            return Quantity(node.args[0], "%")
        return Quantity(node, unit or before) if unit or before else node

    def compound(self, node: Node, name: str, first: Unit) -> Node:
        """5 feet 3 inches: one quantity in two units."""
        more = self.measured()
        second = known_unit(more.unit) if isinstance(more, Quantity) else None
        if second is None or second.dimensions != first.dimensions or not isinstance(more, Quantity):
            raise Unreadable("two quantities side by side")
        return Quantity(Add((node, Mul((Num(second.factor / first.factor), more.value)))), name)

    def unit(self) -> str:
        parts: list[str] = []
        while True:
            token = self.now
            joins = token.value in ("/", "per", "*") and self.peek().kind in ("unit", "word", "name")
            letter = token.kind == "name" and len(token.value) == 1 and parts[-1:] in (["/"], ["per"], ["*"])
            if token.kind in ("unit", "word") or (joins and parts) or letter:
                parts.append(token.value)
            elif token.value == "^" and parts:
                self.at += 1
                power = self.argument()
                if not isinstance(power, Num):
                    raise Unreadable("a unit to a power that is no number")
                parts.append(f"^{power.value}")
                continue
            elif token.value == "°" and not parts:
                parts.append("°")
            else:
                return " ".join(parts).replace(" ^", "^")
            self.at += 1

    # Sums ----------------------------------------------------------------------------------------

    def sum(self) -> Node:
        return self.deeper(self._sum)

    def _sum(self) -> Node:
        terms = [self.signed()]
        while self.op("+", "-", "±", "∓"):
            terms.append(self.signed())
        return terms[0] if len(terms) == 1 else Add(tuple(terms))

    def signed(self) -> Node:
        negative = False
        while sign := self.accept("+", "-"):
            negative ^= sign == "-"
        if self.op("±", "∓"):
            sign = self.accept("±", "∓")
            term: Node = Pm(self.product(), 1 if sign == "±" else -1)
            return negate(term) if negative else term
        if self.now.kind == "unit" and self.now.value in "$€£" and negative:
            money = self.now.value
            self.at += 1
            return Quantity(negate(self.product()), money)
        node = self.product()
        return negate(node) if negative else node

    def product(self) -> Node:
        node = self.power()
        factors = 0
        while True:
            factors += 1
            if factors > FACTORS:
                raise CostBound(f"more than {FACTORS} factors")
            if self.accept("*"):
                node = Mul((node, self.factor()))
            elif self.op("/") and self.peek().kind not in ("unit", "word"):
                self.at += 1
                node = Div(node, self.factor())
            elif self.now.value in ("bmod", "mod"):
                self.at += 1
                node = Fn("mod", (node, self.factor()))
            elif self.now.value in ("choose", "over") and self.now.kind == "cmd":
                name = self.now.value
                self.at += 1
                other = self.product()
                node = Fn("binom", (node, other)) if name == "choose" else Div(node, other)
            elif self.starts_factor():
                node = self.adjacent(node)
            else:
                return node

    def factor(self) -> Node:
        """After an operator a sign may stand."""
        if sign := self.accept("-", "+"):
            node = self.deeper(self.factor)
            return negate(node) if sign == "-" else node
        return self.power()

    def adjacent(self, node: Node) -> Node:
        """Two factors without a sign between them: a product, or a mixed number."""
        literal = self.now.kind == "num"
        other = self.power()
        if literal and isinstance(node, Num):
            # 1 1/2 is a mixed number; other literals side by side mean nothing.
            if self.accept("/"):
                bottom = self.power()
                if _is_mixed(node, other, bottom):
                    return Add((node, Div(other, bottom)))
            raise Unreadable("two numbers side by side")
        if isinstance(other, Div) and _is_mixed(node, other.top, other.bottom):
            return Add((node, other))
        return Mul((node, other))

    def starts_factor(self) -> bool:
        kind, value = self.now.kind, self.now.value
        if kind in ("num", "name", "fn", "begin"):
            return True
        if kind == "cmd":
            return value in (
                "frac",
                "sqrt",
                "binom",
                "overline",
                "vec",
                "hat",
                "bar",
                "root",
                "tilde",
                "overrightarrow",
            )
        if kind == "op":
            if value == "(":
                return self.peek().value not in ("mod", "bmod")
            if value == "[":
                return not self.outwards
            return value in ("{", "⌊", "⌈") or (value == "|" and self.bars == 0 and self._bar_closes())
        return False

    def _bar_closes(self) -> bool:
        return sum(t.value == "|" for t in self.tokens[self.at :]) % 2 == 0

    # Factors -------------------------------------------------------------------------------------

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
        while self.now is not _END:
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
                return Words(_plain(token.value))
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
        if name in _ACCENTS:
            start = self.at
            self.argument()
            return Sym(
                name + " " + "".join(t.value for t in self.tokens[start : self.at] if t.value not in "{}")
            )
        raise Unreadable(f"\\{name}")

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


def _is_mixed(whole: Node, top: Node, bottom: Node) -> bool:
    """Whether an integer before a proper fraction of integers makes a mixed number."""
    parts = (whole, top, bottom)
    if not all(isinstance(part, Num) and part.decimals is None and part.value >= 0 for part in parts):
        return False
    whole_value, top_value, bottom_value = (part.value for part in parts if isinstance(part, Num))
    return whole_value > 0 and 0 < top_value < bottom_value


def _is_inequality(node: Node) -> bool:
    return isinstance(node, Relation) and all(op in ("<", ">", "<=", ">=") for op in node.ops)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w+\-/^%'.]", " ", text.lower()).split()).strip(". ")
