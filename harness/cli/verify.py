"""`harness verify`: judge gold and prediction pairs, or whole responses, with one verifier.

Verdicts go to standard output as JSON, one per line; if rows say what is `expected`, the agreement goes
to standard error. Rows are read and judged in a stream, in the order of the file.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from harness.contract.errors import UNPARSABLE, DataError, HarnessError
from harness.support.figures import percent
from harness.support.files import unpacking

if TYPE_CHECKING:
    from harness.contract.records import Rollout, Task, Verdict
    from harness.scoring import VerifierSpec

#: Rows judged at a time.
CHUNK: Final = 512
GOLD: Final = ("gold", "answer")
PREDICTION: Final = ("prediction", "response", "text")


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is right, what was said, and what the verdict should be if the row says so."""

    id: Any
    task: Task
    rollouts: tuple[Rollout, ...]
    expected: bool | None
    #: A label that its source doubts; left out of the agreement.
    suspect: bool


@dataclass(slots=True)
class Agreement:
    """Verdicts against labels. `timeout` and `no_answer` count as not passed."""

    counts: dict[tuple[bool, bool], int] = field(default_factory=dict)
    unjudged: int = 0
    suspect: int = 0

    def add(self, expected: bool, verdict: Verdict) -> None:
        if verdict.status == "infra_error":
            self.unjudged += 1
        else:
            key = (expected, verdict.status == "pass")
            self.counts[key] = self.counts.get(key, 0) + 1

    def __str__(self) -> str:
        tp, fn, fp, tn = (
            self.counts.get(key, 0) for key in ((True, True), (True, False), (False, True), (False, False))
        )
        total = tp + fn + fp + tn
        lines = [f"agreement: {tp + tn} of {total} labelled cases"]
        if total:
            lines[0] += f" ({percent((tp + tn) / total)})"
        lines.append(f"false positives: {fp}, false negatives: {fn}")
        if tp + fn and tn + fp:
            lines.append(f"balanced: {percent((tp / (tp + fn) + tn / (tn + fp)) / 2)}")
        if self.suspect:
            lines.append(f"left out: {self.suspect} whose label its source doubts")
        if self.unjudged:
            lines.append(f"not judged: {self.unjudged} (infra_error; the verdicts say why)")
        return "\n".join(lines)


@click.command(name="verify")
@click.argument("cases", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--verifier", "-v", "name", required=True, help="Name of the verifier, such as math.")
@click.option(
    "--set",
    "settings",
    metavar="OPTION=VALUE",
    multiple=True,
    help="Set an option of the verifier; repeatable.",
)
@click.option("--workers", default=2, show_default=True, help="Worker processes.")
@click.option("--deadline", default=5.0, show_default=True, help="Most seconds per check.")
@click.option("--id", "only", metavar="ID", multiple=True, help="Judge only rows with this id; repeatable.")
def command(
    cases: Path, name: str, settings: tuple[str, ...], workers: int, deadline: float, only: tuple[str, ...]
) -> int:
    """Judge the rows of CASES (JSON lines, also .gz; - is standard input).

    A row has `gold` (or `answer`) and `prediction` (or `response`, or `responses`, a list); `expected`
    (true or false), `id`, `finish` (stop, length), `unit`, `tolerance` and `multiple` are optional.
    Exit code 1 if something could not be judged.
    """
    from harness.scoring import Scorer

    spec = _spec(name, settings)
    agreement, judged, failures = Agreement(), 0, 0
    with Scorer({name: spec}, workers=workers, deadline=deadline) as scorer, closing(_lines(cases)) as lines:
        rows = _cases(lines, "standard input" if str(cases) == "-" else str(cases), name, set(only))
        while chunk := list(itertools.islice(rows, CHUNK)):
            pairs = [(case.task, rollout) for case in chunk for rollout in case.rollouts]
            verdicts = iter(scorer.score_many(pairs))
            for case in chunk:
                for verdict in itertools.islice(verdicts, len(case.rollouts)):
                    _print(case, verdict)
                    judged += 1
                    failures += verdict.status == "infra_error"
                    if case.suspect:
                        agreement.suspect += 1
                    elif case.expected is not None:
                        agreement.add(case.expected, verdict)
    sys.stdout.flush()
    if agreement.counts or agreement.unjudged:
        click.echo(str(agreement), err=True)
    elif not judged:
        raise DataError("no rows" + (f" of id {', '.join(only)}" if only else ""), where=str(cases))
    return 1 if failures else 0


def _spec(name: str, settings: tuple[str, ...]) -> VerifierSpec:
    from harness.cli.context import load_plugins
    from harness.scoring import VerifierSpec

    registration = load_plugins().registry.find("verifiers", name, where="--verifier")
    missing = registration.missing()
    if missing:
        raise HarnessError(
            f"needs {', '.join(missing)}, which is not installed",
            where=registration.where,
            hint=registration.install_line(),
        )
    options = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise HarnessError(f"{setting!r} is not a setting", where="--set", allowed="OPTION=VALUE")
        options[key] = _value(value)
    if "extraction" in _option_names(registration) and "extraction" not in options:
        # Rows written by hand are answers as often as whole responses.
        options["extraction"] = "any"
    registration.validate(options, field_path="--set")
    return VerifierSpec.of(registration, options)


def _option_names(registration: Any) -> set[str]:
    model = registration.options_model()
    return set() if model is None else set(model.model_fields)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except UNPARSABLE:
        return text


def _lines(path: Path) -> Generator[str, None, None]:
    """The lines of a file, packed or not, or of standard input, which stays open."""
    with ExitStack() as stack:
        try:
            file = (
                io.BufferedReader(_raw_stdin()) if str(path) == "-" else stack.enter_context(unpacking(path))
            )
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None
        yield from io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape")


def _raw_stdin() -> Any:
    return io.FileIO(0, closefd=False)


def _cases(lines: Any, where: str, verifier: str, only: set[str]) -> Iterator[Case]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            case = _case(_Row.of(line, f"{where}, line {number}"), number, verifier)
            if not only or str(case.id) in only:
                yield case


@dataclass(frozen=True, slots=True)
class _Row:
    values: dict[str, Any]
    where: str

    @classmethod
    def of(cls, line: str, where: str) -> _Row:
        try:
            values = json.loads(line)
        except UNPARSABLE as error:
            raise DataError(f"not JSON: {error}", where=where) from None
        if not isinstance(values, dict):
            raise DataError(f"a row is an object, not {type(values).__name__}", where=where)
        return cls(values, where)

    def get(self, name: str, kinds: tuple[type, ...], said: str) -> Any:
        """An optional field of one of these types."""
        value = self.values.get(name)
        if value is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))):
            return value
        raise DataError(f"field {name!r} is {value!r}", where=self.where, allowed=said)

    def one_of(self, names: tuple[str, ...], kinds: tuple[type, ...], said: str) -> Any:
        for name in names:
            if self.values.get(name) is not None:
                return self.get(name, kinds, said)
        raise DataError(
            f"field {names[0]!r} is missing", where=self.where, allowed=f"one of {', '.join(names)}: {said}"
        )


