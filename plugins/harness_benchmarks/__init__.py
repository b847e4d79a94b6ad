"""Benchmarks from the Hub or a local folder, evaluation profiles, and the verifier of choices."""

from harness import hookimpl
from harness.plugins import Register

#: name -> (attribute of `catalogue`, summary). The catalogue itself says where the data is.
BENCHMARKS = {
    "aime24": "AIME 2024, both papers: 30 problems with integer answers",
    "aime25": "AIME 2025, both papers, in the wording of math-ai/aime25",
    "aime25-alt": "AIME 2025 in the other wording that circulates",
    "math500": "500 problems of MATH's test set, by level and subject",
    "gsm8k": "the 1,319 test problems of GSM8K",
    "amc23": "AMC 12 of 2023: 40 problems",
    "minerva": "MIT OpenCourseWare problems of Minerva: 272, some with units",
    "olympiadbench": "OlympiadBench's open-ended English mathematics without pictures",
    "gpqa-diamond": "GPQA-Diamond, multiple choice with seeded option order (gated)",
    "humaneval": "HumanEval: 164 functions to complete",
    "mbpp": "MBPP's 500 test problems",
}


@hookimpl
def register_benchmarks(register: Register) -> None:
    for name, summary in BENCHMARKS.items():
        register(
            name,
            "harness_benchmarks.benchmark:" + name.replace("-", "_"),
            options="harness_benchmarks.options:BenchmarkOptions",
            summary=summary,
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
        capabilities={"endless": False},
        summary="a data set of the Hugging Face Hub at a pinned revision, or a benchmark's rows",
    )
    register(
        "verl-data",
        "harness_benchmarks.verl_data:VerlData",
        options="harness_benchmarks.verl_data:VerlDataOptions",
        capabilities={"endless": False},
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
