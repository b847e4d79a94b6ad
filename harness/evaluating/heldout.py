"""Scoring a policy on held-out tasks inside a run: a client of the recorder that benchmarks have, too.

Every sample is in the ledger before it counts, so an evaluation that was interrupted asks only for what is
missing. While a sample is missing or could not be judged there is no score: the `evaluation` line says why
(`refused`), the run goes on, and a resumed run asks again for what was lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from harness.contract.errors import RecipeError
from harness.contract.judged import Judged
from harness.contract.protocols import Engine, RunInfo, TaskSource
from harness.contract.records import Request, Rollout, Sampling, Task, Verdict
from harness.evaluating.recording import Recorder, Work
from harness.evaluating.sets import EvaluationSet, Place
from harness.recipe import Heldout
from harness.recording.ledger import Ledger, Line
from harness.recording.spending import Spent
from harness.scoring import Scorer
from harness.scoring.generation import stream_scored
from harness.statistics.tally import Tallies, Tally

#: Draws from a stratum for each task that is wanted of it, before it is taken to have no more.
DRAWS: Final = 50


@dataclass(frozen=True, slots=True)
class HeldoutSet(EvaluationSet):
    """Held-out tasks of a run, which are never trained on."""

    @property
    def prompt_hashes(self) -> frozenset[str]:
        """Prompt hashes of its tasks, so that training tasks with the same prompts are left out."""
        return frozenset(known for task in self.tasks for known in task.prompt_hashes)


def heldout_set(options: Heldout, sources: Sequence[TaskSource], verifier: str) -> HeldoutSet:
    """The tasks of a held-out set: the first different ones of each stratum, or those of a finite source.

    Raises:
        RecipeError: a stratum has too few different tasks, or two tasks are the same, so that they would
            count twice.
    """
    where = f"evaluation.heldout {options.name!r}"
    tasks: list[Task] = []
    for source in sources:
        subjects = source.subjects()
        if source.endless:
            for subject in subjects:
                tasks += _different(source, subject, options.per_stratum, where)
        else:
            tasks += (source.draw(s, 0) for s in subjects[: options.limit])
    seen: dict[str, str] = {}
    for task in tasks:
        twin = seen.setdefault(task.content_hash, task.id)
        if twin != task.id:
            raise RecipeError(f"tasks {twin!r} and {task.id!r} are the same", where=where)
    tasks = [task if task.verifier else replace(task, verifier=verifier) for task in tasks]
    sampling = Sampling(temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens)
    return HeldoutSet(options.name, tuple(tasks), options.samples, sampling)


def _different(source: TaskSource, subject: str, count: int, where: str) -> Iterable[Task]:
    """The first tasks of an endless stratum; a small one repeats some, which are passed over."""
    different: dict[str, Task] = {}
    for index in range(DRAWS * count):
        task = source.draw(subject, index)
        different.setdefault(task.content_hash, task)
        if len(different) == count:
            return different.values()
    raise RecipeError(
        f"stratum {subject!r} has {len(different)} different tasks among its first {DRAWS * count}",
        where=f"{where}, per_stratum = {count}",
        hint=f"set per_stratum to at most {len(different)}, or leave such strata out",
    )


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates policies of one run."""

    info: RunInfo
    sets: Sequence[HeldoutSet]
    scorer: Scorer
    ledger: Ledger
    spent: Spent
    keep_samples: bool
    #: Ledger lines of evaluations and samples that are there already, for a resumed run. An evaluation that
    #: lost samples is not among `done`, and its samples are among `partial`.
    done: dict[tuple[str, str, str, int], Line] = field(default_factory=dict)
    partial: dict[tuple[str, str, str, int], list[Line]] = field(default_factory=dict)
    #: The latest evaluation of each held-out set, with all that its line says.
    latest: dict[str, Line] = field(default_factory=dict)

    def evaluate(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        """Score all held-out sets; `name` says where in the run: before, inside, after-stage, final.

        Returns:
            `<held-out set>/<score>`; a set without a score has no entry.

        Raises:
            TrainingError: nothing of a set could be judged; the ledger does not say that it was evaluated.
        """
        for heldout in self.sets:
            at = (name, heldout.name, stage, step)
            if at not in self.done:
                self._record(at, self._evaluate(at, heldout, engine))
        return self.scores(name, stage, step)

    def is_done(self, name: str, stage: str, step: int) -> bool:
        """Whether every held-out set was evaluated here, and no earlier process lost a sample of it."""
        return all((name, heldout.name, stage, step) in self.done for heldout in self.sets)

    def scores(self, name: str, stage: str, step: int) -> Mapping[str, float]:
        """Scores of an evaluation that is done, as `evaluate` returns them."""
        return {
            f"{heldout.name}/{key}": value
            for heldout in self.sets
            for key, value in self.done[name, heldout.name, stage, step]["scores"].items()
        }

    def repeat(self, name: str, stage: str, step: int, *, untrained: bool = False) -> None:
        """Take over, under `name`, the latest evaluations if they are of the same policy: those of the
        same place, whose keys and so whose samples would be the same, and all of them while nothing has
        been trained. The ledger says whose they are (`same_as`), and no cost.

        An evaluation inside a stage is another one, because it is made with live weights; one that lost
        samples is made again.
        """
        for heldout in self.sets:
            at = (name, heldout.name, stage, step)
            line = self.latest.get(heldout.name)
            if at in self.done or line is None:
                continue
            same = untrained or (line["stage"], line["step"]) == (stage, step)
            if same and line["name"] != "inside" and not line.get("refused"):
                made = {"name": name, "same_as": line["name"], "heldout": heldout.name}
                kept = {key: line[key] for key in ("scores", "strata", "problems")}
                self._record(at, {**made, "stage": stage, "step": step, **kept, "cpu_seconds": 0.0})

    def forget_after(self, stage: str, step: int) -> None:
        """Evaluate again what belongs to later steps of a stage, which are done again."""
        for known in (self.done, self.partial):
            for at in [at for at in known if at[2] == stage and at[3] > step]:
                del known[at]
        for heldout in [
            h for h, line in self.latest.items() if line["stage"] == stage and line["step"] > step
        ]:
            del self.latest[heldout]

    def requests(self, name: str, stage: str, step: int) -> list[Request]:
        """What `evaluate` would ask an engine that starts from nothing."""
        sets = [heldout for heldout in self.sets if (name, heldout.name, stage, step) not in self.done]
        return list(Work(sets, {}, self.info.stream, Place(name, stage, step, in_run=True)))

    def _evaluate(self, at: tuple[str, str, str, int], heldout: HeldoutSet, engine: Engine) -> Line:
        name, _, stage, step = at
        started = time.process_time()
        place = Place(name, stage, step, in_run=True)
        tallies: Tallies = {heldout.name: _known(self.partial.pop(at, ()))}
        recorder = Recorder(
            [heldout], tallies, self.ledger, token_ids=True, place=place, keep=self.keep_samples
        )
        lost = Judged()
        recorder.failed = lost.fault
        # A list, since trainers' engines are asked, too, and may sort and slice it.
        work = list(Work([heldout], tallies, self.info.stream, place))
        if work:
            stream_scored(engine, work, recorder.claim, self.scorer, recorder.receive)
        lost.judged = sum(tally.samples for tally in tallies[heldout.name].values())
        lost.samples = lost.judged + sum(tally.infra for tally in tallies[heldout.name].values())
        lost.check(f"held-out set {heldout.name!r}, stage {stage!r}, step {step}")
        return {**recorder.evaluation(heldout), "cpu_seconds": time.process_time() - started}

    def _record(self, at: tuple[str, str, str, int], fields: Line) -> None:
        self.ledger.append("evaluation", **fields, **self.spent.as_fields())
        self.ledger.commit()
        self.done[at] = {"scores": fields["scores"]}
        self.latest[fields["heldout"]] = fields


def _known(lines: Iterable[Line]) -> dict[str, Tally]:
    """Tallies of the samples that an earlier process had judged. What could not be judged is left out: what
    went wrong may have been mended since, so it is asked for again."""
    tallies: dict[str, Tally] = {}
    for line in lines:
        rollout: Rollout = line["rollout"]
        verdict: Verdict = line["verdict"]
        if verdict.judged:
            tallies.setdefault(rollout.key.task, Tally()).add(
                rollout.key.sample, status=verdict.status, score=verdict.score, extracted=verdict.extracted,
                finish=rollout.finish, tokens=rollout.tokens, tail=line.get("tail", False),
            )  # fmt: skip
    return tallies
