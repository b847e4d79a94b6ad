"""What a model writes: the verifiers of answers, and the program in a completion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.choice import Choice
from harness_benchmarks.options import ChoiceOptions
from harness_code.extract import last_block
from harness_exact.exact import Exact, ExactOptions
from harness_exact.last_number import LastNumber, LastNumberOptions
from harness_math.options import MathOptions
from harness_math.verifier import Math
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.records import AnswerSpec, Verdict, convert
from harness.recording.ledger import Ledger, read
from tests.support import fuzz
from tests.support.builders import context, rollout, task

PIECES = (
    "\\boxed{", "}", "{", "\\frac{1}{2}", "\\frac12", "\\sqrt[3]{", "\\sqrt2", "x", "x^", "^{", "_", "2",
    "-", "+",
    "=", "\\le", "<", ",", ";", "(", ")", "[", "]", "|", "\\{", "\\}", "\\left", "\\right", "\\cup", "\\in",
    "\\pi",
    "\\infty", "\\text{", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "\\cdot", "\\times", "!", "%",
    "\\%", "$",
    "$$", "\\(", "\\)", "°", "cm", " and ", " or ", "The answer is ", "**", "1,000", "1e5", "3.14", "0.(3)",
    ".5",
    "10:30", "2024-02-30", "A", "(B)", "\\mod", "\\binom{5}{2}", "\\log_2", "\\sin", "\\int_0^1",
    "\\sum_{k=1}^n",
    "\\overline{3}", "\\circ", "'", "i", "e", "...", "\\ldots", "²", "½", "٣", "½", "∞", "≠", "\u2212",
    "<think>",
    "</think>", "\n", "\n\n", "# ", "```", "```python\n", "~~~", "> ", "- ", "    ", "print(1)\n",
    "def f(x):\n",
    "\t", "\0", "\u2028", "\x85", "\r", "\r\n", "\ud800", "\U0001f600", "`", "\\", "\\end{", "\\begin{",
    "{}", "\\hline",
)  # fmt: skip

texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=24).map("".join)
answers = st.one_of(
    texts, texts.map("\\boxed{{{}}}".format), st.integers(), st.floats(), fuzz.odd(), st.lists(texts,
    max_size=3)
)  # fmt: skip
specs = st.builds(
    AnswerSpec,
    type=st.sampled_from(("text", "integer", "number", "expression", "choice", "program")),
    unit=st.one_of(st.none(), texts), tolerance=st.one_of(st.none(), st.floats()), multiple=st.booleans(),
)  # fmt: skip
VERIFIERS: dict[str, Any] = {
    "math": Math(MathOptions(library=False), context()),
    "exact": Exact(ExactOptions(), context()),
    "last-number": LastNumber(LastNumberOptions(), context()),
    "choice": Choice(ChoiceOptions(), context()),
}


@pytest.mark.parametrize("name", VERIFIERS)
@fuzz.examples(200)
@given(answer=answers, text=texts, boxed=st.booleans(), spec=specs, cut=st.booleans())
def test_a_response_gets_a_verdict(
    name: str, answer: Any, text: str, boxed: bool, spec: AnswerSpec, cut: bool, tmp_path: Path
) -> None:
    asked = task(answer, answer_spec=spec)
    given_text = f"\\boxed{{{text}}}" if boxed else text
    given_rollout = rollout(given_text, "length" if cut else "stop")
    verdict = fuzz.outcome(
        name, lambda: VERIFIERS[name].verify(asked, given_rollout), shown=(answer, given_text)
    )
    if isinstance(verdict, Verdict):
        # It can be recorded and read again, with its response.
        path = tmp_path / "ledger.jsonl"
        path.unlink(missing_ok=True)
        with Ledger(path) as ledger:
            ledger.append("sample", rollout=given_rollout, verdict=verdict)
        (line,) = read(path)
        assert convert(line["verdict"], Verdict).status == verdict.status


@fuzz.examples(300)
@given(texts)
def test_a_program_is_found_or_not(text: str) -> None:
    program = fuzz.outcome("program", lambda: last_block(text), shown=text)
    assert program is None or isinstance(program, str)
