"""Verifier `math`: is the final answer of a response the gold answer?

Extraction first (`extract`), then integers, then the reader and its exact or numerical comparison
(`reading`, `compare`), and math-verify last, only for what the reader does not understand. Anything
whose cost cannot be bounded beforehand is refused as `timeout`, reason `cost_bound`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.contract import AnswerSpec, BuildContext, DataError, Rollout, Status, Task, Verdict
from harness.recording import verifier_hash
from harness_math import library
from harness_math.clocks import same_time
from harness_math.compare import equal
from harness_math.extract import Extracted, extract, last_boxes
from harness_math.floats import sources, text_sources
from harness_math.nodes import CostBound, Node, Num, Seq, children
from harness_math.options import MathOptions
from harness_math.prose import is_bare
from harness_math.ratios import is_ratio
from harness_math.reading import Reading, choice, integer, is_choice, option, read, understood
from harness_math.same import Terms

#: Longest extracted text kept in a verdict, in characters.
KEPT: Final = 400
#: Longest gold that is an answer as a whole as well as by what it boxes, in characters.
WHOLE_GOLD: Final = 400
#: Comparisons of texts up to this many characters are remembered.
REMEMBERED: Final = 400


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a prediction is right, and what decided."""

    right: bool
    why: str


class Math:
    """Judges by mathematical equality of the final answer. Bounded: it may run anywhere."""

    def __init__(self, options: MathOptions, context: BuildContext) -> None:
        self.options = options
        libraries = library.DISTRIBUTIONS if options.library else ()
        self.hash = verifier_hash("harness_math", options=options, libraries=libraries)

    def open(self) -> None:
        """Import the library, so that the first answer that needs it does not pay."""
        if self.options.library:
            import math_verify  # noqa: F401

    def close(self) -> None:
        """Holds nothing."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for a gold answer that is none."""
        golds = gold_answers(task)
        extracted = extract(
            rollout.text,
            thinking=self.options.thinking,
            extraction=self.options.extraction,
            truncated=rollout.truncated,
        )
        if extracted.text is None or not extracted.text.strip():
            return self._verdict(
                "no_answer", None, extracted.rule if extracted.text is None else "an empty box"
            )
        shown = extracted.text[:KEPT].encode("utf-8", "replace").decode()
        try:
            judged = judge(golds, extracted, task.answer_spec, use_library=self.options.library)
        except CostBound as bound:
            return self._verdict("timeout", shown, f"cost_bound: {bound}")
        return self._verdict("pass" if judged.right else "fail", shown, f"{extracted.rule}; {judged.why}")

    def _verdict(self, status: Status, extracted: str | None, reason: str) -> Verdict:
        return Verdict(
            status=status,
            score=None if status == "infra_error" else float(status == "pass"),
            verifier="math",
            verifier_hash=self.hash,
            extracted=extracted,
            reason=reason,
        )


# The gold ----------------------------------------------------------------------------------------


def gold_answers(task: Task) -> tuple[str, ...]:
    """The gold as sources: alternatives, or one list when the data asks for all of them.

    Raises:
        DataError: it is empty, or neither text nor numbers.
    """
    answer: Any = task.answer
    items = list(answer) if isinstance(answer, list | tuple) else [answer]
    where = f"task {task.id!r}, field 'answer'"
    if not items or any(isinstance(i, bool) or not isinstance(i, str | int | float) for i in items):
        raise DataError(f"{answer!r} is no answer", where=where, allowed="text, a number, or a list of those")
    texts = [_sources(item) for item in items]
    if any(not text.strip() for alternatives in texts for text in alternatives):
        raise DataError("the gold answer is empty", where=where)
    if task.answer_spec.multiple and len(texts) > 1:
        # As they stand, and each as the simple number that it may stand for.
        joined = (", ".join(a[-1] for a in texts), ", ".join(a[0] for a in texts))
        return tuple(dict.fromkeys(joined))
    return tuple(text for alternatives in texts for text in alternatives)


def _sources(item: str | float) -> tuple[str, ...]:
    if isinstance(item, str):
        source = _gold_source(item)
        # The gold as it stands is right, too, whatever its box or its last formula is.
        whole = (item.strip(),) if source != item and len(item) <= WHOLE_GOLD else ()
        return (*whole, *text_sources(source))
    return sources(item) if isinstance(item, float) else (repr(item),)


