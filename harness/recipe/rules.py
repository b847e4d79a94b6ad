"""`select` rules: which subjects a stage trains on, as an expression over difficulty labels.

Names in a rule, all about one subject:
  `p`, `n`, `mean`, `sd`   the policy's observed pass rate, its samples, the posterior mean and sd; if
                           nothing was sampled, `p` and `mean` are the predicted rate if there is one
  `a`, `b`, `se`, `theta`  what the estimator attached to the label under these names
  `p["7b"]`, `b["7b"]` ... the same of another model's labels
  `extra("x")`, `extra("x", "7b")`   a number that was attached under any other name
  `tag("level-2")`         whether the task, or an earlier rule of `difficulty.tags`, carries the tag
  `stratum`, `domain`      as the task says
  `plain(p <= 0.1)`        of a task with a hint, what is said of it without the hint (labels and chance)
  `chance(0.5, seed=1)`    true for that share of subjects, by a coin that depends on seed and subject
with numbers, comparisons, `and`, `or`, `not`, `in` and arithmetic. A subject without a label that the
rule comes to ask about does not match: an unknown pass rate is neither high nor low.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from harness.contract.errors import RecipeError, near
from harness.contract.records import Difficulty
from harness.contract.seeds import seed_of

#: Labels by model name, then by subject; "policy" is the model in training.
Labels = Mapping[str, Mapping[str, Difficulty]]
POLICY: Final = "policy"
#: What stands before the names of what is asked of the plain subject; no rule can write it.
PLAIN: Final = "plain."
#: Levels of nesting that a rule may have.
MAX_DEPTH: Final = 100

Measure = Callable[[Difficulty], float | None]


def _attached(name: str) -> Measure:
    return lambda label: label.extra.get(name)


#: Numbers attached to labels that rules may name without more ado.
ATTACHED: Final = ("a", "b", "se", "theta")
#: What a name says of a label; None or nan if the label does not know it.
_MEASURES: Final[dict[str, Measure]] = {
    "p": lambda d: d.pass_rate,
    "n": lambda d: float(d.samples) if d.known else None,
    "mean": lambda d: d.mean if d.known else None,
    "sd": lambda d: d.sd if d.known else None,
    **{name: _attached(name) for name in ATTACHED},
}
_CALLS: Final = ("tag", "chance", "extra", "plain")
#: What can be asked of the plain form of a subject, which need not be in the pool.
_OF_PLAIN: Final = (*_MEASURES, "chance", "extra")
_NAMES: Final = (*_MEASURES, "stratum", "domain", *_CALLS)
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
    #: The subject of the task that a hint was added to; "" if none was.
    plain: str = ""


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
        self._code = compile(_Resolved().visit(tree), where or "<rule>", "eval")

    @property
    def needs_labels(self) -> bool:
        """Whether the policy must have been measured."""
        return POLICY in self._asks | self.models

    @property
    def asks(self) -> frozenset[str]:
        """The models whose labels the rule asks about, `policy` for the one in training."""
        return self.models | ({POLICY} if self.needs_labels else frozenset())

    @property
    def needs_task(self) -> bool:
        """Whether the subject's task must be looked at: its tags, domain, stratum or plain form."""
        return bool(self._asks & {"tag", "domain", "stratum", "plain"})

    def matches(self, subject: Subject, labels: Labels) -> bool:
        """Whether the subject is selected."""
        scope = _asked_of(subject.id, labels)
        plain = _asked_of(subject.plain or subject.id, labels)
        scope |= {f"{PLAIN}{name}": value for name, value in plain.items()}
        scope |= {
            "stratum": subject.stratum,
            "domain": subject.domain,
            "tag": subject.tags.__contains__,
            "plain": bool,
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
                if not isinstance(node.func, ast.Name) or node.func.id not in _CALLS:
                    self._refuse("only tag(...), chance(...), extra(...) and plain(...) can be called")
                calls.add(id(node.func))
                if node.func.id == "extra":
                    self.models |= {self._model_of(node)}
                elif node.func.id == "plain":
                    self._check_plain(node)
            if isinstance(node, ast.Subscript):
                key = node.slice
                if not isinstance(node.value, ast.Name) or node.value.id not in _MEASURES:
                    self._refuse(f"only {', '.join(_MEASURES)} take a model's name in brackets")
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    self._refuse('a model\'s name is written as a string: p["7b"]')
                subscripted.add(id(node.value))
                self.models |= {key.value}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                if node.id not in _NAMES:
                    self._refuse(f"{node.id!r} is unknown; {near(node.id, _NAMES)}")
                if node.id in _CALLS and id(node) not in calls:
                    self._refuse(f"{node.id} is called with what it asks about")
                bare = node.id in _MEASURES and id(node) not in subscripted
                self._asks.add(POLICY if bare else node.id)

    def _check_plain(self, call: ast.Call) -> None:
        if len(call.args) != 1 or call.keywords:
            self._refuse("plain is called with one condition: plain(p <= 0.1)")
        named = {node.id for node in ast.walk(call.args[0]) if isinstance(node, ast.Name)}
        if foreign := sorted(named & set(_NAMES) - set(_OF_PLAIN)):
            self._refuse(f"plain(...) asks of labels and chance, not of {', '.join(foreign)}")

    def _model_of(self, call: ast.Call) -> str:
        """The model that `extra(name)` or `extra(name, model)` asks about."""
        words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if call.keywords or len(words) != len(call.args) or len(words) not in (1, 2):
            self._refuse('extra is called with names as strings: extra("b") or extra("b", "7b")')
        return words[1] if len(words) == 2 else POLICY

    def _refuse(self, why: str) -> NoReturn:
        raise RecipeError(f"{why}, in the rule {self.text!r}", where=self._where)


class _Measure:
    """`p["7b"]`: a number about one subject by model name."""

    __slots__ = ("_labels", "_measure", "_subject")

    def __init__(self, subject: str, labels: Labels, measure: Measure) -> None:
        self._subject, self._labels, self._measure = subject, labels, measure

    def __getitem__(self, model: str) -> float:
        label = self._labels.get(model, {}).get(self._subject)
        value = None if label is None else self._measure(label)
        if value is None or math.isnan(value):
            raise _Unlabelled
        return value


class _Unlabelled(LookupError):
    """The rule asked for a label that the subject does not have."""


def _asked_of(subject: str, labels: Labels) -> dict[str, Any]:
    """What can be asked of a subject by its name alone."""
    return {
        **{name: _Measure(subject, labels, measure) for name, measure in _MEASURES.items()},
        "chance": lambda share, seed=0: (seed_of("chance", seed, subject) % 10**9) / 10**9 < share,
        "extra": lambda name, model=POLICY: _Measure(subject, labels, _attached(name))[model],
    }


class _Resolved(ast.NodeTransformer):
    """Rewrites `p` to `p["policy"]`, and within `plain(...)` every name to that of the plain subject."""

    def __init__(self) -> None:
        self._prefix = ""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        before = self._prefix
        if isinstance(node.func, ast.Name) and node.func.id == "plain":
            self._prefix = PLAIN
            node.args = [self.visit(argument) for argument in node.args]
            self._prefix = before
            return node
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        assert isinstance(node.value, ast.Name)
        node.value.id = self._prefix + node.value.id
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        measure, node.id = node.id in _MEASURES, self._prefix + node.id
        if not measure:
            return node
        named = ast.Subscript(value=node, slice=ast.Constant(POLICY), ctx=ast.Load())
        return ast.fix_missing_locations(ast.copy_location(named, node))
