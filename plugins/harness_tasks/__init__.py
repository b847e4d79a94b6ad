"""Sources of tasks."""

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("permutation", "rows", "splits", "strata", "wording")


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "arithmetic-chain",
        "harness_tasks.chain:ArithmeticChain",
        options="harness_tasks.chain:ChainOptions",
        summary="chains of + and - with every running value mod 10; strata by number of operations",
    )
    register(
        "small-functions",
        "harness_tasks.functions:SmallFunctions",
        options="harness_tasks.functions:FunctionOptions",
        summary="Python functions of a few operations, for the verifier code; strata by their number",
    )
    register(
        "jsonl",
        "harness_tasks.jsonl:Jsonl",
        options="harness_tasks.jsonl:JsonlOptions",
        summary="the rows of a jsonl or parquet file",
    )