@functools.lru_cache(8192)
def _gold_source(text: str) -> str:
    """The answer in a gold that may be a whole solution."""
    boxes = last_boxes(text)
    if boxes:
        return ", ".join(boxes)
    if len(text) <= 60 or is_bare(text):
        return text
    return extract(text, thinking="none", extraction="any").text or text


# The comparison ----------------------------------------------------------------------------------


def judge(
    golds: Sequence[str], extracted: Extracted, spec: AnswerSpec, *, use_library: bool = True
) -> Judgement:
    """Whether what was found is one of the golds.

    Raises:
        CostBound: telling would cost too much; only when no gold matched cheaply.
    """
    bound: CostBound | None = None
    result = Judgement(False, "different")
    for gold in golds:
        try:
            short = len(gold) + len(extracted.text or "") <= REMEMBERED
            result = (_judge_again if short else _judge_one)(gold, extracted, spec, use_library)
        except CostBound as error:
            bound = error
            continue
        if result.right:
            return result
    if bound is not None:
        raise bound
    return result


@functools.lru_cache(4096)
def _judge_again(gold: str, extracted: Extracted, spec: AnswerSpec, use_library: bool) -> Judgement:
    """The samples of a problem often agree: the same comparison is made once."""
    return _judge_one(gold, extracted, spec, use_library)


def _judge_one(gold: str, extracted: Extracted, spec: AnswerSpec, use_library: bool) -> Judgement:
    text = extracted.text or ""
    if gold.strip() == text.strip():
        return Judgement(True, "same text")
    whole = integer(gold)
    if whole is not None:
        given = integer(text)
        if given is not None and spec.tolerance is None:
            return Judgement(whole == given, "integers")
    letter = choice(gold) or gold.strip()
    # A small letter in a gold is a name, unless the data says that it is a choice.
    if spec.type == "choice" or (is_choice(gold) and not letter.islower()):
        # A lower-case letter is a choice where only a choice can be meant.
        small = spec.type == "choice" or letter.upper() in "ABCDE"
        picked = choice(text.upper() if small and len(text.strip()) <= 3 else text)
        if picked is not None:
            return Judgement(picked.upper() == letter.upper(), "choice")
    offered = option(gold)
    if offered is not None:
        picked = choice(text)
        if picked is not None:
            return Judgement(picked == offered[0], "choice")
        gold = offered[1]
    elif (taken := option(text)) is not None and choice(text) is not None:
        text = taken[1]
    ours, theirs = read(gold), read(text)
    if ours.tokens == theirs.tokens:
        return Judgement(True, "same reading")
    terms = Terms(tolerance=spec.tolerance, unit=spec.unit)
    result = _any_reading(ours, theirs, terms)
    if result is not True and len(extracted.boxes) > 1 and _asks_for_several(ours):
        together = read(", ".join(extracted.boxes))
        if _any_reading(ours, together, terms):
            return Judgement(True, f"{len(extracted.boxes)} boxes together")
    if result is not None:
        return Judgement(result, "compared")
    if use_library and understood(ours) and understood(theirs):
        return Judgement(library.same(ours, theirs), "math-verify")
    return Judgement(False, "not understood")


def _asks_for_several(gold: Reading) -> bool:
    return any(isinstance(node, Seq) and len(node.items) > 1 for node in gold.nodes)


def _any_reading(ours: Reading, theirs: Reading, terms: Terms) -> bool | None:
    """Whether some reading of one is some reading of the other. When none is, the likeliest two decide
    whether that can be told."""
    if ours.clock is not None and theirs.clock is not None:
        if same_time(ours.clock, theirs.clock):
            return True
        if ours.clock.sure or theirs.clock.sure or not _in_lowest_terms(ours.nodes[0]):
            return False
    bound: CostBound | None = None
    likeliest: bool | None = False
    for i, gold in enumerate(ours.nodes):
        for j, prediction in enumerate(theirs.nodes):
            try:
                result = _equal(gold, prediction, terms)
            except CostBound as error:
                bound = error
                continue
            if result:
                return True
            if i == j == 0:
                likeliest = result
    if bound is not None:
        raise bound
    return likeliest


def _in_lowest_terms(node: Node) -> bool:
    """Whether digits with a colon may be a ratio: `8:11`, and hardly `8:20`."""
    terms = [term.value for term in children(node) if isinstance(term, Num)]
    return is_ratio(node) and len(terms) == 2 and math.gcd(*map(int, terms)) == 1


def _equal(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    try:
        return equal(gold, prediction, terms)
    except RecursionError:
        raise CostBound("nested too deep") from None
