"""Writes docs/explanation/validation.md: outputs of other people's runs, judged again, beside their scores.

python docs/make/validate.py [--check]     the data is found by HARNESS_DATA, else in ../shared/data

Each difference is explained by the samples that differ: their gold and their answer, and who is right. The
judgement of who is right is ours, made by hand once and kept below; a sample that is not in that list is
printed as open, so that a changed verifier shows up as a line to look at.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness import statistics
from harness.benchmarking.cut import looks_cut
from harness.contract.records import (
    AnswerSpec,
    Finish,
    Message,
    PolicyRef,
    Rollout,
    RolloutKey,
    Sampling,
    Task,
    Verdict,
)
from harness.evaluating.tail import gold_in_tail
from harness.plugging.plugins import load
from harness.scoring import Scorer, VerifierSpec

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE.parent / "explanation" / "validation.md"
#: sample -> who is right, and why: decided by hand.
DECIDED: Final = HERE / "validation.toml"

INTRO: Final = """\
# Validation against other people's runs

Outputs of real models, as their owners published them, judged by the verifier `math` and put beside the
published number. Written by `python docs/make/validate.py`; a test compares it with what the code says now.

A published score and ours differ for one reason only, since the responses are the same: extraction and
grading. The samples that differ are listed with who is right, decided by hand.
"""


def data_folder() -> Path:
    """The folder of real data; ends the program when there is none."""
    given = os.environ.get("HARNESS_DATA")
    folder = Path(given) if given else HERE.parents[2] / "shared" / "data"
    if not folder.is_dir():
        raise SystemExit(f"no data: HARNESS_DATA is unset and {folder} is absent")
    return folder


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            yield json.loads(line)


@dataclass(frozen=True)
class Case:
    """One response with what others said of it."""

    name: str
    gold: str
    response: str
    finish: Finish = "stop"
    #: What the published grader said, where the file has it by sample.
    published: bool | None = None


def judged(cases: Sequence[Case], scorer: Scorer) -> list[Verdict]:
    pairs = []
    for case in cases:
        task = Task(
            id=case.name, prompt=(Message("user", ""),), verifier="math", answer=case.gold,
            answer_spec=AnswerSpec(type="expression"),
        )  # fmt: skip
        rollout = Rollout(
            key=RolloutKey("validation", "eval", "", 0, case.name, 0), prompt_ids=(), completion_ids=(),
            text=case.response, finish=case.finish, policy=PolicyRef(weights_sha=""), sampling=Sampling(),
        )  # fmt: skip
        pairs.append((task, rollout))
    return scorer.score_many(pairs)


def page(data: Path) -> str:
    """The page's text."""
    decided = tomllib.loads(DECIDED.read_text()) if DECIDED.exists() else {}
    registration = load().registry.find("verifiers", "math")
    with (
        Scorer({"math": VerifierSpec.of(registration, {"thinking": "none"})}, deadline=60) as final,
        Scorer(
            {"math": VerifierSpec.of(registration, {"thinking": "none", "extraction": "any"})}, deadline=60
        ) as any_,
    ):
        parts = [
            INTRO,
            predictions(data, final, decided.get("predictions", {})),
            sampled(data, final, decided.get("sampled", {})),
            truncated(data, any_),
            programs(data),
        ]
    return "\n".join(parts)


