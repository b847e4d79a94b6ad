"""Another tool's answers as an evaluation: matched to a benchmark's problems, judged by a profile.

A row names its problem by id, by position or by text, and if it also gives a gold answer, that must be
the benchmark's: files in another order are noticed. A response without a `finish` that ends in the middle
of a sentence counts as truncated, since a cut response is not a wrong one.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.benchmarking.cut import looks_cut
from harness.benchmarking.folder import Asked, EvaluationFolder, create, slug
from harness.benchmarking.lines import ORIGINAL, Contents
from harness.benchmarking.matching import (
    IDS,
    POSITIONS,
    GoldCheck,
    Naming,
    SameGold,
    names_of,
    position_of,
    same_text,
    survey,
)
from harness.benchmarking.problems import ProblemSet, asked_benchmarks, families
from harness.benchmarking.profile import load_profile
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
from harness.contract.errors import UNPARSABLE, DataError, PluginError, near
from harness.contract.records import Finish, PolicyRef, Rollout, RolloutKey, Task, Verdict
from harness.evaluating.recording import NAME, Recorder
from harness.plugging.plugins import Plugins
from harness.recording.ledger import Ledger
from harness.scoring import Scorer
from harness.scoring.generation import Judgement, drain_scored
from harness.support import content
from harness.support.files import unpacking
from harness.support.finishes import WORDS, finish_of

TEXTS: Final = (
    "response", "text", "output", "completion", "generation", "generated_text", "model_output",
)  # fmt: skip
LISTS: Final = ("responses", "outputs", "resps", "output_list", "completions", "generations")
ANSWERS: Final = ("prediction", "answer_given")
FINISHES: Final = ("finish", "finish_reason", "finish_reasons")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a file."""

    task: Task
    sample: int
    text: str
    finish: Finish
    #: Completion tokens, 0 if the file does not say.
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
    #: How the rows name problems, and how their gold answers are compared.
    naming: Naming = field(default_factory=Naming)
    same: SameGold = same_text
    #: All problems of the benchmark, if only the first of them are asked.
    every: Sequence[Task] = ()
    #: Responses that were taken for truncated, and rows that were left out.
    cut: int = 0
    left_out: int = 0

    def __iter__(self) -> Iterator[Answer]:
        """Raises DataError naming line and field of a row that does not fit."""
        self.cut = self.left_out = 0
        finder = _Finder(self.problems.tasks, self.naming, self.same, self.every)
        given: dict[str, int] = {}
        seen: dict[str, int] = {}
        for number, row in self.rows():
            where = f"{self.path}, line {number}"
            if self.others and finder.is_other(row):
                self.left_out += 1
                continue
            task = finder.find(row, where)
            if task is None:
                continue
            texts, whole = _texts(row, where)
            finishes = _finishes(row, len(texts), where)
            for text, finish in zip(texts, finishes, strict=True):
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
                yield Answer(task, sample, text, finish or self._guessed(text, whole), _tokens(row, where))

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(line, row) of the rows that `where` takes."""
        for number, row in _rows(self.path):
            if all(str(row.get(name)) == value for name, value in self.where.items()):
                yield number, row

    def _guessed(self, text: str, whole: bool) -> Finish:
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
    first: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[EvaluationFolder, Outcome]:
    """Take a file's answers into a new evaluation's ledger and score them.

    Args:
        where: only rows with these values.
        others: leave out rows of other problems.
        first: the position of the first problem, 0 or 1; the file shows it if it is not given.
        say: is told what was understood of the file.

    Raises:
        DataError: a row does not fit (names its line and field), or the rows are several models'. Nothing is
            written then.
    """
    name = model or outputs.name.removesuffix(".gz").removesuffix(".jsonl")
    benchmarks = asked_benchmarks((benchmark,), plugins)
    asked = Asked(
        name="", model=name, benchmarks=benchmarks, families=families(benchmarks, plugins), profile={},
        limit=limit, samples=samples, base=str(Path.cwd()),
    )  # fmt: skip
    made = load_profile(profile, plugins, build_context(asked, plugins), overrides)
    asked = replace(asked, name=slug(name, made.name), profile=made.model_dump(mode="json"))
    prepared = prepare_judging(replace(asked, limit=None), plugins)
    every = prepared.sets[0]
    with Scorer(verifier_specs(prepared), workers=workers()) as scorer:
        answers = Outputs(outputs, replace(every, tasks=every.tasks[:limit]), where or {}, others)
        answers.same, answers.every = GoldCheck(scorer), every.tasks
        rows = (row for _, row in answers.rows())
        answers.naming = survey(rows, every.tasks, answers.same, str(outputs), first)
        for note in answers.naming.notes:
            say(note)
        if not model and answers.naming.model:
            name = answers.naming.model
            asked = replace(asked, model=name, name=slug(Path(name).name, made.name))
        most = max((answer.sample + 1 for answer in answers), default=0)
        if not most:
            raise DataError("holds no answer to this benchmark", where=str(outputs))
        if answers.left_out:
            say(f"{answers.left_out} rows answer problems that are not asked: they are left out")
        if answers.cut:
            say(f"{answers.cut} responses have no 'finish' and end in mid-sentence: they count as truncated")
        asked = replace(asked, samples=samples or most)
        prepared = replace(prepared, asked=asked, sets=[replace(answers.problems, samples=samples or most)])
        folder = create(asked, root)
        return folder, _take_in(folder, prepared, answers, scorer)


def _take_in(folder: EvaluationFolder, prepared: Prepared, answers: Outputs, scorer: Scorer) -> Outcome:
    problems = prepared.sets[0]
    policy = PolicyRef(weights_sha="")
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
        scorer.start()
        ledger = stack.enter_context(Ledger(folder.ledger))
        contents = Contents(folder.ledger)
        open_ledger(folder, prepared, scorer, ledger, contents)
        recorder = Recorder(prepared.sets, contents.tallies[ORIGINAL], ledger)

        def receive(samples: Sequence[Judgement]) -> None:
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

    def __init__(
        self, tasks: Sequence[Task], naming: Naming, same: SameGold, every: Sequence[Task] = ()
    ) -> None:
        self._tasks, self._naming, self._same = tasks, naming, same
        self._by_id = names_of(tasks)
        self._beyond = names_of(every).keys() - self._by_id.keys()
        self._texts = _Texts(tasks)

    def is_other(self, row: Mapping[str, Any]) -> bool:
        """Whether a row names a problem by an id that none of these has."""
        named = self._id(row)
        return named is not None and named[1] not in self._by_id

    def find(self, row: Mapping[str, Any], where: str) -> Task | None:
        """The task; None for one beyond the first problems that were asked for."""
        task = self._named(row, where)
        gold = row.get("gold")
        if task is not None and isinstance(gold, str | int | float) and not self._same(task, gold):
            raise DataError(
                f"field 'gold' is {gold!r}, but the answer of {task.id!r} is {task.answer!r}",
                where=where,
                hint="the file is of another benchmark, or in another order",
            )
        return task

    def _id(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        """(column, id) by which a row names a problem. A column that names none in the whole file is passed
        over if the row has something else to go by."""
        given = [(name, row[name]) for name in IDS if isinstance(row.get(name), str)]
        given += [(n, str(row[n])) for n in self._naming.ids if isinstance(row.get(n), int)]
        for name, value in given:
            if name in self._naming.ids:
                return name, value
        other = position_of(row) is not None or isinstance(row.get("problem"), str)
        return None if other or not given else given[0]

    def _named(self, row: Mapping[str, Any], where: str) -> Task | None:
        named = self._id(row)
        if named is not None:
            name, value = named
            if value in self._beyond:
                return None
            if value not in self._by_id:
                raise DataError(
                    f"field {name!r}: no problem is named {value!r}", where=where,
                    allowed=near(value, list(self._by_id)[:2000]),
                )  # fmt: skip
            return self._by_id[value]
        place = position_of(row)
        if place is not None:
            first = self._naming.first
            position = place[1] - first
            if position < 0:
                raise DataError(
                    f"field {place[0]!r} is {place[1]}", where=where, allowed=f"{first}, {first + 1}, ..."
                )
            return self._tasks[position] if position < len(self._tasks) else None
        text = row.get("problem")
        if isinstance(text, str):
            task = self._texts.find(text)
            if task is None:
                raise DataError("field 'problem' is none of the benchmark's problems", where=where)
            return task
        raise DataError(
            f"names no problem; the row has {', '.join(sorted(row))}", where=where,
            allowed=f"one of {', '.join((*IDS, *POSITIONS, 'problem'))}",
        )  # fmt: skip


class _Texts:
    """Which problem a text is. A prompt is the profile's words around the problem, so what stands around the
    text in it must be the words that all prompts share: a problem may contain another one."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._asked = [(_plain(task.prompt[-1].content), task) for task in tasks]
        texts = [asked for asked, _ in self._asked]
        self._before, self._after = _shared(texts), _shared([text[::-1] for text in texts])
        self._exact = dict(reversed(self._asked))

    def find(self, text: str) -> Task | None:
        """The problem with this text, white space aside; the first of several with the same one."""
        plain = _plain(text)
        if not plain:
            return None
        if plain in self._exact:
            return self._exact[plain]
        fitting = [(len(asked), n) for n, (asked, _) in enumerate(self._asked) if self._fits(plain, asked)]
        return self._asked[min(fitting)[1]][1] if fitting else None

    def _fits(self, plain: str, asked: str) -> bool:
        at = asked.find(plain)
        while 0 <= at <= self._before:
            if len(asked) - at - len(plain) <= self._after:
                return True
            at = asked.find(plain, at + 1)
        return False


