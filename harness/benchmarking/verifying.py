"""A board's entry against the samples that it comes from: judged again, compared problem by problem."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.benchmarking.folder import open_folder
from harness.benchmarking.importing import import_outputs
from harness.benchmarking.lines import StoredSample, raw_samples
from harness.benchmarking.problems import FILE
from harness.benchmarking.profile import PART
from harness.benchmarking.reading import read_evaluation
from harness.board.entry import Entry
from harness.contract.errors import DataError
from harness.plugging.plugins import Plugins
from harness.recording.shapes import LineDecoder

#: Facts of an entry that a verification holds against its own, beside outcomes and answers.
FACTS: Final = ("benchmark version", "profile", "verifiers")


@dataclass(frozen=True, slots=True)
class Difference:
    """A problem whose outcome or answers differ."""

    problem: str
    #: (passes, samples) as the entry says, and as judged now; None if one of them has no such problem.
    stated: tuple[float, int] | None
    judged: tuple[float, int] | None
    #: Whether the same was extracted; None if the entry does not say.
    same_answers: bool | None

    def __str__(self) -> str:
        said, now = (
            "absent" if pair is None else f"{pair[0]:g} of {pair[1]}" for pair in (self.stated, self.judged)
        )
        answers = {True: "the same answers", False: "other answers", None: "answers not stated"}
        return f"{self.problem}: {said} pass in the entry, {now} now; {answers[self.same_answers]}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What judging again gave."""

    problems: int
    differences: Sequence[Difference]
    #: Fact -> (as the entry says, as it is now), if they differ.
    facts: Mapping[str, tuple[str, str]]
    #: Whether the entry states its answers at all.
    answers_stated: bool

    @property
    def confirmed(self) -> bool:
        """Whether every problem has the same outcome and, if they are stated, the same answers."""
        return not self.differences


def verify_entry(
    entry: Entry,
    outputs: Path,
    plugins: Plugins,
    *,
    benchmark: str = "",
    profile: str = "",
    overrides: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Judge outputs again and compare them with an entry.

    Args:
        outputs: a file as `harness score --import` takes it, or the folder of an evaluation.
        benchmark: the entry's own if not given; a file for a benchmark of one's own, which the folder of an
            evaluation knows by itself.
        profile: the entry's own if not given; a TOML file for a profile of one's own.
        overrides: changes of the profile; the entry's source's if none are given.
        where: only rows with these values; the entry's source's if not given.

    Raises:
        DataError: the entry is of several seeds, its benchmark is not here, or the outputs are not all
            there or do not fit.
    """
    if len(entry.seeds) > 1:
        raise DataError(
            f"has {len(entry.seeds)} seeds, and outputs are those of one", where=entry.label,
            hint="verify the entry of a single evaluation",
        )  # fmt: skip
    source = entry.source
    benchmark = benchmark or _benchmark(entry, outputs, plugins)
    with tempfile.TemporaryDirectory() as scratch:
        path = _rows(outputs, entry, Path(scratch))
        folder, _ = import_outputs(
            path, benchmark, plugins, Path(scratch) / "runs",
            model=entry.model.name, profile=profile or str(entry.benchmark.profile.get("name", "")),
            overrides=overrides or (source.overrides if source else ()),
            samples=entry.benchmark.samples, limit=entry.benchmark.problems,
            where=where if where is not None else (source.where if source else {}), say=say,
        )  # fmt: skip
        evaluated = read_evaluation(folder.folder)
    (result,) = evaluated.results
    if result.line is None or result.refusal:
        raise DataError(f"no score can be made of it: {result.refusal}", where=str(outputs))
    facts = result.line["facts"]
    stated = {
        "benchmark version": entry.benchmark.version,
        "profile": str(entry.benchmark.profile.get("hash", "")),
        "verifiers": _hashes(entry.verifiers),
    }
    now = {
        "benchmark version": facts["version"],
        "profile": facts["profile"]["hash"],
        "verifiers": _hashes(facts["verifiers"]),
    }
    return Verification(
        problems=len(entry.problems),
        differences=list(_differences(entry, result.line)),
        facts={name: (stated[name], now[name]) for name in FACTS if stated[name] != now[name]},
        answers_stated=bool(entry.answers),
    )


def _differences(entry: Entry, line: Mapping[str, Any]) -> Iterator[Difference]:
    counts: Mapping[str, Mapping[str, Any]] = line["problems"]
    for name in sorted(entry.problems.keys() | counts.keys()):
        said = entry.problems.get(name)
        made = counts.get(name)
        judged = None if made is None else (made.get("passes", 0), made.get("samples", 0))
        same = entry.answers[name] == line["answers"].get(name) if name in entry.answers else None
        if said is None or judged is None or tuple(said) != judged or same is False:
            yield Difference(name, said, judged, same)


def _benchmark(entry: Entry, outputs: Path, plugins: Plugins) -> str:
    """The entry's benchmark as `import_outputs` takes it: its name, or the file that the evaluation read."""
    name = entry.benchmark.name
    if name.partition(PART)[0] in plugins.registry.names("benchmarks"):
        return name
    file = open_folder(outputs).asked.benchmarks.get(name, {}).get(FILE, "") if outputs.is_dir() else ""
    if file and Path(file).is_file():
        return str(file)
    raise DataError(
        f"benchmark {name!r} is no installed plugin's" + (f", and its file {file} is gone" if file else ""),
        where=entry.label,
        hint=f"where it is a file of its owner's: -b {name}.jsonl (or .toml); else install its plugin",
    )


def _hashes(verifiers: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {sha}" for name, sha in sorted(verifiers.items()))


def _rows(outputs: Path, entry: Entry, scratch: Path) -> Path:
    """The outputs as a file to import: an evaluation's samples are written as rows of one."""
    if not outputs.is_dir():
        return outputs
    ledger = open_folder(outputs).ledger
    path = scratch / "outputs.jsonl"
    decoder = LineDecoder(StoredSample)
    with path.open("wb") as file:
        for raw in raw_samples(ledger):
            line = decoder.decode(raw)
            if line.heldout != entry.benchmark.name or line.rollout.finish == "abort":
                continue
            row = {
                "task": line.rollout.key.task, "sample": line.rollout.key.sample,
                "response": line.rollout.text, "finish": line.rollout.finish, "tokens": line.tokens,
            }  # fmt: skip
            file.write(msgspec.json.encode(row) + b"\n")
    return path