def predictions(data: Path, scorer: Scorer, decided: Mapping[str, str]) -> str:
    """Two models' final answers to MATH-500, whose published scores a grader alone moved."""
    by_model: dict[str, list[Case]] = {}
    for row in rows(data / "outputs" / "math500_rasbt_predictions.jsonl"):
        by_model.setdefault(row["model"], []).append(
            Case(f"{row['model']}/{row['index']:03d}", row["gold"], row["prediction"])
        )
    lines = [
        "## MATH-500, two models' predictions (rasbt)\n",
        "| model | published, twice | math-verify | ours | benchmark interval |",
        "|---|---|---|---|---|",
    ]
    published = {"gpt": ("457 and 458", "471"), "qwen3": ("277 and 282", "298")}
    disputed: list[tuple[Case, Verdict, bool]] = []
    for model, cases in by_model.items():
        verdicts = judged(cases, scorer)
        passes = [int(v.status == "pass") for v in verdicts]
        interval = statistics.score_counts(passes, 1).benchmark
        lines.append(
            f"| {model} | {published[model][0]} of 500 | {published[model][1]} | **{sum(passes)}** | "
            f"{100 * interval.low:.1f} to {100 * interval.high:.1f} % |"
        )
        alone = math_verify_alone(cases)
        disputed += [
            (c, v, theirs)
            for c, v, theirs in zip(cases, verdicts, alone, strict=True)
            if (v.status == "pass") != theirs
        ]
    lines += [
        "",
        "The publisher's grader says nothing by sample, so the differences listed are those with math-verify "
        "alone, asked with its defaults about the gold in dollars and the prediction as it stands.",
        "",
        *listed(disputed, decided, "math-verify"),
    ]
    return "\n".join(lines) + "\n"


def math_verify_alone(cases: Iterable[Case]) -> list[bool]:
    """What math-verify says by itself."""
    import logging

    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)
    return [
        bool(verify(parse(f"${case.gold}$", parsing_timeout=None), parse(case.response, parsing_timeout=None),
                    timeout_seconds=None))
        for case in cases
    ]  # fmt: skip


def sampled(data: Path, scorer: Scorer, decided: Mapping[str, str]) -> str:
    """Eight sampled responses a problem, with the owner's verdicts."""
    cases: list[Case] = []
    sizes: list[int] = []
    for row in rows(data / "outputs" / "math100_qwen2.5-math_n8.jsonl.gz"):
        marks = row.get("correct") or [None] * len(row["responses"])
        sizes.append(len(row["responses"]))
        cases += [
            Case(f"{row['idx']:03d}/{i}", row["gold"], text, "stop", None if mark is None else bool(mark))
            for i, (text, mark) in enumerate(zip(row["responses"], marks, strict=True))
        ]
    verdicts = judged(cases, scorer)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    ours = [[v.status == "pass" for v in verdicts[s : s + n]] for s, n in zip(starts, sizes, strict=True)]
    theirs = [[bool(c.published) for c in cases[s : s + n]] for s, n in zip(starts, sizes, strict=True)]
    answers = [_votes(verdicts[s : s + n]) for s, n in zip(starts, sizes, strict=True)]
    table = ["| | avg@8 | pass@1 | pass@4 | pass@8 | maj@8 |", "|---|---|---|---|---|---|"]
    for name, marks in (("published verdicts", theirs), ("ours", ours)):
        at = statistics.pass_at_k([sum(m) for m in marks], sizes, [1, 4, 8]).mean(axis=1)
        majority = sum(
            statistics.maj_at_k(a, m) for a, m in zip(answers, marks, strict=True)
        ) / len(marks)  # fmt: skip
        average = statistics.avg_at_k(marks)
        table.append(f"| {name} | " + " | ".join(f"{100 * x:.2f}" for x in (average, *at, majority)) + " |")
    disputed = [
        (c, v, c.published)
        for c, v in zip(cases, verdicts, strict=True)
        if c.published is not None and (v.status == "pass") != c.published
    ]
    return "\n".join([
        "## MATH, 100 problems x 8 samples (Qwen2.5-Math)\n", *table, "",
        "Votes of maj@8 are extracted answers, under both rows; those that mean the same are one vote.", "",
        *listed(disputed, decided, "published"),
    ]) + "\n"  # fmt: skip


def _votes(verdicts: Sequence[Verdict]) -> list[str | None]:
    """Extracted answers, each as the most frequent writing of what it means."""
    from harness_math.votes import same_answer

    given = [v.extracted for v in verdicts]
    heads = statistics.united(Counter(a for a in given if a is not None), same_answer)
    return [None if a is None else heads[a] for a in given]


