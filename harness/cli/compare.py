"""`harness compare A B`: is B better than A, on which problems, and what could have been seen?"""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import LedgerError

#: What compares training.
ARMS = (
    "training is compared as arms of one recipe, which its report holds against each other: "
    '[[arms]] with name = "trl" and set = { trainer = { name = "trl" } }'
)


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("-b", "--benchmark", "only", help="Only this benchmark.")
@click.option("--flips", type=click.IntRange(0), default=20, show_default=True, help="Flips shown.")
def command(a: Path, b: Path, only: str | None, flips: int) -> None:
    """Compare evaluations A and B, paired by problem: permutation test, flips, detectable difference.

    Refused where profiles, problems or verifiers differ: such scores do not compare.
    """
    from harness.benchmarking.comparing import pair_results
    from harness.benchmarking.folder import NotAnEvaluation
    from harness.benchmarking.reading import read_evaluation
    from harness.cli.evaluations import percent

    try:
        left, right = read_evaluation(a), read_evaluation(b)
    except NotAnEvaluation as error:
        raise LedgerError(error.what, where=error.where, hint=ARMS) from None
    pairs = pair_results(left, right, only)
    for benchmark, found in pairs:
        low, high = 100 * found.interval.low, 100 * found.interval.high
        click.echo(
            f"{benchmark}: A {percent(found.a)}, B {percent(found.b)}, difference "
            f"{100 * found.difference:+.1f} points (95% interval {low:+.1f} to {high:+.1f}), "
            f"p = {found.p:.3g}, {found.problems} problems"
        )
        if found.unpaired:
            click.echo(f"  {found.unpaired} problems are in one of them only and take no part")
        verdict = "B and A differ" if found.separated() else "a tie: the test does not tell them apart"
        click.echo(
            f"  {verdict}; a difference of {100 * found.detectable:.1f} points "
            "would have been seen 4 times in 5"
        )
        for word, group in (("gained", found.gained), ("lost", found.lost)):
            click.echo(f"  {word}: {len(group)}")
            for flip in group[:flips]:
                click.echo(f"    {flip.problem}  {percent(flip.a)} -> {percent(flip.b)}")
            if len(group) > flips:
                click.echo(f"    and {len(group) - flips} more")
    if not pairs:
        raise LedgerError("have no benchmark in common", where=f"{a} and {b}")
