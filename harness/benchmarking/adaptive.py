"""An evaluation that asks only as much as it needs: a difficulty estimator picks the next problems.

The estimator is asked for problems in rounds, as when a recipe measures (`harness.tasks.measuring`), until
its labels are decisive. What comes out is a placement: the ability that the estimator attaches to its labels
with a standard error, and the rate it expects over all problems. That is no score: the problems were chosen
by the verdicts on earlier ones, so that a mean over them says more about the choice than about the model. It
therefore has a line of its own in the ledger, which neither boards nor comparisons take for an evaluation.

A round is written down before it is generated. A placement that was killed first does the rest of its last
round, and so comes to the same problems and the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.benchmarking.lines import Contents
from harness.benchmarking.mending import judge_again, unjudged
from harness.benchmarking.problems import ProblemSet
from harness.contract.errors import counted
from harness.contract.members import member
from harness.contract.protocols import BuildContext, DifficultyEstimator, Engine
from harness.contract.records import Difficulty, PolicyRef, Request, RolloutKey
from harness.evaluating.recording import Recorder
from harness.evaluating.sets import ALONE
from harness.plugging.plugins import Plugins
from harness.recipe.rules import POLICY
from harness.scoring import Scorer
from harness.scoring.generation import stream_scored
from harness.statistics.tally import Tally
from harness.tasks.measuring import checked_labels

if TYPE_CHECKING:
    from harness.benchmarking.run import Outcome, Prepared

WHERE = "--adaptive"
#: Numbers of a label that are about the policy and not about the problem.
ABILITY = ("theta", "se")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asking:
    """The parts that asking needs."""

    prepared: Prepared
    scorer: Scorer
    recorder: Recorder
    contents: Contents
    #: Opens the engine, once.
    engine: Callable[[], Engine]
    say: Say


def estimator_of(use: Mapping[str, Any], plugins: Plugins, context: BuildContext) -> DifficultyEstimator:
    """The estimator that picks; raises HarnessError if its name or an option does not fit, or it cannot be
    built."""
    registration = plugins.registry.find("difficulty_estimators", use["name"], where=WHERE)
    options = {key: value for key, value in use.items() if key != "name"}
    made: DifficultyEstimator = registration.build(
        options, context, field_path=f"{WHERE} {registration.full_name!r}"
    )
    return made


def place_all(asking: Asking, outcome: Outcome) -> None:
    """Place the model on every benchmark; what came out is in the ledger and in `outcome.placed`."""
    for problems in asking.prepared.sets:
        _place(asking, problems, outcome)


def _place(asking: Asking, problems: ProblemSet, outcome: Outcome) -> None:
    recorder, prepared = asking.recorder, asking.prepared
    started = time.process_time()
    estimator = estimator_of(prepared.asked.adaptive, prepared.plugins, prepared.context)
    prompts = {task.id: task.prompt for task in problems.tasks}
    member("difficulty_estimators", estimator, "look")(prompts.__getitem__)
    begun = asking.contents.rounds.get(problems.name)
    number = 0
    if begun is not None:
        number = int(begun["round"])
        estimator.load_state_dict(begun["estimator"])
        # Of an interrupted round what is missing; nothing of a complete one.
        _ask(asking, problems, {task: range(first, last) for task, first, last in begun["asked"]})
    while True:
        seen = _outcomes(prepared, recorder, problems)
        asked = _next(estimator, seen, recorder, problems)
        if not asked:
            if unjudged(recorder):
                judge_again(prepared.sets, recorder, recorder.ledger.path, asking.scorer)
                if _outcomes(prepared, recorder, problems) != seen:
                    continue
            break
        number += 1
        rows = [[task, samples.start, samples.stop] for task, samples in asked.items()]
        recorder.ledger.append(
            "round", heldout=problems.name, round=number, asked=rows, estimator=estimator.state_dict()
        )
        recorder.ledger.commit()
        _ask(asking, problems, asked)
    if not any(label.samples for label in seen.values()):
        outcome.refused[problems.name] = "no answer could be judged, so that nothing is known of the model"
        return
    labels = checked_labels(estimator.fit(seen), seen, estimator)
    line = _described(labels, seen, problems) | {"rounds": number}
    before = asking.contents.placements.get(problems.name)
    if before is None or before["scores"] != line:
        hashes = asking.scorer.hashes()
        recorder.ledger.append(
            "placement", heldout=problems.name, scores=line, adaptive=prepared.asked.adaptive,
            facts=problems.facts(prepared.profile)
            | {"verifiers": {use.name: hashes[use.name] for use in problems.verifiers}},
            **recorder.spent(problems, time.process_time() - started, before).as_fields(),
        )  # fmt: skip
        recorder.ledger.commit()
    outcome.placed[problems.name] = line
    asking.say(f"{problems.name}: {counted(number, 'round')}, {line['asked']} of {line['problems']} problems")


def _next(
    estimator: DifficultyEstimator, seen: Mapping[str, Difficulty], recorder: Recorder, problems: ProblemSet
) -> dict[str, range]:
    """The samples of the next round by problem: as many as are wanted, within the samples that each may
    have."""
    tallies = {task.id: Tally() for task in problems.tasks} | recorder.tallies.get(problems.name, {})
    every = [task.id for task in problems.tasks]
    # Asked again without them if it wants none but problems that have all their samples.
    for subjects in (every, [task for task in every if tallies[task].end < problems.samples]):
        wanted = estimator.requests(seen, subjects)
        ends = {task: min(tallies[task].end + count, problems.samples) for task, count in wanted.items()}
        if asked := {t: range(tallies[t].end, end) for t, end in ends.items() if end > tallies[t].end}:
            return asked
        if not wanted:
            break
    return {}


def _ask(asking: Asking, problems: ProblemSet, asked: Mapping[str, range]) -> None:
    """Generate and judge what is not there yet."""
    tallies = asking.recorder.tallies.get(problems.name, {})
    tasks = {task.id: task for task in problems.tasks}
    stream, stage = asking.prepared.stream, ALONE.key_stage(problems.name)
    requests = [
        Request(
            RolloutKey(stream, "eval", stage, ALONE.step, task, sample), tasks[task].prompt,
            problems.sampling, logprobs=asking.prepared.asked.token_ids,
        )
        for task, samples in asked.items()
        for sample in samples
        if sample in (tallies.get(task) or Tally()).missing(problems.samples)
    ]  # fmt: skip
    if not requests:
        return
    try:
        stream_scored(
            asking.engine(), requests, asking.recorder.claim, asking.scorer, asking.recorder.receive
        )
    finally:
        asking.recorder.ledger.commit()


def _outcomes(prepared: Prepared, recorder: Recorder, problems: ProblemSet) -> dict[str, Difficulty]:
    """The tallies as an estimator takes outcomes, in the order of the problems."""
    tallies = recorder.tallies.get(problems.name, {})
    sha = prepared.files.weights_sha if prepared.files else prepared.asked.model
    return {
        task.id: Difficulty(
            subject=task.id, model=POLICY, policy=PolicyRef(weights_sha=sha), samples=tally.samples,
            passes=tally.passes, score_sum=tally.score, score_sq_sum=tally.score_sq,
            truncated=tally.truncated, excluded_infra=tally.infra, sampling=problems.sampling,
        )
        for task in problems.tasks
        if (tally := tallies.get(task.id)) is not None
    }  # fmt: skip


def _described(
    labels: Mapping[str, Difficulty], seen: Mapping[str, Difficulty], problems: ProblemSet
) -> dict[str, Any]:
    """What a placement comes to: how much was asked, the ability if the estimator has one, and the rate that
    is expected over all problems if each has a label."""
    line: dict[str, Any] = {
        "problems": len(problems.tasks),
        "asked": sum(label.samples > 0 for label in seen.values()),
        "samples": sum(label.samples for label in seen.values()),
    }
    line |= _ability(list(labels.values()))
    rates = [_rate(labels[task.id]) for task in problems.tasks if task.id in labels]
    if len(rates) == len(problems.tasks) and None not in rates:
        line["predicted"] = sum(rate for rate in rates if rate is not None) / len(rates)
    return line


def _ability(labels: Sequence[Difficulty]) -> dict[str, float]:
    """The ability and its standard error, if all labels that have one agree."""
    told = {tuple(label.extra.get(name) for name in ABILITY) for label in labels if "theta" in label.extra}
    if len(told) != 1:
        return {}
    return {name: value for name, value in zip(ABILITY, told.pop(), strict=True) if value is not None}


def _rate(label: Difficulty) -> float | None:
    """What is expected of a problem: the predicted rate, else the posterior mean."""
    if label.predicted is not None:
        return label.predicted
    return label.mean if label.samples else None
