"""Reading studies: from ledgers to curves, labels and evaluations.

A ledger is read once, as a stream, and only what a report needs is kept: one point a training step,
one a evaluation, counts a stratum; problems are kept for the first and the last evaluation of each
held-out set alone. Memory therefore does not grow with the number of samples. Texts are skipped
without being decoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import LedgerError
from harness.readout_lines import events, last_line
from harness.records import Difficulty, StepMetrics, convert
from harness.spending import Spent

State = Literal["finished", "unfinished", "empty"]


class Count(msgspec.Struct, frozen=True):
    """Outcomes of one stratum or one problem in an evaluation."""

    samples: int
    passes: int
    problems: int = 1
    #: Summed scores, which exceed the passes where a verifier gives fractions.
    score: float = 0.0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    #: Samples that could not be judged; they make a result unpublishable.
    infra: int = 0

    @property
    def rate(self) -> float:
        return self.passes / self.samples if self.samples else float("nan")


Axis = Literal["rollouts", "tokens", "cpu_seconds"]


def cost(spent: Spent, axis: Axis) -> float:
    """What was spent, on one axis."""
    return float(getattr(spent, axis))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one held-out set."""

    name: str
    heldout: str
    stage: str
    step: int
    spent: Spent
    scores: dict[str, float]
    strata: dict[str, Count]
    #: Empty except in the first and the last evaluation of a held-out set.
    problems: dict[str, Count]
    #: Mean over problems of their pass rates, kept where `problems` is not.
    rate: float
    cpu_seconds: float

    def score(self, strata: Sequence[str] = ()) -> float:
        """Pass rate over the named strata (each problem alike), or over all of it."""
        if not strata:
            return self.rate
        chosen = [self.strata[s] for s in strata if s in self.strata and self.strata[s].samples]
        problems = sum(c.problems for c in chosen)
        return sum(c.rate * c.problems for c in chosen) / problems if problems else float("nan")


@dataclass(frozen=True, slots=True)
class Labels:
    """One measurement of difficulty and its cost."""

    stage: str
    labels: tuple[Difficulty, ...]
    rollouts: int
    tokens: int
    cpu_seconds: float


@dataclass(slots=True)
class StageSpan:
    """A stage as it was run."""

    name: str
    subjects: int
    rule: str
    begin_rollouts: int
    reason: str = ""
    last_step: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    metrics: StepMetrics
    spent: Spent


@dataclass(slots=True)
class Run:
    """One arm with one seed."""

    folder: Path
    arm: str
    seed: int
    opened: dict[str, Any] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    stages: list[StageSpan] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    #: Training groups by (index into `steps`, subject).
    drawn: list[dict[str, int]] = field(default_factory=list)
    resumed: int = 0
    finished_at: str = ""
    #: Weights hash of the last checkpoint.
    weights_sha: str = ""

    @property
    def state(self) -> State:
        if self.finished_at:
            return "finished"
        return "unfinished" if self.opened else "empty"

    @property
    def spent(self) -> Spent:
        """Cost at the last thing the ledger holds."""
        seen = [s.spent for s in self.steps[-1:]] + [e.spent for e in self.evaluations[-1:]]
        return max(seen, key=lambda s: s.rollouts, default=Spent())

    @property
    def heldouts(self) -> list[str]:
        return list(dict.fromkeys(e.heldout for e in self.evaluations))

    def on(self, heldout: str) -> list[Evaluation]:
        """Evaluations of one held-out set, in the order of the ledger."""
        return [e for e in self.evaluations if e.heldout == heldout]

    def curve(self, heldout: str, axis: Axis, strata: Sequence[str] = ()) -> list[tuple[float, float]]:
        """(cost, score) points; where evaluations coincide the last one counts."""
        points = {cost(e.spent, axis): e.score(strata) for e in self.on(heldout)}
        return sorted((x, y) for x, y in points.items() if y == y)

    @property
    def zero_variance(self) -> float:
        """Share of training groups whose rewards were all alike; nan without steps."""
        rollouts = sum(s.metrics.rollouts for s in self.steps)
        if not rollouts:
            return float("nan")
        return sum(s.metrics.zero_variance_groups * s.metrics.rollouts for s in self.steps) / rollouts


