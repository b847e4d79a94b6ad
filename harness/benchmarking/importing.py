"""Another tool's answers as an evaluation: matched to a benchmark's problems, judged by a profile.

A row names its problem by id, by position or by text, and where it also gives a gold answer, that must be
the benchmark's: files in another order are noticed. A response without a `finish` that ends in the middle
of a sentence counts as truncated, since a cut response is not a wrong one.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.benchmarking.cut import looks_cut
from harness.benchmarking.folder import Asked, EvaluationFolder, create, slug
from harness.benchmarking.lines import ORIGINAL, Contents
from harness.benchmarking.problems import ProblemSet
from harness.benchmarking.profile import load_profile
from harness.benchmarking.recording import NAME, Recorder
from harness.benchmarking.run import (
    Outcome,
    Prepared,
    build_context,
    open_ledger,
    prepare_judging,
    score_all,
    verifier_specs,
    workers,
)
from harness.errors import DataError, near
from harness.generation import Sample, drain_scored
from harness.ledger import Ledger
from harness.plugins import Plugins
from harness.records import Finish, PolicyRef, Rollout, RolloutKey, Task, Verdict
from harness.scoring import Scorer

IDS: Final = ("task", "id", "task_id", "question_id")
POSITIONS: Final = ("index", "idx", "doc_id")
TEXTS: Final = ("response", "text", "output", "completion")
LISTS: Final = ("responses", "outputs", "resps", "output_list")
ANSWERS: Final = ("prediction", "answer_given")
FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop", "eos": "stop", "length": "length", "max_tokens": "length", "truncated": "length",
    "abort": "abort",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a file."""

    task: Task
    sample: int
    text: str
    finish: Finish
    #: Completion tokens, 0 where the file does not say.
    tokens: int


@dataclass(slots=True)
class Outputs:
    """A file of another tool's answers, read as a stream as often as needed."""

    path: Path
    problems: ProblemSet
    #: Only rows with these values.
    where: Mapping[str, str] = field(default_factory=dict)
    #: Leave out rows whose id is none of the benchmark's: a file of more problems than are asked.
    others: bool = False
    #: Responses that were taken for truncated, and rows that were left out.
    cut: int = 0
    left_out: int = 0

    def __iter__(self) -> Iterator[Answer]:
        """Raises DataError naming line and field of a row that does not fit."""
        self.cut = self.left_out = 0
        finder = _Finder(self.problems.tasks)
        given: dict[str, int] = {}
        seen: dict[str, int] = {}
        for number, row in _rows(self.path):
            if any(str(row.get(name)) != value for name, value in self.where.items()):
                continue
            where = f"{self.path}, line {number}"
            if self.others and finder.is_other(row):
                self.left_out += 1
                continue
            task = finder.find(row, where)
            if task is None:
                continue
            texts, whole = _texts(row, where)
            for text in texts:
                sample = row.get("sample", given.get(task.id, 0))
                if not isinstance(sample, int) or sample < 0:
                    raise DataError(f"field 'sample' is {sample!r}", where=where, allowed="0, 1, 2, ...")
                given[task.id] = sample + 1
                if seen.get(task.id, 0) >> sample & 1:
                    raise DataError(
                        f"answers sample {sample} of {task.id!r} a second time", where=where,
                        hint="--where FIELD=VALUE picks one model's or one run's rows",
                    )  # fmt: skip
                seen[task.id] = seen.get(task.id, 0) | 1 << sample
                yield Answer(task, sample, text, self._finish(row, text, whole, where), _tokens(row, where))

    def _finish(self, row: Mapping[str, Any], text: str, whole: bool, where: str) -> Finish:
        said = row.get("finish", row.get("finish_reason"))
        if said is not None:
            if said not in FINISHES:
                raise DataError(f"field 'finish' is {said!r}", where=where, allowed=", ".join(FINISHES))
            return FINISHES[said]
        if whole and looks_cut(text):
            self.cut += 1
            return "length"
        return "stop"