def truncated(data: Path, scorer: Scorer) -> str:
    """A published 0.0 that is no score: cut responses, compared as a whole."""
    lines = [
        "## MATH-500, responses cut at 256 tokens (lm-eval logs)\n",
        "| run | published | truncated | no answer | ours, as is | of whole responses | gold in tail |",
        "|---|---|---|---|---|---|---|",
    ]
    runs: dict[int, list[Case]] = {}
    for row in rows(data / "outputs" / "math500_gpt-4o_lmeval_truncated.jsonl.gz"):
        cut: Finish = "length" if looks_cut(row["response"]) else "stop"
        runs.setdefault(row["run"], []).append(
            Case(
                f"{row['run']}/{row['doc_id']:03d}",
                row["gold"],
                row["response"],
                cut,
                bool(row["exact_match"]),
            )
        )
    for run, cases in sorted(runs.items()):
        verdicts = judged(cases, scorer)
        whole = [v.status == "pass" for c, v in zip(cases, verdicts, strict=True) if c.finish == "stop"]
        passes = sum(v.status == "pass" for v in verdicts)
        tail = sum(
            v.status != "pass" and gold_in_tail(c.gold, c.response)
            for c, v in zip(cases, verdicts, strict=True)
        )
        size = len(cases)
        lines.append(
            f"| {run} | {sum(bool(c.published) for c in cases) / size:.1%} | "
            f"{sum(c.finish == 'length' for c in cases) / size:.1%} | "
            f"{sum(v.status == 'no_answer' for v in verdicts) / size:.1%} | {passes / size:.1%} | "
            f"{sum(whole)} of {len(whole)} | {tail / size:.1%} |"
        )
    lines += [
        "",
        "The published 0.0 compares whole responses with the gold answer. The logs do not say how a response "
        "ended; one that ends in the middle of a sentence or a formula counts as truncated. Four in five "
        "are, so that neither 0.0 nor ours says anything of the model: `truncated` and `no answer` say why.",
    ]
    return "\n".join(lines) + "\n"


def programs(data: Path) -> str:
    """LiveCodeBench programs with upstream's verdicts: the count, since programs need the sandbox."""
    rated = list(rows(data / "outputs" / "lcb_qwen2.5-7b-instruct.jsonl.gz"))
    right = sum(bool(row["graded_list"][0]) for row in rated)
    return "\n".join([
        "## LiveCodeBench v6 (Qwen2.5-7B-Instruct)\n",
        f"Upstream's own verdicts: {right} of {len(rated)} pass, {right / len(rated):.4f}; published 0.2389. "
        "Here only the arithmetic is checked: programs are judged in a sandbox.",
    ]) + "\n"  # fmt: skip


def listed(
    disputed: Sequence[tuple[Case, Verdict, bool]], decided: Mapping[str, str], other: str
) -> list[str]:
    """A row for each sample that is judged differently."""
    if not disputed:
        return ["No sample is judged differently."]
    out = [
        f"{len(disputed)} samples are judged differently:", "",
        f"| sample | gold | answer | {other} | ours | who is right |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for case, verdict, theirs in disputed:
        answer = verdict.extracted if verdict.extracted is not None else case.response[-60:]
        out.append(
            f"| {case.name} | {cell(case.gold)} | {cell(answer)} | {'pass' if theirs else 'fail'} | "
            f"{verdict.status} | {decided.get(case.name, 'open')} |"
        )
    return out


def cell(text: str) -> str:
    shown = " ".join(text.split())
    shown = shown if len(shown) <= 90 else shown[:87] + "..."
    return "`" + shown.replace("`", "'").replace("|", "\\|") + "`" if shown else "(empty)"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    options = parser.parse_args()
    made = page(data_folder())
    if options.check:
        stale = not PAGE.exists() or PAGE.read_text() != made
        print("stale: validation.md; run make docs" if stale else "validation.md is up to date")
        return int(stale)
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