@dataclass(slots=True)
class Study:
    """A recipe's arms and seeds."""

    folder: Path
    recipe: str
    runs: list[Run]
    #: What an arm is there to show, where the recipe says it.
    about: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(run.arm for run in self.runs))

    def of(self, arm: str) -> list[Run]:
        return [run for run in self.runs if run.arm == arm]

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def heldouts(self) -> list[str]:
        return list(dict.fromkeys(h for run in self.runs for h in run.heldouts))

    @property
    def state(self) -> str:
        """In words: `finished`, `3 of 12 runs finished`, `empty`."""
        done = sum(run.state == "finished" for run in self.runs)
        if not self.runs:
            return "empty"
        return "finished" if done == len(self.runs) else f"{done} of {len(self.runs)} runs finished"


def run_folders(study: Path) -> list[tuple[str, int, Path]]:
    """(arm, seed, folder) of a study's runs, arms in the recipe's order where it is known."""
    found = []
    for ledger in study.glob("*/seed-*/ledger.jsonl"):
        seed = ledger.parent.name.removeprefix("seed-")
        if seed.lstrip("-").isdigit():
            found.append((ledger.parent.parent.name, int(seed), ledger.parent))
    order = {name: i for i, name in enumerate(_arms(study))}
    return sorted(found, key=lambda f: (order.get(f[0], len(order)), f[0], f[1]))


def read_study(folder: Path) -> Study:
    """Read every run of a study.

    Raises:
        LedgerError: there is no run in it, or a ledger cannot be read.
    """
    folders = run_folders(folder)
    if not folders:
        raise LedgerError(
            "no run in this folder",
            where=str(folder),
            allowed="a study: <arm>/seed-<n>/ledger.jsonl",
            hint="harness runs",
        )
    arms, text, name = _arms(folder), "", folder.name.rpartition("-")[0] or folder.name
    values = _recipe(folder)
    name, text = str(values.get("name", name)), str(values.get("about", ""))
    runs = [read_run(path, arm, seed) for arm, seed, path in folders]
    return Study(folder, name, runs, arms, text)


def read_run(folder: Path, arm: str = "", seed: int = 0) -> Run:
    """Read one run's ledger as a stream."""
    run = Run(folder, arm, seed)
    drawn: dict[str, int] = {}
    first: dict[str, Evaluation] = {}
    for kind, line in events(folder / "ledger.jsonl"):
        if kind == "group":
            drawn[line.group.subject] = drawn.get(line.group.subject, 0) + 1
        elif kind == "step":
            metrics = convert(line["metrics"], StepMetrics, where=str(folder))
            run.steps.append(Step(metrics, _spent(line)))
            run.drawn.append(drawn)
            drawn = {}
        elif kind == "evaluation":
            _evaluation(run, line, first)
        else:
            _event(run, kind, line)
    return run


def _evaluation(run: Run, line: dict[str, Any], first: dict[str, Evaluation]) -> None:
    problems = convert(line.get("problems", {}), dict[str, Count], where=str(run.folder))
    strata = convert(line.get("strata", {}), dict[str, Count], where=str(run.folder))
    total = sum(c.samples for c in strata.values())
    judged = [c for c in problems.values() if c.samples]
    if judged:
        rate = sum(c.rate for c in judged) / len(judged)
    else:
        rate = sum(c.passes for c in strata.values()) / total if total else float("nan")
    made = Evaluation(
        line["name"],
        line["heldout"],
        line.get("stage", ""),
        line.get("step", 0),
        _spent(line),
        line.get("scores", {}),
        strata,
        problems,
        rate,
        line.get("cpu_seconds", 0.0),
    )
    before = [i for i, e in enumerate(run.evaluations) if e.heldout == made.heldout]
    if before and run.evaluations[before[-1]] is not first[made.heldout]:
        run.evaluations[before[-1]] = _light(run.evaluations[before[-1]])
    first.setdefault(made.heldout, made)
    run.evaluations.append(made)


