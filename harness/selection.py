"""`select` rules: which subjects a stage trains on, as an expression over difficulty labels.

Names in a rule, all about one subject:
  `p`, `n`, `mean`, `sd`   the policy's observed pass rate, its samples, the posterior mean and sd
  `p["7b"]`, `n["7b"]` ... the same of another model's labels
  `tag("level-2")`         whether the task, or an earlier rule of `difficulty.tags`, carries the tag
  `stratum`, `domain`      as the task says
  `chance(0.5, seed=1)`    true for that share of subjects, by a coin that depends on seed and subject
with numbers, comparisons, `and`, `or`, `not`, `in` and arithmetic. A subject without a label that the
rule comes to ask about does not match: an unknown pass rate is neither high nor low.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from harness.errors import RecipeError, near
from harness.records import Difficulty
from harness.seeds import seed_of

#: Labels by model name, then by subject; "policy" is the model in training.
Labels = Mapping[str, Mapping[str, Difficulty]]
POLICY: Final = "policy"
#: Levels of nesting that a rule may have.
MAX_DEPTH: Final = 100

_MEASURES: Final[dict[str, Callable[[Difficulty], float]]] = {
    "p": lambda d: d.pass_rate,
    "n": lambda d: float(d.samples),
    "mean": lambda d: d.mean,
    "sd": lambda d: d.sd,
}
_NAMES: Final = (*_MEASURES, "stratum", "domain", "tag", "chance")
_NODES: Final = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.In, ast.NotIn,
    ast.Constant, ast.Name, ast.Load, ast.Call, ast.keyword, ast.Subscript, ast.Tuple, ast.List,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule may ask about besides labels."""

    id: str
    stratum: str | None = None
    domain: str = ""
    tags: frozenset[str] = frozenset()


def _deeper(tree: ast.AST, most: int) -> bool:
    """Whether the tree is nested deeper than so many levels, found without recursion: what the interpreter
    itself bears depends on libraries that change its limit."""
    level = [tree]
    for _ in range(most):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


class Rule:
    """A checked rule, ready to be asked about subjects."""

    def __init__(self, text: str, *, where: str = "") -> None:
        """Parse and check.

        Raises:
            RecipeError: not an expression of this language; says which part and what is allowed.
        """
        self.text = text
        self._where = where
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RecipeError(f"not a rule: {error} in {text[:200]!r}", where=where) from None
        if _deeper(tree, MAX_DEPTH):
            raise RecipeError(f"not a rule: nested too deeply in {text[:200]!r}", where=where)
        #: Other models whose labels the rule asks for.
        self.models: frozenset[str] = frozenset()
        self._asks: set[str] = set()
        self._check(tree)
        self._code = compile(_BareMeansPolicy().visit(tree), where or "<rule>", "eval")

    @property
    def needs_labels(self) -> bool:
        """Whether the policy must have been measured."""
        return POLICY in self._asks | self.models

    @property
    def needs_task(self) -> bool:
        """Whether the subject's task must be looked at (its tags, domain or stratum)."""
        return bool(self._asks & {"tag", "domain", "stratum"})

    def matches(self, subject: Subject, labels: Labels) -> bool:
        """Whether the subject is selected."""
        scope: dict[str, Any] = {
            name: _Measure(subject.id, labels, measure) for name, measure in _MEASURES.items()
        }
        scope |= {
            "stratum": subject.stratum,
            "domain": subject.domain,
            "tag": subject.tags.__contains__,
            "chance": lambda share, seed=0: (seed_of("chance", seed, subject.id) % 10**9) / 10**9 < share,
        }
        try:
            return bool(eval(self._code, {"__builtins__": {}}, scope))  # the tree was checked node by node
        except _Unlabelled:
            return False
        except (TypeError, ArithmeticError, MemoryError) as error:
            raise RecipeError(
                f"cannot be worked out for {subject.id!r}: {error}", where=self._where
            ) from None

    def _check(self, tree: ast.Expression) -> None:
        calls = set()
        subscripted = set()
        for node in ast.walk(tree):
            if not isinstance(node, _NODES):
                self._refuse(f"{type(node).__name__.lower()} is not part of rules")
            if isinstance(node, ast.Call):
                if not isinstance(node.func, ast.Name) or node.func.id not in ("tag", "chance"):
                    self._refuse("only tag(...) and chance(...) can be called")
                calls.add(id(node.func))
            if isinstance(node, ast.Subscript):
                key = node.slice
                if not isinstance(node.value, ast.Name) or node.value.id not in _MEASURES:
                    self._refuse("only p, n, mean and sd take a model's name in brackets")
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    self._refuse('a model\'s name is written as a string: p["7b"]')
                subscripted.add(id(node.value))
                self.models |= {key.value}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                if node.id not in _NAMES:
                    self._refuse(f"{node.id!r} is unknown; {near(node.id, _NAMES)}")
                if node.id in ("tag", "chance") and id(node) not in calls:
                    self._refuse(f"{node.id} is called with what it asks about")
                bare = node.id in _MEASURES and id(node) not in subscripted
                self._asks.add(POLICY if bare else node.id)

    def _refuse(self, why: str) -> NoReturn:
        raise RecipeError(f"{why}, in the rule {self.text!r}", where=self._where)


class _Measure:
    """`p["7b"]`: a number about one subject by model name."""

    __slots__ = ("_labels", "_measure", "_subject")

    def __init__(self, subject: str, labels: Labels, measure: Callable[[Difficulty], float]) -> None:
        self._subject, self._labels, self._measure = subject, labels, measure

    def __getitem__(self, model: str) -> float:
        label = self._labels.get(model, {}).get(self._subject)
        if label is None or not label.samples:
            raise _Unlabelled
        return self._measure(label)


class _Unlabelled(LookupError):
    """The rule asked for a label that the subject does not have."""


class _BareMeansPolicy(ast.NodeTransformer):
    """Rewrites `p` to `p["policy"]`."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in _MEASURES:
            return node
        named = ast.Subscript(value=node, slice=ast.Constant(POLICY), ctx=ast.Load())
        return ast.fix_missing_locations(ast.copy_location(named, node))
