"""From tokens to the tree: recursive descent over what answers look like.

A whole answer is items between commas, `and`, `or`; an item is a chain of relations between sums; a
sum may carry a unit. What does not fit is `Opaque`, but the last member of a chain of equations is
read even where the others cannot be.
"""

from __future__ import annotations

import re
from typing import Final

from harness_math.cursor import END
from harness_math.factors import Factors, negate, plain_words
from harness_math.lexer import Token
from harness_math.nodes import (
    Add,
    CostBound,
    Div,
    Fn,
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

#: Most factors of one product, and most tokens of powers, primes and the like behind one value.
FACTORS: Final = 100
RELATIONS: Final = frozenset({"=", "<", ">", "<=", ">=", "!=", "~", "in", "->"})
_SEPARATORS: Final = frozenset({",", ";", "and", "or"})
_CLOSERS: Final = frozenset({")", "]", "}", "\\}", "|", ">>", "⌋", "⌉", "mid", "&", "\\\\"})
_FILLERS: Final = frozenset(
    {"approximately", "about", "exactly", "roughly", "the", "is", "equals", "are", "answer"}
)


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
        found = [self.deeper(self.item)]
        alternatives = False
        while self.op(*_SEPARATORS):
            before = self.at
            words = set()
            while (word := self.accept(*_SEPARATORS)) is not None:
                words.add(word)
            if self.now is END or self.op(".", *_CLOSERS):
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
        while self.now is not END and (depth or not (self.op(*_SEPARATORS) or self.op(*_CLOSERS))):
            depth += self.op("(") - self.op(")")
            found.append(self.now.value)
            self.at += 1
        return Words(plain_words(" ".join(found)))

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
                if is_mixed(node, other, bottom):
                    return Add((node, Div(other, bottom)))
            raise Unreadable("two numbers side by side")
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


def _is_inequality(node: Node) -> bool:
    return isinstance(node, Relation) and all(op in ("<", ">", "<=", ">=") for op in node.ops)