def import_outputs(
    outputs: Path,
    benchmark: str,
    plugins: Plugins,
    root: Path,
    *,
    model: str = "",
    profile: str = "r1-standard",
    overrides: Sequence[str] = (),
    samples: int | None = None,
    limit: int | None = None,
    where: Mapping[str, str] | None = None,
    others: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[EvaluationFolder, Outcome]:
    """Take a file's answers into a new evaluation's ledger and score them.

    Raises:
        DataError: a row does not fit; names its line and field. Nothing is written then.
    """
    name = model or outputs.name.removesuffix(".gz").removesuffix(".jsonl")
    asked = Asked(
        name="", model=name, benchmarks={benchmark: {}}, profile={}, limit=limit, samples=samples,
        base=str(Path.cwd()),
    )  # fmt: skip
    made = load_profile(profile, plugins, build_context(asked, plugins), overrides)
    asked = replace(asked, name=slug(name, made.name), profile=made.model_dump(mode="json"))
    prepared = prepare_judging(asked, plugins)
    answers = Outputs(outputs, prepared.sets[0], where or {}, others)
    most = max((answer.sample + 1 for answer in answers), default=0)
    if not most:
        raise DataError("holds no answer to this benchmark", where=str(outputs))
    if answers.left_out:
        say(f"{answers.left_out} rows answer problems that are not asked: they are left out")
    if answers.cut:
        say(f"{answers.cut} responses have no 'finish' and end in mid-sentence: they count as truncated")
    asked = replace(asked, samples=samples or most)
    prepared = replace(prepared, asked=asked, sets=[replace(prepared.sets[0], samples=samples or most)])
    folder = create(asked, root)
    return folder, _take_in(folder, prepared, answers)


def _take_in(folder: EvaluationFolder, prepared: Prepared, answers: Outputs) -> Outcome:
    problems = prepared.sets[0]
    policy = PolicyRef(weights_sha=prepared.asked.model)
    tokens: dict[tuple[str, int], int] = {}

    def pairs() -> Iterator[tuple[Task, Rollout]]:
        for answer in answers:
            if answer.sample >= problems.samples:
                continue
            tokens[answer.task.id, answer.sample] = answer.tokens
            key = RolloutKey(prepared.stream, "eval", problems.name, 0, answer.task.id, answer.sample)
            yield answer.task, Rollout(
                key=key, prompt_ids=(), completion_ids=(), text=answer.text, finish=answer.finish,
                policy=policy, sampling=problems.sampling,
            )  # fmt: skip

    with ExitStack() as stack:
        scorer = stack.enter_context(Scorer(verifier_specs(prepared), workers=workers()))
        scorer.start()
        ledger = stack.enter_context(Ledger(folder.ledger))
        contents = Contents(folder.ledger)
        open_ledger(folder, prepared, scorer, ledger, contents)
        recorder = Recorder(prepared.sets, contents.tallies[ORIGINAL], ledger)

        def receive(samples: Sequence[Sample]) -> None:
            ledger.append_many("sample", [line(*sample) for sample in samples])
            recorder.received += len(samples)

        def line(task: Task, rollout: Rollout, verdict: Verdict) -> dict[str, Any]:
            count = tokens.pop((task.id, rollout.key.sample))
            tail = recorder.count(task, rollout, verdict, count)
            return {
                "name": NAME, "heldout": problems.name, "stage": "", "step": 0, "rollout": rollout,
                "verdict": verdict, "tokens": count, "prompt_tokens": 0, "tail": tail,
            }  # fmt: skip

        drain_scored(pairs(), scorer, receive)
        return score_all(folder, prepared, scorer, recorder, contents)


class _Finder:
    """Which problem a row answers."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._by_id = {task.id: task for task in tasks}
        self._texts = [(_plain(task.prompt[-1].content), task) for task in tasks]

    def is_other(self, row: Mapping[str, Any]) -> bool:
        """Whether a row names a problem by an id that none of these has."""
        named = next((row[name] for name in IDS if isinstance(row.get(name), str)), None)
        return named is not None and named not in self._by_id

    def find(self, row: Mapping[str, Any], where: str) -> Task | None:
        """The task; None for a position beyond the first problems that were asked for."""
        task = self._named(row, where)
        gold = row.get("gold")
        if task is not None and isinstance(gold, str | int | float) and _plain(gold) != _plain(task.answer):
            raise DataError(
                f"field 'gold' is {gold!r}, but the answer of {task.id!r} is {task.answer!r}",
                where=where,
                hint="the file is of another benchmark, or in another order",
            )
        return task

    def _named(self, row: Mapping[str, Any], where: str) -> Task | None:
        for name in IDS:
            if isinstance(row.get(name), str):
                found = self._by_id.get(row[name])
                if found is None:
                    raise DataError(
                        f"field {name!r}: no problem is named {row[name]!r}", where=where,
                        allowed=near(row[name], list(self._by_id)[:2000]),
                    )  # fmt: skip
                return found
        for name in POSITIONS:
            position = row.get(name)
            if isinstance(position, int) and not isinstance(position, bool):
                if position < 0:
                    raise DataError(f"field {name!r} is {position}", where=where, allowed="0, 1, 2, ...")
                return self._tasks[position] if position < len(self._tasks) else None
        text = row.get("problem")
        if isinstance(text, str):
            plain = _plain(text)
            found = next((task for asked, task in self._texts if plain and plain in asked), None)
            if found is None:
                raise DataError("field 'problem' is none of the benchmark's problems", where=where)
            return found
        raise DataError(
            f"names no problem; the row has {', '.join(sorted(row))}", where=where,
            allowed=f"one of {', '.join((*IDS, *POSITIONS, 'problem'))}",
        )  # fmt: skip


def _plain(value: Any) -> str:
    return "".join(str(value).split())


def _texts(row: Mapping[str, Any], where: str) -> tuple[list[str], bool]:
    """A row's answers, and whether they are whole responses (else bare predictions)."""
    for names, whole in ((TEXTS, True), (LISTS, True), (ANSWERS, False)):
        for name in names:
            value = row.get(name)
            values = value if isinstance(value, list) else [value]
            if value is None:
                continue
            texts = [text for text in values if isinstance(text, str)]
            if not texts or len(texts) < len(values):
                raise DataError(
                    f"field {name!r} is not text", where=where, allowed="text, or a list of texts"
                )
            return texts, whole
    raise DataError(
        f"holds no answer; the row has {', '.join(sorted(row))}", where=where,
        allowed=f"one of {', '.join((*TEXTS, *LISTS, *ANSWERS))}",
    )  # fmt: skip


def _tokens(row: Mapping[str, Any], where: str) -> int:
    value = row.get("tokens", 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"field 'tokens' is {value!r}", where=where, allowed="a number of tokens")
    return value


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = msgspec.json.Decoder()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise DataError(f"is not JSON: {error}", where=f"{path}, line {number}") from None
                if not isinstance(row, dict):
                    raise DataError("is no object", where=f"{path}, line {number}")
                yield number, row
    except (OSError, EOFError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
