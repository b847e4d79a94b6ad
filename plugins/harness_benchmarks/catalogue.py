"""Every benchmark as data: where its rows are, at which revision, how they are read, how many.

`version`: the number changes when scores stop being comparable (other problems, another gold), the
letter when only the interface does (ids, tags). A revision of None is not known to us: it is resolved
at the first load, recorded with the result, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness_benchmarks import readers
from harness_benchmarks.readers import Reader


@dataclass(frozen=True, slots=True)
class Entry:
    """One benchmark."""

    name: str
    version: str
    #: Path inside the folder HARNESS_DATA; None where no public copy may lie there.
    file: str | None
    repo: str
    split: str
    read: Reader
    #: Rows that a complete copy gives; a copy with fewer or more is refused.
    problems: tuple[int, ...]
    config: str | None = None
    revision: str | None = None
    #: The owner gives access only to those who ask.
    gated: bool = False


_AIME24: Final = "8d88b2876a82a080e2f172cc9b25d0d9d2cb4792"
_AIME25: Final = "563bb8404243c5f09de6ec262f2db674fe5bce9b"
_GSM8K: Final = "cc7b047b6e5bb11b4f1af84efc572db110a51b3c"
_HUMANEVAL: Final = "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"

ENTRIES: Final = {
    entry.name: entry
    for entry in (
        Entry(
            "aime24", "1-A", "benchmarks/aime24.jsonl", "Maxwell-Jia/AIME_2024", "train",
            readers.Integers("aime24", papers=True), (30,), revision=_AIME24,
        ),
        Entry(
            "aime25", "1-A", "benchmarks/aime25.jsonl", "math-ai/aime25", "test",
            readers.Integers("aime25", papers=True), (30,), revision=_AIME25,
        ),
        Entry(
            "aime25-alt", "1-A", "benchmarks/aime25.altwording.jsonl", "yentinglin/aime_2025", "train",
            readers.Integers("aime25", papers=True), (30,),
        ),
        Entry(
            "math500", "1-A", "benchmarks/math500.jsonl", "HuggingFaceH4/MATH-500", "test",
            readers.math500, (500,),
        ),
        Entry(
            "gsm8k", "1-A", "benchmarks/gsm8k_test.jsonl", "openai/gsm8k", "test", readers.gsm8k, (1319,),
            config="main", revision=_GSM8K,
        ),
        Entry(
            "amc23", "1-A", "benchmarks/amc23.jsonl", "math-ai/amc23", "test",
            readers.Integers("amc23"), (40,),
        ),
        Entry(
            "minerva", "1-A", "benchmarks/minerva_math.jsonl", "math-ai/minervamath", "test",
            readers.minerva, (272,),
        ),
        Entry(
            "olympiadbench", "1-A", "benchmarks/olympiadbench.jsonl", "Hothan/OlympiadBench", "train",
            # The Hub's copy has one problem fewer than the copy that most evaluations use.
            readers.olympiadbench, (675, 674), config="OE_TO_maths_en_COMP",
        ),
        Entry(
            "gpqa-diamond", "1-A", "benchmarks/gpqa_diamond.jsonl", "Idavidrein/gpqa", "train",
            readers.gpqa, (198,), config="gpqa_diamond", gated=True,
        ),
        Entry(
            "humaneval", "2-A", "code/humaneval.jsonl", "openai/openai_humaneval", "test",
            readers.humaneval, (164,), revision=_HUMANEVAL,
        ),
        Entry(
            "mbpp", "2-A", "code/mbpp.jsonl", "google-research-datasets/mbpp", "test", readers.mbpp, (500,),
            config="full",
        ),
    )
}  # fmt: skip
