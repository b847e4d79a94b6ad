"""Reporter `tokens-saved`: what an arm's answers cost, in tokens, and whether they are as often right.
 Per seed, both sums are over the same held-out problems, and arms are compared seed by seed (a paired t
interval), since a seed's arms share their warm-up and their order of tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contract import BuildContext, DataError, ReportContext, Reported, near
from harness.readout import Run, Study, read_study
from harness.statistics import Spread, spread
from harness.support import percent

from harness_diet.options import TokensSavedOptions


@dataclass(frozen=True, slots=True)
class Answers:
    """One run's answers after its last stage."""

    seed: int
    rate: float
    tokens: float
    #: Tokens per answer of each stratum.
    by_stratum: dict[str, float]


@dataclass(frozen=True, slots=True)
class Saving:
    """An arm against the first, over their seeds."""

    arm: str
    rate: Spread
    tokens: Spread
    #: Differences of the pass rate, and shares of the first arm's tokens that are saved; None for the first.
    gained: Spread | None
    saved: Spread | None

    def equal(self, margin: float) -> bool:
        """Whether accuracy is equal: its loss is below the margin with 95 % confidence."""
        return (
            self.gained is not None
            and self.gained.interval is not None
            and self.gained.interval.low > -margin
        )


def savings(study: Study, heldout: str) -> list[Saving]:
    """Every arm that has finished runs, the first one first."""
    arms = {arm: _answers(study.of(arm), heldout) for arm in study.arms}
    known = [arm for arm in study.arms if arms[arm]]
    if not known:
        return []
    base = {answers.seed: answers for answers in arms[known[0]]}
    made = []
    for arm in known:
        pairs = [(base[a.seed], a) for a in arms[arm] if a.seed in base and arm != known[0]]
        made.append(
            Saving(
                arm,
                spread([a.rate for a in arms[arm]]),
                spread([a.tokens for a in arms[arm]]),
                spread([a.rate - b.rate for b, a in pairs]) if pairs else None,
                spread([1 - a.tokens / b.tokens for b, a in pairs]) if pairs else None,
            )
        )
    return made


def _answers(runs: Sequence[Run], heldout: str) -> list[Answers]:
    made = []
    for run in runs:
        done = [e for e in run.on(heldout) if e.judged]
        if run.state == "finished" and done:
            strata = {name: c.tokens / c.samples for name, c in done[-1].strata.items() if c.samples}
            made.append(Answers(run.seed, done[-1].score(), done[-1].scores["tokens"], strata))
    return made


class TokensSaved:
    """Writes `report/tokens.md` in the study's folder (protocol `Reporter`)."""

    def __init__(self, options: TokensSavedOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or TokensSavedOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the table.

        Raises:
            DataError: the held-out set that the options name is not there.
        """
        study = read_study(context.folder)
        heldout = self.options.heldout or next(iter(study.heldouts), "")
        if heldout not in study.heldouts:
            raise DataError(
                f"no held-out set {heldout!r}",
                where=str(context.folder),
                allowed=near(heldout, study.heldouts),
            )
        made = savings(study, heldout)
        if not made:
            return Reported([], ["No run has finished with a score, so no tokens were counted."])
        path = context.folder / "report" / "tokens.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(_table(made, heldout, self.options.margin)) + "\n", encoding="utf-8")
        return Reported([path], [_sentence(saving, made[0].arm, self.options.margin) for saving in made[1:]])


def _table(made: Sequence[Saving], heldout: str, margin: float) -> list[str]:
    lines = [
        f"Tokens per answer on {heldout} after the last stage.",
        "Intervals are 95 % over seeds, differences are paired by seed.",
        "",
        "| arm | pass rate | tokens per answer | pass rate gained | tokens saved | equal accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for saving in made:
        equal = "" if saving.gained is None else "yes" if saving.equal(margin) else "not shown"
        cells = [
            saving.arm, _rate(saving.rate), _plain(saving.tokens), _rate(saving.gained), _rate(saving.saved),
            equal
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", f"Equal: the loss is below {percent(margin)} with 95 % confidence."]


def _sentence(saving: Saving, base: str, margin: float) -> str:
    equal = "at equal accuracy" if saving.equal(margin) else "equal accuracy not shown"
    return (
        f"{saving.arm} saves {_rate(saving.saved)} of the tokens of {base}, {equal} ({_rate(saving.gained)})."
    )


def _rate(over_seeds: Spread | None) -> str:
    if over_seeds is None:
        return ""
    words = f"{100 * over_seeds.mean:+.1f}" if over_seeds.low < 0 else f"{100 * over_seeds.mean:.1f}"
    if over_seeds.interval is None:
        return f"{words} %"
    return f"{words} % ({100 * over_seeds.interval.low:.1f} to {100 * over_seeds.interval.high:.1f})"


def _plain(over_seeds: Spread) -> str:
    if over_seeds.interval is None:
        return f"{over_seeds.mean:.2f}"
    return f"{over_seeds.mean:.2f} ({over_seeds.interval.low:.2f} to {over_seeds.interval.high:.2f})"
