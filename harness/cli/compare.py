"""`harness compare A B`: is B better than A, on which problems, and what could have been seen?

`harness compare STUDY`: what the arms of a study save (`harness.cli.savings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from harness.cli.gating import Points, show_gates
from harness.contract.errors import LedgerError, near
from harness.support.figures import percent

#: What compares training.
ARMS = (
    "training is compared as arms of one recipe, by harness compare STUDY and its report: "
    '[[arms]] with name = "trl" and set = { trainer = { name = "trl" } }'
)

OF_EVALUATIONS: Final = ("only", "scoring", "flips", "margin")
OF_STUDIES: Final = ("threshold", "strata", "heldout", "baseline", "axis", "arms", "as_json")


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path), required=False)
@click.option("-b", "--benchmark", "only", help="Only this benchmark.")
@click.option(
    "--scoring",
    type=int,
    metavar="NUMBER",
    help="Compare this judgement of A and B; 0 is the one made while generating. Default: each one's latest.",
)
@click.option(
    "--flips", type=click.IntRange(0), default=20, show_default=True, help="Most flipped problems to list."
)
@click.option(
    "--fail-if-worse-than",
    "margin",
    type=Points(),
    metavar="POINTS",
    help="Exit with 0 if B is not worse than A by more than POINTS (2pt), with 4 if B is worse, with 5 if "
    "there are not enough samples to tell.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    help="Score that arms of a study are to reach. By default what the recipe's reporters say.",
)
@click.option(
    "--strata",
    metavar="A,B",
    help="Strata of the held-out set that count. By default the recipe's, else all.",
)
@click.option("--heldout", metavar="NAME", help="Held-out set. By default the recipe's first.")
@click.option("--baseline", metavar="ARM", help="Arm that the others are compared with. Default: the first.")
@click.option(
    "--axis",
    type=click.Choice(["rollouts", "tokens", "cpu_seconds"]),
    help="Cost of a study's arms. By default the recipe's, else rollouts.",
)
@click.option(
    "--two-by-two",
    "arms",
    metavar="A,B,C,D",
    help="Arms of a study that are a 2 x 2: neither factor, the first, the second, both. Prints main effects "
    "and interaction.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a study's comparison as one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    /,
    a: Path,
    b: Path | None,
    only: str | None,
    scoring: int | None,
    flips: int,
    margin: float | None,
    as_json: bool,
    strata: str | None,
    arms: str | None,
    **terms: Any,
) -> int:
    """Compare evaluations A and B, or the arms of the study A.

    Two evaluations are paired by problem: permutation test, flips, detectable difference. Differences are B
    minus A: above 0, B is better. Gained are the problems that B solves more often. The comparison is
    refused if profiles, problems or verifiers differ, because such scores do not compare.

    With --fail-if-worse-than the exit code is the answer: 0 not worse, 4 worse, 5 not enough samples (the
    output says how many would be enough); 2 is an error.

    A study alone: what each arm needs until the threshold, and its area under the curve, as ratios of
    medians to the baseline arm over paired seeds, with bootstrap intervals. A crossing is the first of two
    evaluations in a row at or above the threshold. With fewer than 10 paired seeds the output says that they
    prove no saving.
    """
    if b is not None:
        _refuse(context, OF_STUDIES, "the arms of a study")
        return _evaluations(a, b, only, scoring, flips, margin)
    _refuse(context, OF_EVALUATIONS, "two evaluations")
    _refuse_evaluation(a)
    named = _names(strata)
    if arms is None:
        from harness.cli.savings import show_study

        show_study(a, {**terms, "threshold_strata": named}, as_json=as_json)
    else:
        from harness.cli.factorial import show_factorial

        show_factorial(a, _names(arms), terms["heldout"], named, as_json=as_json)
    return 0


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _refuse(context: click.Context, names: Sequence[str], what: str) -> None:
    """Options that mean nothing here, if any was given."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if parameter.name in names and given:
            raise click.UsageError(f"{parameter.opts[-1]} is for comparing {what}")


def _refuse_evaluation(a: Path) -> None:
    """Raise LedgerError for an evaluation that stands alone."""
    from harness.benchmarking.folder import open_folder

    try:
        open_folder(a)
    except LedgerError:  # a study, or a fault that reading it names
        return
    raise LedgerError(
        "is an evaluation, which is compared with another one", where=str(a), hint=f"harness compare {a} B"
    )


def _evaluations(
    a: Path, b: Path, only: str | None, scoring: int | None, flips: int, margin: float | None
) -> int:
    from harness.benchmarking.comparing import pair_results
    from harness.benchmarking.folder import NotAnEvaluation
    from harness.benchmarking.reading import read_evaluation

    try:
        left, right = read_evaluation(a, scoring), read_evaluation(b, scoring)
    except NotAnEvaluation as error:
        raise LedgerError(error.what, where=error.where, hint=ARMS) from None
    pairs = pair_results(left, right, only)
    for letter, side in (("A", left), ("B", right)):
        again = f", scoring {side.scoring}" if side.scoring else ""
        click.echo(f"{letter}: {side.folder.folder}, {side.opened['model']['name']}{again}")
    for benchmark, comparison in pairs:
        low, high = 100 * comparison.interval.low, 100 * comparison.interval.high
        click.echo(
            f"{benchmark}: A {percent(comparison.a)}, B {percent(comparison.b)}, B minus A "
            f"{100 * comparison.difference:+.1f} points (95% interval {low:+.1f} to {high:+.1f}), "
            f"p = {comparison.p:.3g}, {comparison.problems} problems"
        )
        if comparison.unpaired:
            click.echo(f"  {comparison.unpaired} problems are in one of them only and take no part")
        verdict = "B and A differ" if comparison.separated() else "a tie: the test does not tell them apart"
        click.echo(
            f"  {verdict}; a difference of {100 * comparison.detectable:.1f} points "
            "would have been seen 4 times in 5"
        )
        for word, group in (("gained", comparison.gained), ("lost", comparison.lost)):
            click.echo(f"  {word}: {len(group)}")
            for flip in group[:flips]:
                click.echo(f"    {flip.problem}  {percent(flip.a)} -> {percent(flip.b)}")
            if len(group) > flips:
                click.echo(f"    and {len(group) - flips} more")
    if not pairs:
        common = {r.benchmark for r in left.results} & {r.benchmark for r in right.results}
        raise LedgerError(
            "have no benchmark in common" if only is None else f"have no benchmark {only!r} in common",
            where=f"{a} and {b}", allowed=near(only or "", common) if common else "",
        )  # fmt: skip
    return 0 if margin is None else show_gates(left, right, [name for name, _ in pairs], margin)
