"""From tokens to the tree: recursive descent over what answers look like.

A whole answer is items between commas, `and`, `or`; an item is a chain of relations between sums; a
sum may carry a unit. What does not fit is `Opaque`, but the last member of a chain of equations is
read even where the others cannot be.
"""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from typing import Final, TypeGuard

from harness_math.cursor import END
from harness_math.factors import Factors, negate, plain_words
from harness_math.lexer import Token
from harness_math.nodes import (
    LOGIC,
    MEET,
    Add,
    CostBound,
    Div,
    Fn,
    Letters,
    Modular,
    Mul,
    Node,
    Num,
    Opaque,
    Pm,
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
from harness_math.vocabulary import SIGNS
from harness_math.vocabulary import words as _words

#: Most factors of one product, and most tokens of powers, primes and the like behind one value.
FACTORS: Final = 100
RELATIONS: Final = frozenset({"=", "<", ">", "<=", ">=", "!=", "~", "in", "->", "=>", "≡", "mid"})
_SEPARATORS: Final = frozenset({",", ";", "and", "or", "∧", "∨"})
_CLOSERS: Final = frozenset({")", "]", "}", "\\}", "|", ">>", "⌋", "⌉", "mid", "&", "\\\\"})
_FILLERS: Final = _words(
    """approximately about exactly roughly around nearly the is equals are answer final correct value result
    total min max minimum maximum smallest largest sum product area volume perimeter length width height
    radius mean median distance probability either both point points vertex vector pair ordered interval year
    so thus hence therefore"""
)
#: Words before a value that tell it from another one of a list.
_CALLED: Final = {
    "min": "min", "minimum": "min", "smallest": "min", "max": "max", "maximum": "max", "largest": "max",
    "sum": "sum", "product": "product", "area": "area", "volume": "volume",
    "perimeter": "perimeter", "length": "length", "width": "width", "height": "height",
    "radius": "radius", "mean": "mean", "median": "median",
}  # fmt: skip
_NAMES: Final = frozenset(map(Sym, _CALLED.values()))
#: Words behind a value that take it back; a unit has none of them.
_DENIALS: Final = _words(
    """not never no nor neither cannot without except unless isn't wrong incorrect false untrue impossible
    maybe perhaps possibly alternatively otherwise if when unlike instead rather versus vs
    не нет или неверно nicht kein keine oder falsch pas faux ou non falso incorrecto sino"""
)
_CHINESE_DENIALS: Final = frozenset("不非错没未无否误若或")
#: What a chain may begin with that is not read: the value stands behind the equals sign.
_COMPUTATIONS: Final = frozenset({"lim", "int", "iint", "iiint", "oint", "sum", "prod", "limsup", "liminf"})


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
            if not _computes(tokens[:i]):
                break
            try:
                return Relation((Opaque(source), _Parser(tokens[i + 1 :]).whole()), ("=",))
            except Unreadable:
                break
    return Opaque(source)


def _computes(tokens: list[Token]) -> bool:
    """Whether tokens are a computation that is not read, of known symbols only: no relation, no text."""
    commands = {token.value for token in tokens if token.kind == "cmd"}
    return (
        bool(tokens)
        and tokens[0].kind == "cmd"
        and tokens[0].value in _COMPUTATIONS
        and commands <= _COMPUTATIONS | {"frac", "sqrt", "binom", "overline"}
        and not any(token.kind in ("word", "unit") for token in tokens)
        and not any(token.value in RELATIONS - {"=", "->"} or token.value in _SEPARATORS for token in tokens)
    )


class _Parser(Factors):
    # Answers -------------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self.items()
        while self.accept(".", ",", ";", "?", "!"):
            pass
        if self.now is not END:
            raise Unreadable(f"left over: {self.now.value!r}")
        return node

    def items(self) -> Node:
        """Items between separators; one item is itself, several are a bare list."""
        items = [self.deeper(self.item)]
        alternatives, logic = False, set[str]()
        while self.op(*_SEPARATORS):
            before = self.at
            words = set()
            while (word := self.accept(*_SEPARATORS)) is not None:
                words.add(word)
            if self.now is END or (self.op(".", *_CLOSERS) and not self.opens_bar()):
                if "and" in words or "or" in words:
                    self.at = before
                break
            alternatives = alternatives or not words.isdisjoint(("or", "∨"))
            logic |= words & {"∧", "∨"}
            items.append(self.deeper(self.item))
        if len(items) == 1:
            return _unnamed(items[0])
        if len({item.members[0] for item in items if _is_called(item)}) < 2:
            items = [_unnamed(item) for item in items]
        if len(logic) == 1 and all(isinstance(item, Sym) for item in items):
            return Fn(LOGIC + logic.pop(), tuple(items))
        if isinstance(items[-1], Modular) and not any(isinstance(item, Modular) for item in items[:-1]):
            # n = 0, 2 (mod 6): the modulus is that of all.
            items[:-1] = [Modular(item, items[-1].modulus) for item in items[:-1]]
        if alternatives and any(map(_is_inequality, items)) and all(map(_is_condition, items)):
            return Union(tuple(items))
        return Seq("", "", tuple(items))

    def item(self) -> Node:
        letters = self.letters()
        if letters is not None:
            return letters
        said = self.label()
        name = self.name()
        if (
            name is None
            and self.now[:2] == ("name", "a")
            and self.peek().kind == "word"
            and self.peek().spaced
        ):
            return self.words()  # a circle
        if name is None and self.now.kind == "word":
            start = self.at
            while self.now.kind == "word" and set(self.now.value.lower().split()) <= _FILLERS:
                self.at += 1
            if self.now.kind == "word" or self.now is END:
                self.at = start
                return self.words()
            said = self.said(start)
        called = {_CALLED[word] for word in said if word in _CALLED}
        if len(called) == 1 and name is None and not self.op(*RELATIONS):
            return Relation((Sym(called.pop()), self.ratio()), ("=",))
        if name is None:
            self.accept("=", "~")  # = 5
        if name is None and self.op("<", ">", "<=", ">=", "!="):
            members: list[Node] = [Sym("?")]  # > 5
        else:
            members = [name or self.ratio()]
        ops: list[str] = []
        while self.op(*RELATIONS) or self.divides():
            if self.op("mid") and self.sets_open:
                break
            ops.append("mid" if self.op("|") else self.now.value)
            self.at += 1
            members.append(self.ratio())
        if "=>" in ops:
            members, ops = _concluded(members, ops)
        node: Node = Relation(tuple(members), tuple(ops)) if ops else members[0]
        if self.accept("("):
            if self.now.value not in ("mod", "bmod"):
                raise Unreadable("brackets after a value")
            self.at += 1
            node = Modular(node, self.sum())
            self.expect(")")
        if self.now.kind == "cmd" and self.now.value == "pmod":
            self.at += 1
            node = Modular(node, self.argument())
        return node

    def said(self, start: int) -> list[str]:
        """The words since a token."""
        return " ".join(token.value for token in self.tokens[start : self.at]).lower().split()

    def label(self) -> list[str]:
        """The words before a colon, passed over: `Answer: 5`."""
        start = end = self.at
        while end < len(self.tokens) and self.tokens[end].kind == "word":
            end += 1
        if self.at < end < len(self.tokens) - 1 and self.tokens[end][:2] == ("op", ":"):
            self.at = end + 1
        return self.said(start)

    def letters(self) -> Node | None:
        """A run of capitals that is the whole item: `HT`, `IX`; None for anything else."""
        end = self.at
        while end < len(self.tokens) and self.tokens[end].kind == "name" and len(self.tokens[end].value) == 1:
            if not self.tokens[end].value.isupper() or (end > self.at and self.tokens[end].spaced):
                return None
            end += 1
        following = self.tokens[end] if end < len(self.tokens) else END
        if end - self.at < 2 or not (following is END or following.value in (*_SEPARATORS, *_CLOSERS, ".")):
            return None
        text = "".join(token.value for token in self.tokens[self.at : end])
        self.at = end
        return Letters(text)

    def opens_bar(self) -> bool:
        """Whether a bar begins an absolute value here."""
        return self.op("|") and self.bars == 0 and self._bar_closes()

    def divides(self) -> bool:
        """Whether a bar says that what stands before it divides what follows."""
        return self.op("|") and self.bars == 0 and not self.sets_open and not self._bar_closes()

    def words(self) -> Node:
        """Text up to the end of the item, with whatever symbols stand in it."""
        parts, depth = [], 0
        while self.now is not END and (depth or not (self.op(*_SEPARATORS) or self.op(*_CLOSERS))):
            depth += self.op("(") - self.op(")")
            parts.append(self.now.value)
            self.at += 1
        return Words(plain_words(" ".join(parts)))

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
                if call or any(t.kind in ("word", "unit") for t in part) or text in ("max", "min"):
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
        if self.sets_open and not isinstance(node, Num):
            return node  # { x : condition }
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
                node = Fn(MEET, (node, other))
        return node

    def measured(self) -> Node:
        """A sum and the unit or the words around it."""
        before = ""
        if self.now.kind == "unit" and self.now.value in SIGNS:
            before = self.now.value
            self.at += 1
        node = self.sum()
        unit = self.unit()
        if unit and self.now.kind == "num" and (first := known_unit(unit)) is not None:
            return self.compound(node, unit, first)
        if not unit and isinstance(node, Fn) and node.name == "degree":
            return Quantity(node.args[0], "degree")
        if isinstance(node, Fn) and node.name == "percent":
            return Quantity(node.args[0], f"% {unit}".strip())
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
                if token.kind == "word" and _takes_back(token.value):
                    raise Unreadable(f"{token.value!r} behind a value")
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
        if self.now.kind == "unit" and self.now.value in SIGNS and negative:
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
            elif self.op("{") and self.peek().value == "}":
                self.at += 2  # prints nothing
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
                if is_mixed(node, other, bottom):
                    return Add((node, Div(other, bottom)))
            raise Unreadable("two numbers side by side")
        if isinstance(node, Seq) and isinstance(other, Seq) and node.left == other.left == "(":
            # (1, 2)(3, 4): a list without separators, in order.
            return Seq("<", ">", (node, other))
        if isinstance(node, Seq) and node.left == "<" and isinstance(other, Seq) and other.left == "(":
            return Seq("<", ">", (*node.items, other))
        if isinstance(other, Quantity) and other.unit in _ARC:
            return _finer(node, other)
        inner = other.args[0] if isinstance(other, Fn) and other.name in ("percent", "degree") else other
        if isinstance(inner, Div) and is_mixed(node, inner.top, inner.bottom):
            mixed = Add((node, inner))
            return Fn(other.name, (mixed,)) if isinstance(other, Fn) else mixed
        return Mul((node, other))


def is_mixed(whole: Node, top: Node, bottom: Node) -> bool:
    """Whether an integer before a proper fraction of integers makes a mixed number."""
    parts = (whole, top, bottom)
    if not all(isinstance(part, Num) and part.decimals is None and part.value >= 0 for part in parts):
        return False
    whole_value, top_value, bottom_value = (part.value for part in parts if isinstance(part, Num))
    return whole_value > 0 and 0 < top_value < bottom_value


_ARC: Final = {"′": Fraction(1, 60), "″": Fraction(1, 3600)}


def _finer(node: Node, other: Quantity) -> Node:
    """Degrees, minutes and seconds of arc, or feet and inches, as one value."""
    if isinstance(node, Fn) and node.name == "degree":
        return Fn("degree", (Add((node.args[0], Mul((Num(_ARC[other.unit]), other.value)))),))
    if isinstance(node, Quantity) and (node.unit, other.unit) == ("′", "″"):
        return Quantity(Add((node.value, Mul((Num(Fraction(1, 12)), other.value)))), "′")
    raise Unreadable("a prime behind a product")


def _takes_back(text: str) -> bool:
    """Whether words behind a value say something else about it than what it counts."""
    words = re.findall(r"[\w']+", text.lower())
    return any(
        word in _DENIALS or any(c.isdigit() for c in word) or not _CHINESE_DENIALS.isdisjoint(word)
        for word in words
    )


def _concluded(members: list[Node], ops: list[str]) -> tuple[list[Node], list[str]]:
    """The last of statements that follow from each other; an implication between others stays whole."""
    last = len(ops) - 1 - ops[::-1].index("=>")
    starts = [-1, *(i for i, op in enumerate(ops) if op == "=>")]
    if any(end - start < 2 for start, end in itertools.pairwise(starts)):
        return members, ops
    return members[last + 1 :], ops[last + 1 :]


def _is_called(node: Node) -> TypeGuard[Relation]:
    return isinstance(node, Relation) and node.ops == ("=",) and node.members[0] in _NAMES


def _unnamed(node: Node) -> Node:
    """The value of an item that no other one of its list needs to be told from."""
    return node.members[1] if _is_called(node) else node


def _is_condition(node: Node) -> bool:
    return _is_inequality(node) or (isinstance(node, Relation) and node.ops == ("=",))


def _is_inequality(node: Node) -> bool:
    return isinstance(node, Relation) and all(op in ("<", ">", "<=", ">=") for op in node.ops)