def _light(e: Evaluation) -> Evaluation:
    return Evaluation(
        e.name, e.heldout, e.stage, e.step, e.spent, e.scores, e.strata, {}, e.rate, e.cpu_seconds
    )


def _event(run: Run, kind: str, line: dict[str, Any]) -> None:
    if kind == "opened":
        run.opened = line
        run.arm = run.arm or line.get("run", {}).get("arm", "")
        run.seed = run.seed or line.get("seed", 0)
    elif kind == "resumed":
        run.resumed += 1
    elif kind == "labels":
        labels = tuple(convert(v, Difficulty, where=str(run.folder)) for v in line["labels"])
        cost = (line.get("rollouts", 0), line.get("tokens", 0), line.get("cpu_seconds", 0.0))
        run.labels.append(Labels(line.get("stage", ""), labels, *cost))
    elif kind == "stage_started":
        run.stages.append(
            StageSpan(
                line["stage"], len(line.get("subjects", ())), line.get("rule", ""), line["spent_rollouts"]
            )
        )
    elif kind == "stage_finished" and run.stages:
        run.stages[-1].reason = line.get("reason", "")
        run.stages[-1].last_step = line.get("step", 0)
    elif kind == "checkpoint":
        run.weights_sha = line["checkpoint"]["policy"]["weights_sha"]
    elif kind == "finished":
        run.finished_at = str(line.get("at", "")) or "finished"


def _spent(line: dict[str, Any]) -> Spent:
    return Spent(
        line.get("spent_rollouts", 0), line.get("spent_tokens", 0), line.get("spent_cpu_seconds", 0.0)
    )


def _recipe(study: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads((study / "recipe.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"not TOML: {error}", where=str(study / "recipe.toml")) from None
    try:
        values = json.loads((study / "study.json").read_text(encoding="utf-8"))
        return {"name": values["recipe"]} if isinstance(values.get("recipe"), str) else {}
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LedgerError(f"not JSON: {error}", where=str(study / "study.json")) from None


def _arms(study: Path) -> dict[str, str]:
    arms = _recipe(study).get("arms", [])
    return {arm["name"]: arm.get("about", "") for arm in arms if isinstance(arm, dict) and "name" in arm}


def studies(root: Path) -> Iterator[Path]:
    """Folders under `root` that hold a study, oldest first."""
    if root.is_dir():
        found = [p for p in root.iterdir() if p.is_dir() and ((p / "study.json").is_file() or run_folders(p))]
        yield from sorted(found, key=lambda p: (p.stat().st_mtime, p.name))


@dataclass(frozen=True, slots=True)
class Glance:
    """A study's state without reading whole ledgers."""

    arms: list[str]
    seeds: list[int]
    state: str
    #: What the newest ledger's last line says.
    doing: str


def glance(folder: Path) -> Glance:
    """How far a study is, from the ends of its ledgers."""
    folders = run_folders(folder)
    tails = [(path / "ledger.jsonl", last_line(path / "ledger.jsonl")) for _, _, path in folders]
    done = sum(tail.get("t") == "finished" for _, tail in tails)
    if not folders:
        state = "empty"
    else:
        state = "finished" if done == len(folders) else f"{done} of {len(folders)} runs finished"
    doing = ""
    if tails and done < len(folders):
        path, tail = max(tails, key=lambda item: item[0].stat().st_mtime)
        doing = f"{path.parent.parent.name}/{path.parent.name}: {_in_words(tail)}"
    return Glance(
        list(dict.fromkeys(a for a, _, _ in folders)), sorted({s for _, s, _ in folders}), state, doing
    )


def _in_words(line: dict[str, Any]) -> str:
    kind = line.get("t", "nothing yet")
    if kind == "step":
        return f"{line['metrics']['stage']} step {line['metrics']['step']}"
    if kind == "group":
        return f"{line['stage']} step {line['group']['step']}"
    return f"{kind} {line.get('stage') or line.get('name') or ''}".strip()