def _shared(texts: Sequence[str]) -> int:
    """How many characters all texts begin with: what the first and the last in order share, all share."""
    first, last = min(texts), max(texts)
    differs = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return next(differs, min(len(first), len(last)))


def _plain(value: Any) -> str:
    return "".join(str(value).split())


def _texts(row: Mapping[str, Any], where: str) -> tuple[list[str], bool]:
    """A row's answers, and whether they are whole responses (else bare predictions)."""
    for names, whole in ((TEXTS, True), (LISTS, True), (ANSWERS, False)):
        for name in names:
            value = row.get(name)
            if value is None:
                continue
            try:
                texts = _told(value)
            except ValueError as fault:
                held = f": it holds {fault}" if str(fault) else ""
                raise DataError(
                    f"field {name!r} is not text{held}", where=where,
                    allowed="text, content in parts, a list of those, or lm-eval's lists of lists",
                ) from None  # fmt: skip
            return texts, whole
    raise DataError(
        f"holds no answer; the row has {', '.join(sorted(row))}", where=where,
        allowed=f"one of {', '.join((*TEXTS, *LISTS, *ANSWERS))}",
    )  # fmt: skip


def _told(value: Any) -> list[str]:
    """The texts of an answer's field: one, a list, content in parts, or lm-eval's `resps`, which is a list of
    sampled texts for each request.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, str):
        return [value]
    if content.is_parts(value):
        return [content.joined(value)]
    if not isinstance(value, list) or not value:
        raise ValueError("")
    return [text for item in value for text in _told(item)]


def _finishes(row: Mapping[str, Any], count: int, where: str) -> list[Finish | None]:
    """Why each of a row's answers ended, by one word for all or one for each; None if it says nothing."""
    name = next((name for name in FINISHES if row.get(name) is not None), None)
    if name is None:
        return [None] * count
    said = row[name] if isinstance(row[name], list) else [row[name]] * count
    if len(said) != count:
        raise DataError(
            f"field {name!r} has {len(said)} entries", where=where, allowed=f"one for each of {count} answers"
        )
    finishes = [None if word is None else finish_of(word) for word in said]
    for word, finish in zip(said, finishes, strict=True):
        if word is not None and finish is None:
            known = ", ".join(sorted(WORDS["stop"] | WORDS["length"] | WORDS["abort"]))
            raise DataError(f"field {name!r} is {word!r}", where=where, allowed=known)
    return finishes


def _tokens(row: Mapping[str, Any], where: str) -> int:
    value = row.get("tokens", 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"field 'tokens' is {value!r}", where=where, allowed="a number of tokens")
    return value


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.suffix == ".parquet":
        yield from enumerate(_parquet(path), 1)
        return
    decoder = msgspec.json.Decoder()
    try:
        with unpacking(path) as file:
            for number, line in enumerate(file, 1):
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if not line.strip():
                    continue
                try:
                    row = decoder.decode(line)
                except UNPARSABLE as error:
                    raise DataError(f"is not JSON: {error}", where=f"{path}, line {number}") from None
                if not isinstance(row, dict):
                    raise DataError("is no object", where=f"{path}, line {number}")
                yield number, row
    except (OSError, EOFError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Rows as `harness board export --samples` writes them; a column without a value is none."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise PluginError(
            "parquet needs pyarrow, which is not installed", where=str(path),
            hint="pip install 'staged-harness[parquet]'",
        ) from None  # fmt: skip
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    yield {name: value for name, value in row.items() if value is not None}
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
