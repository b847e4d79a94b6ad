"""The verifier `math` on golds rewritten without a change of meaning, and changed: how many of each pass.

    python bench/verifier_mutations.py [GOLDS] [--field answer] [--every N] [--show N]

GOLDS is a file of golds: jsonl (also .gz) with a field of answers, or plain text with one on a line
(default: AdaRFT's golds in the tests' data folder, HARNESS_DATA or ../shared/data). Each different gold
goes through every rule that fits it. Rewritings should pass, changes must not. Exit code 1 when fewer
than 99.8 % of the rewritings pass, or any changed integer, sign or fraction, or any hedge does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.contract.records import Message, PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.scoring import VerifierSpec
from harness.scoring.spec import build

ROOT: Final = Path(__file__).parents[1]
DEFAULT: Final = Path("difficulty") / "adarft_deepscaler_passrate.jsonl.gz"
#: Least share of rewritings that pass.
REWRITTEN: Final = 0.998
#: Kinds of changes of which none may pass, whatever the gold.
STRICT: Final = ("integer", "sign", "inverted fraction", "hedge")
#: From a gold to answers that mean the same, or something else.
Rule = Callable[[str], Iterable[str]]

_INTEGER: Final = re.compile(r"-?\d+")
_FRACTION: Final = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_SLASH: Final = re.compile(r"(?<![\w/.}])(\d+)/(\d+)(?![\w/.{])")
#: A number inside an answer whose change changes the answer: no subscript, no part of a decimal.
_NUMBER: Final = re.compile(r"(?<![\d._A-Za-z\\{])\d+(?![\d.,]*\d)(?!\s*(?:st|nd|rd|th)\b)")


# Rewritings --------------------------------------------------------------------------------------


def _when(pattern: str, change: Callable[[str], str], flags: int = 0) -> Rule:
    """A rule for golds that a pattern matches as a whole."""
    compiled = re.compile(pattern, flags | re.DOTALL)
    return lambda gold: [change(gold)] if compiled.fullmatch(gold) else []


def _replaced(pattern: str, by: str) -> Rule:
    compiled = re.compile(pattern)
    return lambda gold: [compiled.sub(by, gold)] if compiled.search(gold) else []


def _unnamed(gold: str) -> bool:
    """Whether a name may stand before an answer: it has no relation and is no text."""
    return not re.search(r"[=<>$]|\\(?:[lg]eq?|in|text|mbox|neq?|equiv|approx|mid)\b|[A-Za-z]{3}|:", gold)


def _listed(gold: str) -> list[str] | None:
    """The items of a bare list of integers."""
    items = [item.strip() for item in gold.split(",")]
    plain = len(items) > 1 and all(_INTEGER.fullmatch(item) for item in items)
    return items if plain and ", " in gold else None


def _lists(gold: str) -> list[str]:
    items = _listed(gold)
    if items is None:
        return []
    return [
        ",\\, ".join(items),
        "; ".join(items),
        "\\{" + ", ".join(items) + "\\}",
        ", ".join(reversed(items)),
        ", ".join(items[:-1]) + "\\text{ and }" + items[-1],
        "\\text{" + ", ".join(items[:-1]) + " and " + items[-1] + "}",
    ]


def _grouped(gold: str) -> list[str]:
    if not re.fullmatch(r"-?\d{4,15}", gold):
        return []
    text = f"{int(gold):,}"
    return [text, text.replace(",", "{,}"), text.replace(",", "\\,"), text.replace(",", ",\\!")]


def _multiples(gold: str) -> list[str]:
    match = _FRACTION.fullmatch(gold)
    return [f"\\frac{{{3 * int(match[1])}}}{{{3 * int(match[2])}}}"] if match else []


REWRITINGS: Final[Mapping[str, Rule]] = {
    "itself": lambda g: [g],
    "white space around": lambda g: [f"  {g} "],
    "dollar signs": lambda g: [f"${g}$"] if "$" not in g and "\\[" not in g and "\\(" not in g else [],
    "full stop": lambda g: [f"{g}."] if g[-1:] not in ".,;:" else [],
    "display style": lambda g: [f"\\displaystyle {g}"],
    "an empty group": lambda g: [f"{g} {{}}"],
    "braces around": lambda g: [f"{{{g}}}"] if re.fullmatch(r"-?\d+(?:\.\d+)?", g) else [],
    "a name before": lambda g: [f"x = {g}"] if _unnamed(g) and "x" not in g and "," not in g else [],
    "text around a number": _when(r"-?\d+(?:\.\d+)?", lambda g: f"\\text{{{g}}}"),
    "bold": _when(r"-?\d+(?:\.\d+)?", lambda g: f"\\mathbf{{{g}}}"),
    "plus sign": _when(r"\d+", lambda g: f"+{g}"),
    "zeros before": _when(r"\d+", lambda g: f"00{g}"),
    "point zero": _when(r"-?\d+", lambda g: f"{g}.0"),
    "zero behind a decimal": _when(r"-?\d+\.\d+", lambda g: f"{g}0"),
    "decimal comma in braces": _when(r"-?\d+\.\d{1,2}", lambda g: g.replace(".", "{,}")),
    "Unicode minus": _replaced(r"-", "−"),
    "full width digits": _when(r"\d+", lambda g: g.translate({48 + i: 0xFF10 + i for i in range(10)})),
    "thousands separators": _grouped,
    "dfrac": _replaced(r"\\frac", r"\\dfrac"),
    "tfrac": _replaced(r"\\frac", r"\\tfrac"),
    "slash for a fraction": lambda g: [_FRACTION.sub(r"\1/\2", g)] if _FRACTION.fullmatch(g.lstrip("-")) else [],
    "fraction for a slash": lambda g: [_SLASH.sub(r"\\frac{\1}{\2}", g)] if _SLASH.search(g) else [],
    "a fraction not reduced": _multiples,
    "times for cdot": _replaced(r"\\cdot", r"\\times"),
    "left and right": lambda g: [re.sub(r"(?<!\\left)\(", r"\\left(", re.sub(r"(?<!\\right)\)", r"\\right)", g))]
    if "(" in g and "text" not in g and g.count("(") == g.count(")") and "\\(" not in g and "\\left" not in g else [],
    "no left and right": lambda g: [re.sub(r"\\(?:left|right)(?![A-Za-z.])\s*", "", g)] if "\\left" in g and "\\left." not in g else [],
    "big brackets": lambda g: [g.replace("\\left(", "\\Big(").replace("\\right)", "\\Big)")]
    if "\\left(" in g and "\\right)" in g else [],
    "square root without braces": _replaced(r"\\sqrt\{(\d)\}", r"\\sqrt\1"),
    "square root in plain text": lambda g: [re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", g)]
    if re.search(r"\\sqrt\{\d+\}", g) and not re.search(r"\\text|[A-Za-z]\\sqrt", g) else [],
    "pi as a letter": lambda g: [g.replace("\\pi", "π")] if re.search(r"\\pi(?![A-Za-z])", g) else [],
    "braces around an exponent": _replaced(r"\^(\d)(?!\d)", r"^{\1}"),
    "le for leq": _replaced(r"\\leq(?![A-Za-z])", r"\\le "),
    "ge for geq": _replaced(r"\\geq(?![A-Za-z])", r"\\ge "),
    "Unicode relations": lambda g: [re.sub(r"\\leq?(?![A-Za-z])", "≤", re.sub(r"\\geq?(?![A-Za-z])", "≥", g))]
    if re.search(r"\\[lg]eq?(?![A-Za-z])", g) else [],
    "degrees": _when(r"-?\d+(?:\.\d+)?\^\{?\\circ\}?", lambda g: g.split("^")[0] + "\\text{ degrees}"),
    "no degrees": _when(r"-?\d+(?:\.\d+)?\^\{?\\circ\}?", lambda g: g.split("^")[0]),
    "percent as a word": _when(r"\d+(?:\.\d+)?\\%", lambda g: g[:-2] + "\\text{ percent}"),
    "a unit behind": _when(r"\d+", lambda g: f"{g} \\text{{ cm}}"),
    "what it counts": _when(r"\d+", lambda g: f"{g} \\text{{ apples}}"),
    "text for mbox": _replaced(r"\\mbox", r"\\text"),
    "mathrm for text": lambda g: [g.replace("\\text{", "\\mathrm{")]
    if re.fullmatch(r"[\d.]+\s*\\text\{\s*[a-z]+\}", g) else [],
    "a list written otherwise": _lists,
    "thin spaces behind commas": lambda g: [g.replace(", ", ",\\,")] if ", " in g and "text" not in g else [],
    "spaces in operators": lambda g: [re.sub(r"(?<=[\d}a-z)])\s*([+=])\s*", r" \1 ", g)] if re.search(r"[\d}a-z)]\s*[+=]", g) else [],
}  # fmt: skip


# Changes -----------------------------------------------------------------------------------------


def _integers(gold: str) -> list[str]:
    """Each number of the answer, one larger."""
    if not _INTEGER.search(gold) or _has_label(gold):
        return []
    return [gold[: m.start()] + str(int(m.group()) + 1) + gold[m.end() :] for m in _NUMBER.finditer(gold)][:4]


def _has_label(gold: str) -> bool:
    """Whether numbers may stand where they are no value: a box or an equation in prose, `f(2) = 5`."""
    return bool(re.search(r"\\boxed|=|\([A-E]\)|\{0\}|\\text\{[^}]*\d|[A-Za-z]{3,} [A-Za-z]{3,}", gold))


def _signs(gold: str) -> list[str]:
    if not re.fullmatch(
        r"-?[\d.]*[1-9][\d.]*|-?\\[dt]?frac\{\d+\}\{\d+\}|-?\d*\\sqrt\{\d+\}|-?\d*\\pi", gold
    ):
        return []
    return [gold[1:] if gold.startswith("-") else f"-{gold}"]


def _inverted(gold: str) -> list[str]:
    match = _FRACTION.fullmatch(gold) or _SLASH.fullmatch(gold)
    if not match or int(match[1]) in (0, int(match[2])):
        return []
    return [f"\\frac{{{match[2]}}}{{{match[1]}}}"]


def _next(gold: str) -> str:
    return str(int(gold) + 1)


HEDGES: Final = (
    "{g} \\text{{ or }} {n}", "{n} \\text{{ or }} {g}", "{g} or {n}", "\\text{{{g} or {n}}}", "{n} \\approx {g}",
    "{n}.4 \\approx {g}", "{n} \\sim {g}", "{n} \\to {g}", "{n} \\Rightarrow {g}", "{n} = {g}", "{g} \\pm 1",
    "{n} \\pm 1", "{g}, {n}", "\\{{{g}, {n}\\}}", "[{g}, {n}]", "{n} \\text{{ (or {g})}}", "{n} \\text{{ (not }} {g})",
    "\\neq {g}", "\\text{{not }} {g}", "{g} \\text{{ is wrong}}", "{n} / {g}", "{n} \\lor {g}", "{n}; {g}",
    "{n} \\text{{ and }} {g}", "x = {g} \\text{{ or }} x = {n}", "{g} \\leq x \\leq {n}", "{n} < {g}", "{n} : {g}",
    "{n} \\mid {g}", "{n} \\quad {g}", "{n} \\\\ {g}", "\\text{{either {g} or {n}}}", "{g} \\cup {n}", "\\lnot {g}",
)  # fmt: skip


def _hedges(gold: str) -> list[str]:
    if not re.fullmatch(r"-?\d+", gold):
        return []
    return [form.format(g=gold, n=_next(gold)) for form in HEDGES]


def _hedged_values(gold: str) -> list[str]:
    """Two guesses about an answer that is no integer."""
    if not re.fullmatch(r"-?\\[dt]?frac\{\d+\}\{\d+\}|-?\d*\\sqrt\{\d+\}|-?\d*\\pi|-?\d+\.\d+", gold):
        return []
    return [
        f"{gold} \\text{{ or }} 7",
        f"7 \\text{{ or }} {gold}",
        f"7 \\approx {gold}",
        f"\\{{7, {gold}\\}}",
        f"7 \\to {gold}",
    ]


CHANGES: Final[Mapping[str, Rule]] = {
    "integer": _integers,
    "sign": _signs,
    "inverted fraction": _inverted,
    "hedge": lambda g: [*_hedges(g), *_hedged_values(g)],
    "tenfold": _when(r"-?[1-9]\d*", lambda g: f"{g}0"),
    "another unit": _when(r"[\d.]+\s*\\text\{\s*cm\}", lambda g: g.replace("cm", "m")),
    "one item less": lambda g: [", ".join(items[:-1])] if len(items := _listed(g) or []) > 2 and len(set(items)) == len(items) else [],
    "one item more": lambda g: [f"{g}, 98765"] if _listed(g) else [],
    "a strict end": lambda g: [re.sub(r"\\leq?(?![A-Za-z])", "<", g)] if re.search(r"\\leq?(?![A-Za-z])", g) else [],
    "an end left out": _when(r"\[[^\[\]]*,[^\[\]]*\)", lambda g: "(" + g[1:]),
    "another base": lambda g: [re.sub(r"_\{?(\d)\}?$", lambda m: f"_{{{int(m[1]) + 1}}}", g)] if re.fullmatch(r"\d{2,}_\{?[2-8]\}?", g) else [],
    "the other half of the day": lambda g: [re.sub(r"([aApP])(?=\s*\.?\s*[mM]\b)", lambda m: "p" if m[1] in "aA" else "a", g)]
    if re.search(r"\d\s*[aApP]\s*\.?\s*[mM]\b", g) else [],
    "a longer ratio": _when(r"\d+:\d+(?::\d+)?", lambda g: f"{g}:7"),
    "another function": lambda g: [g.replace("\\sin", "\\cos")] if "\\sin" in g and "\\cos" not in g else [],
    "floor for ceiling": lambda g: [g.replace("lceil", "lfloor").replace("rceil", "rfloor")] if "lceil" in g else [],
    "letters turned round": lambda g: [g[::-1]] if re.fullmatch(r"[A-Z]{2,4}", g) and g != g[::-1] else [],
    "square for root": lambda g: [re.sub(r"\\sqrt\{([2-9]\d*)\}", r"\1^2", g)] if re.search(r"\\sqrt\{[2-9]\d*\}", g) else [],
}  # fmt: skip


# Running -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Count:
    """What came of one rule."""

    tried: int = 0
    passed: int = 0
    #: Gold, answer, reason of those that came out wrong.
    wrong: list[tuple[str, str, str]] = field(default_factory=list)


def judge() -> Callable[[str, str], tuple[bool, str]]:
    """The verifier on a gold and a boxed answer: whether it passes, and why."""
    verifier = build(
        VerifierSpec(
            name="math",
            target="harness_math.verifier:Math",
            options={"extraction": "boxed"},
            options_model="harness_math.options:MathOptions",
        ),
        {},
    )
    verifier.open()

    def judged(gold: str, answer: str) -> tuple[bool, str]:
        task = Task(id="gold", prompt=(Message("user", "?"),), verifier="math", answer=gold)
        rollout = Rollout(
            key=RolloutKey("bench", "eval", "", 0, "gold", 0), prompt_ids=(), completion_ids=(),
            text=f"So \\boxed{{{answer}}}.", finish="stop", policy=PolicyRef(weights_sha=""), sampling=Sampling(),
        )  # fmt: skip
        verdict = verifier.verify(task, rollout)
        return verdict.status == "pass", verdict.reason

    return judged


def measured(golds: Iterable[str], rules: Mapping[str, Rule], *, right: bool) -> dict[str, Count]:
    """Each rule's count over all golds.

    Args:
        right: whether an answer should pass.
    """
    judged = judge()
    counts: dict[str, Count] = defaultdict(Count)
    for gold in golds:
        for name, rule in rules.items():
            for answer in rule(gold):
                if not balanced(answer):
                    continue
                passed, why = judged(gold, answer)
                count = counts[name]
                count.tried += 1
                count.passed += passed
                if passed != right:
                    count.wrong.append((gold, answer, why))
    return dict(counts)


def balanced(text: str) -> bool:
    """Whether a box holds a text whole."""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth < 0:
            return False
    return depth == 0


def golds_of(path: Path, name: str) -> list[str]:
    """The different golds of a file, in order.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is no JSON, or has no such field.
    """
    golds: dict[str, None] = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for number, line in enumerate(file, 1):
            if ".jsonl" not in path.name:
                values: Any = line.strip()
            else:
                row = json.loads(line)
                if name not in row:
                    raise ValueError(f"{path}, line {number}: no field {name!r}; it has {', '.join(row)}")
                values = row[name]
            for value in values if isinstance(values, list) else [values]:
                text = str(value).strip()
                if text and len(text) <= 400 and balanced(text):
                    golds[text] = None
    return list(golds)


def lines(title: str, counts: Mapping[str, Count], show: int, *, right: bool) -> Iterator[str]:
    """A table of rules, those with most wrong ones first, with examples."""
    tried, passed = (sum(getattr(c, name) for c in counts.values()) for name in ("tried", "passed"))
    share = passed / tried if tried else 0.0
    yield f"{title}: {tried} answers, {passed} pass ({share:.2%})"
    for name, count in sorted(counts.items(), key=lambda item: -len(item[1].wrong)):
        yield f"  {name:28} {count.tried:7} tried {len(count.wrong):6} {'fail' if right else 'pass'}"
        for gold, answer, why in count.wrong[:show]:
            yield f"      {gold!r} <- {answer!r}: {why}"


def faults(rewritten: Mapping[str, Count], changed: Mapping[str, Count]) -> list[str]:
    """What misses a target; nothing when all is well."""
    out = []
    tried = sum(c.tried for c in rewritten.values())
    if tried and sum(c.passed for c in rewritten.values()) / tried < REWRITTEN:
        out.append(f"at least {REWRITTEN:.1%} of rewritings pass")
    out += [f"no {name} passes" for name in STRICT if name in changed and changed[name].passed]
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("golds", type=Path, nargs="?")
    parser.add_argument("--field", default="answer", help="the field of answers in a jsonl file")
    parser.add_argument("--every", type=int, default=1, help="take every Nth gold")
    parser.add_argument("--show", type=int, default=3, help="examples a rule")
    options = parser.parse_args(arguments)
    data = Path(os.environ.get("HARNESS_DATA") or ROOT.parent / "shared" / "data")
    path = options.golds or data / DEFAULT
    if options.golds is None and not path.exists():
        print(f"no {path}: give a file of golds or set HARNESS_DATA; nothing measured")
        return 0
    golds = golds_of(path, options.field)[:: options.every]
    print(f"{len(golds)} different golds of {path}")
    rewritten = measured(golds, REWRITINGS, right=True)
    print("\n".join(lines("rewritings", rewritten, options.show, right=True)))
    changed = measured(golds, CHANGES, right=False)
    print("\n".join(lines("changes", changed, options.show, right=False)))
    missed = faults(rewritten, changed)
    print("missed: " + "; ".join(missed) if missed else "all targets met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