def _case(row: _Row, number: int, verifier: str) -> Case:
    from harness.contract.records import AnswerSpec, Finish, Message, Task

    gold = row.one_of(GOLD, (str, int, float, list), "text, a number, or a list of those")
    responses = row.get("responses", (list,), "a list of texts")
    if responses is None:
        responses = [row.one_of(PREDICTION, (str,), "text")]
    for response in responses:
        if not isinstance(response, str):
            raise DataError(
                f"field 'responses' holds {response!r}", where=row.where, allowed="a list of texts"
            )
    spec = AnswerSpec(
        unit=row.get("unit", (str,), "text"),
        tolerance=row.get("tolerance", (int, float), "a number"),
        multiple=bool(row.get("multiple", (bool,), "true or false")),
    )
    name = row.get("id", (str, int), "text or a number")
    identity = number if name is None else name
    finish = row.get("finish", (str,), "stop or length") or "stop"
    if finish not in get_args(Finish):
        allowed = ", ".join(get_args(Finish))
        raise DataError(f"field 'finish' is {finish!r}", where=row.where, allowed=allowed)
    task = Task(
        id=str(identity),
        prompt=(Message("user", str(row.values.get("problem", ""))),),
        verifier=verifier,
        answer=gold,
        answer_spec=spec,
    )
    rollouts = tuple(_rollout(text, finish, str(identity), i) for i, text in enumerate(responses))
    expected = row.get("expected", (bool,), "true or false")
    return Case(identity, task, rollouts, expected, bool(row.values.get("suspect")))


def _rollout(text: str, finish: Any, task: str, sample: int) -> Rollout:
    from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling

    return Rollout(
        key=RolloutKey("verify", "eval", "", 0, task, sample),
        prompt_ids=(),
        completion_ids=(),
        text=text,
        finish=finish,
        policy=PolicyRef(weights_sha=""),
        sampling=Sampling(),
    )


def _print(case: Case, verdict: Verdict) -> None:
    row: dict[str, Any] = {"id": case.id, "status": verdict.status, "score": verdict.score}
    row |= {"extracted": verdict.extracted, "reason": verdict.reason}
    if case.expected is not None:
        row |= {"expected": case.expected, "agrees": (verdict.status == "pass") == case.expected}
    row |= {"verifier": verdict.verifier, "verifier_hash": verdict.verifier_hash}
    row["seconds"] = round(verdict.seconds, 6)
    sys.stdout.write(json.dumps(row) + "\n")
