"""Every benchmark as data: where its rows are, at which revision, how they are read, how many.

`version`: the number changes if scores stop being comparable (other problems, another gold), the letter
if only the interface changes (ids, tags). A revision of None is not pinned: it is resolved at the first
load, recorded with the result, and printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness_benchmarks import contests, evalplus, readers
from harness_benchmarks.readers import Reader


@dataclass(frozen=True, slots=True)
class Entry:
    """One benchmark."""

    name: str
    version: str
    #: Path inside the folder HARNESS_DATA; None if no public copy may lie there.
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
_AIME26: Final = "d2de22f3c656b4f56cf8981212186377d1e23bc3"
_HMMT_FEB25: Final = "6fdc4277120810ff75aa22d2d5489b91f7a262a1"
_HMMT_NOV25: Final = "118dbfb45c4c9467c672268ed55166642897aa46"
_HMMT_FEB26: Final = "02fba4f74d8e68e73e66a02d540fd979c05c274c"
_APEX25: Final = "ac8a641db12cc87be39e61ea89f2e04c80c5f2e7"
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
            "aime26", "1-A", "benchmarks/aime26.jsonl", "MathArena/aime_2026", "train",
            readers.Integers("aime26", papers=True), (30,), revision=_AIME26,
        ),
        Entry(
            "hmmt-feb25", "1-A", "benchmarks/hmmt_feb_2025.jsonl", "MathArena/hmmt_feb_2025", "train",
            contests.Contest("hmmt-feb25"), (30,), revision=_HMMT_FEB25,
        ),
        Entry(
            "hmmt-nov25", "1-A", "benchmarks/hmmt_nov_2025.jsonl", "MathArena/hmmt_nov_2025", "train",
            contests.Contest("hmmt-nov25"), (30,), revision=_HMMT_NOV25,
        ),
        Entry(
            "hmmt-feb26", "1-A", "benchmarks/hmmt_feb_2026.jsonl", "MathArena/hmmt_feb_2026", "train",
            contests.Contest("hmmt-feb26"), (33,), revision=_HMMT_FEB26,
        ),
        Entry(
            "brumo25", "1-A", "benchmarks/brumo_2025.jsonl", "MathArena/brumo_2025", "train",
            contests.Contest("brumo25"), (30,),
        ),
        Entry(
            "cmimc25", "1-A", "benchmarks/cmimc_2025.jsonl", "MathArena/cmimc_2025", "train",
            contests.Contest("cmimc25"), (40,),
        ),
        Entry(
            "apex25", "1-A", "benchmarks/apex_2025.jsonl", "MathArena/apex_2025", "train",
            contests.Contest("apex25"), (12,), revision=_APEX25,
        ),
        Entry(
            "beyond-aime", "1-A", "benchmarks/beyond_aime.jsonl", "ByteDance-Seed/BeyondAIME", "test",
            readers.Integers("beyond-aime"), (100,),
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
        Entry(
            "humaneval-plus", "1-A", "code/humaneval_plus.jsonl", "evalplus/humanevalplus", "test",
            evalplus.humaneval_plus, (164,),
        ),
        Entry(
            "mbpp-plus", "1-A", "code/mbpp_plus.jsonl", "evalplus/mbppplus", "test",
            evalplus.mbpp_plus, (378,),
        ),
    )
}  # fmt: skip
