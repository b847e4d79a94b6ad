"""Scoring a policy on held-out tasks: tasks -> rollouts -> verdicts -> scores.

Every sample is in the ledger before it counts, so an evaluation that was interrupted asks only for
what is missing. A score is not given while a sample is missing or could not be judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.errors import RecipeError
from harness.generation import generate_scored
from harness.judged import Judged
from harness.ledger import Ledger, Line
from harness.protocols import Engine, RunInfo, TaskSource
from harness.recipe import Heldout
from harness.records import (
    Request,
    Rollout,
    RolloutKey,
    Sampling,
    Task,
    Verdict,
    unjudged,
)
from harness.scoring import Scorer
from harness.spending import Spent

#: Draws from a stratum for each task that is wanted of it, before it is taken to have no more.
DRAWS: Final = 50


@dataclass(frozen=True, slots=True)
class HeldoutSet:
    """Held-out tasks with how they are sampled."""

    name: str
    tasks: tuple[Task, ...]
    samples: int
    sampling: Sampling

    @property
    def prompt_hashes(self) -> frozenset[str]:
        return frozenset(task.prompt_hash for task in self.tasks)


def heldout_set(options: Heldout, sources: Sequence[TaskSource], verifier: str) -> HeldoutSet:
    """The tasks of a held-out set: the first different ones of each stratum, or those of a finite source.

    Raises:
        RecipeError: a stratum has too few different tasks, or two tasks are the same, so that they would
            count twice.
    """
    from dataclasses import replace

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
    found: dict[str, Task] = {}
    for index in range(DRAWS * count):
        task = source.draw(subject, index)
        found.setdefault(task.content_hash, task)
        if len(found) == count:
            return found.values()
    raise RecipeError(
        f"stratum {subject!r} has {len(found)} different tasks among its first {DRAWS * count}",
        where=f"{where}, per_stratum = {count}",
        hint=f"set per_stratum to at most {len(found)}, or leave such strata out",
    )


@dataclass(slots=True)
class ProblemCounts:
    """What came of one problem's samples."""

    samples: int = 0
    passes: int = 0
    score: float = 0.0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    infra: int = 0

    def add(self, rollout: Rollout, verdict: Verdict) -> None:
        if unjudged(rollout, verdict):
            self.infra += 1
            return
        self.samples += 1
        self.passes += verdict.status == "pass"
        self.score += verdict.score or 0.0
        self.tokens += rollout.tokens
        self.truncated += rollout.truncated
        self.no_answer += verdict.status == "no_answer"


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates policies of one run."""

    info: RunInfo
    sets: Sequence[HeldoutSet]
    scorer: Scorer
    ledger: Ledger
    spent: Spent
    keep_samples: bool
    #: Ledger lines of evaluations and samples that are there already, for a resumed run.
    done: dict[tuple[str, str, str, int], Line] = field(default_factory=dict)
    partial: dict[tuple[str, str, str, int], list[Line]] = field(default_factory=dict)

    def evaluate(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        """Score all held-out sets; `name` says where in the run: before, inside, after-stage, final.

        Raises:
            TrainingError: nothing of a set could be judged; the ledger does not say that it was evaluated.
        """
        scores: dict[str, float] = {}
        for heldout in self.sets:
            at = (name, heldout.name, stage, step)
            line = self.done.get(at) or self._evaluate(at, heldout, engine)
            self.done[at] = {"scores": line["scores"]}
            scores |= {f"{heldout.name}/{k}": v for k, v in line["scores"].items()}
        return scores

    def forget_after(self, stage: str, step: int) -> None:
        """Evaluate again what belongs to later steps of a stage, which are done again."""
        for known in (self.done, self.partial):
            for at in [at for at in known if at[2] == stage and at[3] > step]:
                del known[at]

    def requests(self, name: str, stage: str, step: int) -> list[Request]:
        """What `evaluate` would ask an engine that starts from nothing."""
        return [
            request
            for heldout in self.sets
            if (name, heldout.name, stage, step) not in self.done
            for _, request in self._work(heldout, stage, step)
        ]

    def _work(self, heldout: HeldoutSet, stage: str, step: int) -> list[tuple[Task, Request]]:
        place = f"{heldout.name}@{stage}"
        return [
            (
                task,
                Request(
                    RolloutKey(self.info.stream, "eval", place, step, task.id, i),
                    task.prompt,
                    heldout.sampling,
                ),
            )
            for task in heldout.tasks
            for i in range(heldout.samples)
        ]

    def _evaluate(self, at: tuple[str, str, str, int], heldout: HeldoutSet, engine: Engine) -> Line:
        name, _, stage, step = at
        started = time.process_time()
        problems = {task.id: ProblemCounts() for task in heldout.tasks}
        have = set()
        judged = Judged()
        for line in self.partial.pop(at, ()):
            rollout, verdict = line["rollout"], line["verdict"]
            if unjudged(rollout, verdict):
                # What went wrong may have been mended since: it is asked again.
                continue
            have.add((rollout.key.task, rollout.key.sample))
            problems[rollout.key.task].add(rollout, verdict)

        def receive(task: Task, rollout: Rollout, verdict: Verdict) -> None:
            if self.keep_samples:
                self.ledger.append(
                    "sample", name=name, heldout=heldout.name, stage=stage, step=step, rollout=rollout,
                    verdict=verdict,
                )  # fmt: skip
            problems[task.id].add(rollout, verdict)
            if unjudged(rollout, verdict):
                judged.fault(rollout, verdict)

        work = [
            (task, request)
            for task, request in self._work(heldout, stage, step)
            if (task.id, request.key.sample) not in have
        ]
        if work:
            generate_scored(engine, work, self.scorer, receive)
        judged.judged = sum(counts.samples for counts in problems.values())
        judged.samples = judged.judged + sum(counts.infra for counts in problems.values())
        judged.check(f"held-out set {heldout.name!r}, stage {stage!r}, step {step}")
        scores = summary(problems.values())
        fields: dict[str, Any] = {
            "name": name, "heldout": heldout.name, "stage": stage, "step": step, "scores": scores,
            "strata": by_stratum(heldout.tasks, problems), "problems": problems,
            "cpu_seconds": time.process_time() - started,
        }  # fmt: skip
        self.ledger.append("evaluation", **fields, **self.spent.fields())
        self.ledger.commit()
        return fields


def summary(problems: Iterable[ProblemCounts]) -> dict[str, float]:
    """Scores over problems, each problem counting the same. Shares are of judged samples."""
    counts = list(problems)
    judged = [p for p in counts if p.samples]
    samples = sum(p.samples for p in judged)
    if not samples:
        return {"infra_errors": float(sum(p.infra for p in counts))}
    return {
        "mean": sum(p.passes / p.samples for p in judged) / len(judged),
        "score": sum(p.score / p.samples for p in judged) / len(judged),
        "tokens": sum(p.tokens for p in judged) / samples,
        "truncated": sum(p.truncated for p in judged) / samples,
        "no_answer": sum(p.no_answer for p in judged) / samples,
        "infra_errors": float(sum(p.infra for p in counts)),
    }


def by_stratum(tasks: Sequence[Task], problems: Mapping[str, ProblemCounts]) -> dict[str, dict[str, int]]:
    """Samples, passes and problems of each stratum; empty for tasks without strata."""
    out: dict[str, dict[str, int]] = {}
    for task in tasks:
        if task.stratum is None:
            continue
        row = out.setdefault(task.stratum, {"samples": 0, "passes": 0, "problems": 0})
        row["samples"] += problems[task.id].samples
        row["passes"] += problems[task.id].passes
        row["problems"] += 1
    return out
