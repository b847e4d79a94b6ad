"""Benchmarks from the Hub or a local folder, evaluation profiles, and the verifier of choices."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_CODE = ("harness_tasks",)
#: Modules that other plugins may import.
PUBLIC = ("catalogue", "options", "profile", "rows")

#: name -> (attribute of `catalogue`, summary). The catalogue itself says where the data is.
BENCHMARKS = {
    "aime24": "AIME 2024, both papers: 30 problems with integer answers",
    "aime25": "AIME 2025, both papers, in the wording of math-ai/aime25",
    "aime25-alt": "AIME 2025 in the other wording that circulates",
    "aime26": "AIME 2026, both papers, as MathArena asks it",
    "hmmt-feb25": "HMMT of February 2025: 30 problems, answers in LaTeX",
    "hmmt-nov25": "HMMT of November 2025: 30 problems, answers in LaTeX",
    "hmmt-feb26": "HMMT of February 2026: 33 problems, answers in LaTeX, three of them proofs with a result",
    "brumo25": "BRUMO 2025: 30 problems, answers in LaTeX",
    "cmimc25": "CMIMC 2025: 40 problems, answers in LaTeX",
    "apex25": "MathArena Apex 2025: the 12 hardest contest problems of its year",
    "beyond-aime": "BeyondAIME: 100 problems with integer answers, harder than AIME's",
    "math500": "500 problems of MATH's test set, by level and subject",
    "gsm8k": "the 1,319 test problems of GSM8K",
    "amc23": "AMC 12 of 2023: 40 problems",
    "minerva": "MIT OpenCourseWare problems of Minerva: 272, some with units",
    "olympiadbench": "OlympiadBench's open-ended English mathematics without pictures",
    "gpqa-diamond": "GPQA-Diamond, multiple choice with seeded option order (gated)",
    "humaneval": "HumanEval: 164 functions to complete",
    "mbpp": "MBPP's 500 test problems",
    "humaneval-plus": "HumanEval's 164 problems with EvalPlus's tests, many more of them",
    "mbpp-plus": "378 problems of MBPP with EvalPlus's tests, many more of them",
}

#: Benchmarks whose problems their owners do not let anyone pass on.
GATED = frozenset({"gpqa-diamond"})
#: The data sets of the Hub that they are, as the catalogue says.
REPOS = {
    "aime24": "Maxwell-Jia/AIME_2024", "aime25": "math-ai/aime25", "aime25-alt": "yentinglin/aime_2025",
    "aime26": "MathArena/aime_2026", "hmmt-feb25": "MathArena/hmmt_feb_2025",
    "hmmt-nov25": "MathArena/hmmt_nov_2025", "hmmt-feb26": "MathArena/hmmt_feb_2026",
    "brumo25": "MathArena/brumo_2025", "cmimc25": "MathArena/cmimc_2025", "apex25": "MathArena/apex_2025",
    "beyond-aime": "ByteDance-Seed/BeyondAIME", "math500": "HuggingFaceH4/MATH-500", "gsm8k": "openai/gsm8k",
    "amc23": "math-ai/amc23", "minerva": "math-ai/minervamath", "olympiadbench": "Hothan/OlympiadBench",
    "gpqa-diamond": "Idavidrein/gpqa", "humaneval": "openai/openai_humaneval",
    "mbpp": "google-research-datasets/mbpp", "humaneval-plus": "evalplus/humanevalplus",
    "mbpp-plus": "evalplus/mbppplus",
}  # fmt: skip
#: What the numbers of a profile hold for if it does not name the benchmark: AIME's for next year's AIME,
#: and for other contests of as few problems.
_AIME = ("aime", "aime25", "aime24")
FAMILIES = {
    **dict.fromkeys(("aime24", "aime25", "aime25-alt", "aime26"), _AIME),
    **dict.fromkeys(("hmmt-feb25", "hmmt-nov25", "hmmt-feb26"), ("hmmt", "contest", *_AIME)),
    **dict.fromkeys(("brumo25", "cmimc25", "apex25", "beyond-aime"), ("contest", *_AIME)),
}


@hookimpl
def register_benchmarks(register: Register) -> None:
    for name, summary in BENCHMARKS.items():
        capabilities: dict[str, object] = {"family": FAMILIES.get(name, ()), "repo": REPOS[name]}
        if name in GATED:
            capabilities["gated"] = True
        register(
            name,
            "harness_benchmarks.benchmark:" + name.replace("-", "_"),
            options="harness_benchmarks.options:BenchmarkOptions",
            capabilities=capabilities,
            summary=summary,
        )
    register(
        "own",
        "harness_benchmarks.own:OwnBenchmark",
        options="harness_benchmarks.own:OwnOptions",
        summary="a file of your own: -b FILE.jsonl, or -b FILE.toml that describes the benchmark",
    )


@hookimpl
def register_profiles(register: Register) -> None:
    for name, summary in (
        ("r1-standard", "DeepSeek-R1's prompt and sampling: temperature 0.6, top-p 0.95, 32k tokens"),
        ("seed-paper", "as arXiv 2504.00829: 16 samples, temperature 0.6, top-p 0.95, 32k tokens"),
        ("qwen3-thinking", "Qwen3's thinking mode: top-k 20, 38k tokens on contests"),
        ("greedy-smoke", "one greedy sample of 512 tokens without thinking: a smoke test, no score"),
    ):
        register(name, "harness_benchmarks.profile:" + name.replace("-", "_"), summary=summary)


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "hub",
        "harness_benchmarks.source:HubSource",
        options="harness_benchmarks.options:HubOptions",
        summary="a data set of the Hugging Face Hub at a pinned revision, or a benchmark's rows",
    )
    register(
        "verl-data",
        "harness_benchmarks.verl_data:VerlData",
        options="harness_benchmarks.verl_data:VerlDataOptions",
        summary="math and code rows in the form that verl trains on, from a file or the Hub",
    )


@hookimpl
def register_metrics(register: Register) -> None:
    register(
        "g-pass",
        "harness_benchmarks.stability:Stability",
        options="harness_benchmarks.stability:StabilityOptions",
        summary="G-Pass@k: the chance that most of k samples pass",
    )


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "choice",
        "harness_benchmarks.choice:Choice",
        options="harness_benchmarks.options:ChoiceOptions",
        capabilities={"bounded": True, "in_process": True},
        summary="the letter of a multiple-choice answer",
    )
