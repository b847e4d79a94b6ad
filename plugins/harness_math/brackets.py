"""What stands between brackets: sequences, intervals, sets, absolute values, matrices."""

from __future__ import annotations

from typing import Final

from harness_math.cursor import END, Cursor
from harness_math.finite import written_out
from harness_math.lexer import Token
from harness_math.matrices import determinant
from harness_math.nodes import BUILT, CASES, Fn, Matrix, Node, Relation, Seq, Sym, Unreadable, Words

#: Words before a condition that say nothing else.
_WHERE: Final = frozenset({"if", "for", "when", "where", "for all", "if and only if", "as"})


#: Environments of statements, of which `&` aligns the signs.
_ALIGNED: Final = frozenset({"aligned", "align", "alignedat", "gathered", "gather", "eqnarray", "split"})
_SEPARATOR: Final = ";"


def _twice(token: Token, following: Token) -> bool:
    """Whether a comma or a full stop stands at the end of a line, where the line's end separates."""
    return token.value in (",", ".") and following.value == _SEPARATOR


class Brackets(Cursor):
    """Reads brackets; what stands inside them it leaves to `items`, `sum` and `primary`."""

    def items(self) -> Node:
        """Items between separators."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Terms between signs."""
        raise NotImplementedError

    def primary(self) -> Node:
        """One value without what stands behind it."""
        raise NotImplementedError

    def environment(self, name: str) -> Node:
        if name.rstrip("*") in _ALIGNED:
            return self.aligned()
        if not (name.rstrip("*").endswith("matrix") or name in ("array", "cases")):
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
            row.append(self.condition() if row and name == "cases" else self.deeper(self.items))
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
        if name == "cases" and len(rows[0]) == 2:
            return Fn(CASES, tuple(cell for row in rows for cell in row))
        matrix = Matrix(tuple(rows))
        if name != "vmatrix":
            return matrix
        return determinant(matrix.rows) or Fn("det", (matrix,))

    def aligned(self) -> Node:
        """Statements under each other; one that begins with an equals sign goes on with the one before."""
        end = next((i for i in range(self.at, len(self.tokens)) if self.tokens[i].kind == "end"), None)
        if end is None:
            raise Unreadable("equations that do not end")
        lines: list[Token] = []
        for token in self.tokens[self.at : end]:
            if token[:2] == ("op", "=") and lines and lines[-1].value == _SEPARATOR:
                lines.pop()
            if token[:2] != ("op", "&"):
                lines.append(Token("op", _SEPARATOR) if token[:2] == ("op", "\\\\") else token)
        while lines and lines[-1].value in (_SEPARATOR, ".", ","):
            lines.pop()
        kept = [t for t, following in zip(lines, [*lines[1:], END], strict=True) if not _twice(t, following)]
        self.tokens[self.at : end + 1] = [*kept, Token("end", "")]
        node = self.deeper(self.items)
        if self.now.kind != "end":
            raise Unreadable("equations that do not end")
        self.at += 1
        return node

    def condition(self) -> Node:
        """Where a value of several cases holds: a relation, or words (`otherwise`, `n is even`)."""
        while self.now.kind == "word" and self.now.value.lower().strip(" ,") in _WHERE:
            self.at += 1
        end = self.at
        while end < len(self.tokens) and self.tokens[end].value not in ("\\\\", "cases", "&"):
            end += 1
        cell = self.tokens[self.at : end]
        if not any(token.kind == "word" for token in cell):
            return self.deeper(self.items)
        self.at = end
        said = " ".join(token.value for token in cell).lower().replace(",", " ").split()
        said = [word.strip(".;:") for word in said]
        return Words(" ".join(word for word in said if word not in ("is", "are", "an", "a", "")))

    def bracketed(self, symbol: str) -> Node:
        if symbol in ("(", "["):
            return self.sequence(symbol)
        if symbol == "]":
            return self.outward()
        if symbol == "{":
            if self.accept("}"):
                return self.deeper(self.primary)
            self.sets_open += 1
            node = self.deeper(self.items)
            if self.accept("mid", "|"):
                node = self.built(node)  # its braces bare
            self.sets_open -= 1
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

    def built(self, of: Node) -> Node:
        """What a set-builder says: of a name, the condition; of an expression, both."""
        sets_open, self.sets_open = self.sets_open, 0
        condition = self.deeper(self.items)
        self.sets_open = sets_open
        members = written_out(of, condition)
        if members is not None:
            return members
        named = of.members[0] if isinstance(of, Relation) and of.ops == ("in",) else of
        if isinstance(named, Sym | Seq):
            return condition
        return Fn(BUILT, (of, condition))

    def set(self) -> Node:
        if self.accept("\\}"):
            return Sym("∅")
        self.sets_open += 1
        node = self.deeper(self.items)
        if self.accept("mid", "|", ":"):
            node = self.built(node)
            self.sets_open -= 1
            self.expect("\\}")
            return node
        self.sets_open -= 1
        self.expect("\\}")
        return Seq("{", "}", node.items if isinstance(node, Seq) and not node.left else (node,))
