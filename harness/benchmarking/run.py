"""Running an evaluation: what is missing is generated, judged and recorded; what is complete is scored.

The ledger is the only state. Starting, resuming, widening from 16 to 64 samples and mending what could not
be judged are one and the same: look at what is there, do the rest.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import harness
from harness.benchmarking.adaptive import Asking, estimator_of, place_all
from harness.benchmarking.folder import Asked, EvaluationFolder
from harness.benchmarking.lines import ORIGINAL, Contents
from harness.benchmarking.mending import judge_again, unjudged
from harness.benchmarking.problems import ProblemSet, find_benchmark, problem_sets
from harness.benchmarking.profile import Profile
from harness.benchmarking.thinking import mismatches
from harness.benchmarking.votes import comparisons
from harness.contract.capabilities import EngineCapabilities
from harness.contract.errors import CapabilityError, EngineError, RecipeError, counted
from harness.contract.members import member
from harness.contract.protocols import (
    BuildContext,
    Engine,
    ModelFiles,
    Policy,
    Served,
    ServedEngine,
    Verifier,
)
from harness.contract.records import PolicyRef, Request, RolloutKey, encode
from harness.evaluating.recording import Recorder, Work
from harness.planning.plan import check_context
from harness.plugging.events import Events
from harness.plugging.plugins import Plugins
from harness.recipe import Resources
from harness.recipe.errors import validated
from harness.recipe.stage import Use
from harness.recording.history import check_unchanged
from harness.recording.ledger import SCHEMA, Ledger
from harness.running.identity import environment, now
from harness.scoring import Scorer, VerifierSpec
from harness.scoring.generation import stream_scored
from harness.scoring.judgeable import refuse_unfit
from harness.scoring.spec import build
from harness.support.folders import cache_folder, data_folder

#: What may not change while an evaluation goes on. How much is asked for may.
FACTS: Final = ("model", "profile", "verifiers", "stream", "benchmarks", "adaptive")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation has come to."""

    folder: Path
    #: Samples generated now.
    generated: int
    #: Benchmark -> why it has no score; empty if all have one.
    refused: dict[str, str] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    #: Benchmark -> what an adaptive evaluation came to, which is no score.
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that can be had, and refused, before a model is loaded."""

    asked: Asked
    plugins: Plugins
    context: BuildContext
    profile: Profile
    sets: Sequence[ProblemSet]
    #: None for engines without weights of ours.
    files: ModelFiles | None
    #: What the servers serve, for an engine that asks servers.
    served: Served | None = None

    @property
    def stream(self) -> str:
        """Names the random stream: the same for every model, so that comparisons are paired."""
        return f"eval/{self.asked.seed}"


def build_context(asked: Asked, plugins: Plugins, *, chat: bool = True) -> BuildContext:
    """What an evaluation's plugin objects may know."""

    def build(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        return plugins.registry.find(kind, name, where=kind).build(options, context.of_model(model))

    context = BuildContext(
        seed=asked.seed,
        cache=cache_folder(),
        data=data_folder(),
        build=build,
        resources=Resources(),
        render="chat" if chat else "raw",
        model=asked.model,
        base=Path(asked.base),
    )
    return context


def prepare(asked: Asked, plugins: Plugins, *, generate: bool = True) -> Prepared:
    """Check what is asked: names, data, profile, model, context.

    Raises:
        HarnessError: the first thing that would fail later.
    """
    profile = validated(Profile, asked.profile, where=f"profile {asked.profile.get('name')!r}")
    context = build_context(asked, plugins, chat=profile.chat)
    for name, options in asked.benchmarks.items():
        find_benchmark(name, plugins, options)
    if asked.engine and generate:
        engine = plugins.registry.find("engines", asked.engine["name"], where="--engine")
        engine.validate(_options(asked.engine), field_path=f"engine {engine.full_name!r}")
    if asked.adaptive:
        estimator_of(asked.adaptive, plugins, context)
    sets = problem_sets(asked, profile, plugins, context)
    files = _files(asked, plugins, profile, context) if asked.loader and generate else None
    if files is not None:
        from harness.running.preflight import prompt_lengths

        for problems in sets:
            # A chat template adds to what is counted here; the engine counts exactly before it starts.
            _fits(prompt_lengths(files, problems.tasks), problems, profile, files)
    served = _served(asked, plugins, context) if asked.engine and generate else None
    return Prepared(asked, plugins, context, profile, sets, files, served)


def _served(asked: Asked, plugins: Plugins, context: BuildContext) -> Served | None:
    """What the engine's servers serve; None for an engine that has no servers.

    Raises:
        RecipeError: it is another model than the one that is asked for.
        EngineError: no server answers.
    """
    registration = plugins.registry.find("engines", asked.engine["name"], where="--engine")
    if not registration.able(EngineCapabilities).served:
        return None
    where = f"engine {registration.full_name!r}"
    engine: ServedEngine = registration.build(_options(asked.engine), context, field_path=where)
    try:
        return engine.served()
    finally:
        engine.close()


def prepare_judging(asked: Asked, plugins: Plugins) -> Prepared:
    """As `prepare`, for judging what is recorded: neither model nor engine is looked for."""
    return prepare(asked, plugins, generate=False)


def _files(asked: Asked, plugins: Plugins, profile: Profile, context: BuildContext) -> ModelFiles:
    """The model's folder; raises CapabilityError without the chat template that the profile uses."""
    loader = plugins.registry.find("models", asked.loader["name"], where="--loader")
    files: ModelFiles = loader.build(_options(asked.loader), context, field_path="--loader").load()
    if profile.chat and not files.chat:
        raise CapabilityError(
            f"profile {profile.name!r} uses the chat template, and the model's tokenizer has none",
            where=str(files.path),
            hint="a base model needs a profile with chat = false (--override chat=false)",
        )
    return files


def verifier_specs(prepared: Prepared) -> dict[str, VerifierSpec]:
    """The profile's verifiers, as the scorer builds them.

    Raises:
        PluginError: one needs an extra that is not installed.
    """
    specs: dict[str, VerifierSpec] = {}
    for problems in prepared.sets:
        for use in problems.verifiers:
            specs[use.name] = verifier_spec(use, prepared.plugins, prepared.context)
    return specs


def _built(prepared: Prepared) -> dict[str, Verifier]:
    specs = verifier_specs(prepared)
    return {name: build(spec, specs) for name, spec in specs.items()}


def verifier_spec(use: Use, plugins: Plugins, context: BuildContext) -> VerifierSpec:
    """The spec of one verifier, its options checked."""
    from harness.contract.errors import PluginError

    registration = plugins.registry.find("verifiers", use.name, where="verifier")
    missing = registration.missing()
    if missing:
        raise PluginError(
            f"needs {', '.join(missing)}, which is not installed",
            where=registration.where,
            hint=registration.install_line(),
        )
    registration.validate(use.options, field_path=f"verifier {use.name!r}")
    return VerifierSpec.of(registration, use.options, context=context)


def workers() -> int:
    """Verifier processes: one per core."""
    return max(1, os.cpu_count() or 1)


def run(folder: EvaluationFolder, prepared: Prepared, say: Say = lambda line: None) -> Outcome:
    """Do what is missing, and score what is complete.

    Raises:
        EngineError: the engine gave up; what it answered is in the ledger.
        LedgerError: the ledger belongs to something else, or is damaged.
    """
    with ExitStack() as stack:
        scorer = stack.enter_context(Scorer(verifier_specs(prepared), workers=workers()))
        scorer.start()
        ledger = stack.enter_context(Ledger(folder.ledger))
        contents = Contents(folder.ledger)
        open_ledger(folder, prepared, scorer, ledger, contents)
        recorder = Recorder(
            prepared.sets, contents.tallies[ORIGINAL], ledger, prepared.asked.token_ids, paid=contents.paid
        )
        events = Events(prepared.plugins.manager)
        events.emit("run_started", run=folder.info)
        recorder.failed = lambda rollout, verdict: events.emit(
            "sample_failed", run=folder.info, rollout=rollout, verdict=verdict
        )
        refuse_unfit(((None, task) for p in prepared.sets for task in p.tasks), _built(prepared))
        if prepared.files is not None:
            for told in mismatches(prepared.profile, prepared.sets, prepared.files):
                say(told)
        if prepared.asked.adaptive:
            engine = cache(lambda: _ready_engine(prepared, stack, say))
            outcome = Outcome(folder.folder, 0)
            place_all(Asking(prepared, scorer, recorder, contents, engine, say), outcome)
            if not outcome.refused:
                ledger.append("finished", at=now())
            return replace(outcome, generated=recorder.received)
        started = time.process_time()
        work = Work(prepared.sets, recorder.tallies, prepared.stream, token_ids=prepared.asked.token_ids)
        if len(work):
            _generate(folder, prepared, scorer, recorder, work, stack, say)
        if lost := unjudged(recorder):
            say(f"judging {counted(lost, 'sample')} again that could not be judged")
            judge_again(prepared.sets, recorder, folder.ledger, scorer)
        outcome = score_all(folder, prepared, scorer, recorder, contents, started)
        for name, scores in outcome.scores.items():
            events.emit("evaluation_finished", run=folder.info, name=name, scores=scores, stage="", step=0)
        return outcome


def score_all(
    folder: EvaluationFolder, prepared: Prepared, scorer: Scorer, recorder: Recorder, contents: Contents,
    started: float = 0.0,
) -> Outcome:  # fmt: skip
    """Write the scores of every benchmark that is complete."""
    outcome = Outcome(folder.folder, recorder.received)
    uses = [use for problems in prepared.sets for use in problems.verifiers]
    recorder.same = comparisons(uses, prepared.plugins, prepared.profile.votes)
    for problems in prepared.sets:
        reason = recorder.refusal(problems)
        if reason:
            outcome.refused[problems.name] = reason
            continue
        outcome.scores[problems.name] = recorder.evaluated(
            problems, contents.evaluations.get((problems.name, ORIGINAL)),
            problems.facts(prepared.profile) | {"verifiers": _hashes(scorer, problems)},
            time.process_time() - started,
        )  # fmt: skip
    if not outcome.refused:
        recorder.ledger.append("finished", at=now())
    return outcome


def open_ledger(
    folder: EvaluationFolder, prepared: Prepared, scorer: Scorer, ledger: Ledger, contents: Contents
) -> None:
    # As the ledger gives it back, so that the two compare.
    facts: dict[str, Any] = json.loads(encode(facts_of(prepared, scorer)))
    if contents.opened:
        check_unchanged(
            contents.opened, facts, str(folder.ledger), facts=FACTS,
            hint="a changed verifier: 'harness score' judges anew; anything else is a new evaluation",
        )  # fmt: skip
        ledger.append("resumed", at=now(), **{"from": sum(
            t.samples for tallies in contents.tallies[ORIGINAL].values() for t in tallies.values()
        )})  # fmt: skip
    else:
        ledger.append("opened", **facts, simulated=_simulated(prepared), environment=environment(), at=now())
    ledger.commit()


def facts_of(prepared: Prepared, scorer: Scorer) -> dict[str, Any]:
    """What an evaluation's numbers rest on: the ledger's `opened` line."""
    asked, files = prepared.asked, prepared.files
    return {
        "schema": SCHEMA,
        "kind": "evaluation",
        "run": {"recipe": asked.name, "arm": "main", "seed": asked.seed},
        "recipe": {},
        "recipe_sha": prepared.profile.hash,
        "data_sha": "-".join(problems.sha[:8] for problems in prepared.sets),
        "benchmarks": {p.name: p.version for p in prepared.sets},
        "profile": {
            "name": prepared.profile.name,
            "hash": prepared.profile.hash,
            **{
                p.name: {"sampling": p.sampling, "data_sha": p.sha, "problems": len(p.tasks)}
                for p in prepared.sets
            },
        },
        "seed": asked.seed,
        "stream": prepared.stream,
        "harness": harness.__version__,
        "engine": asked.engine,
        # None for an evaluation that asks everything, as in ledgers from before there was another kind.
        "adaptive": asked.adaptive or None,
        "plugins": prepared.plugins.facts(),
        "verifiers": scorer.hashes(),
        "model": {
            "name": asked.model,
            # Empty if nobody here has the weights: behind servers, imported, or no model at all.
            "weights_sha": files.weights_sha if files else "",
            "context_length": files.context_length if files else None,
        },
    }


def _simulated(prepared: Prepared) -> bool:
    """Whether the engine says of itself that its answers are no model's; imported answers are taken for a
    model's."""
    engine = prepared.asked.engine
    if not engine:
        return False
    registration = prepared.plugins.registry.find("engines", engine["name"], where="--engine")
    return registration.able(EngineCapabilities).simulated


def _hashes(scorer: Scorer, problems: ProblemSet) -> dict[str, str]:
    hashes = scorer.hashes()
    return {use.name: hashes[use.name] for use in problems.verifiers}


def _generate(
    folder: EvaluationFolder,
    prepared: Prepared,
    scorer: Scorer,
    recorder: Recorder,
    work: Work,
    stack: ExitStack,
    say: Say,
) -> None:
    if not prepared.asked.engine:
        raise EngineError(
            f"{len(work)} samples are missing and these answers were imported",
            where=str(folder.folder),
            hint="harness score --import, with a file that holds them all",
        )
    engine = _ready_engine(prepared, stack, say)
    say(f"generating {counted(len(work), 'sample')}")
    recorder.expect(len(work), say)
    try:
        stream_scored(engine, work, recorder.claim, scorer, recorder.receive)
    finally:
        recorder.ledger.commit()


def _ready_engine(prepared: Prepared, stack: ExitStack, say: Say) -> Engine:
    """The engine, with prompts that fit its context; closed with the stack."""
    engine = open_engine(prepared)
    stack.callback(engine.close)
    if prepared.served is not None:
        _check_served_context(prepared, engine, prepared.served, say)
    else:
        context_length = (
            prepared.files.context_length
            if prepared.files
            else int(member("engines", engine, "context_length"))
        )
        if context_length:
            _check_context(prepared, engine, context_length)
    return engine


def open_engine(prepared: Prepared) -> Engine:
    """The engine with the model's weights."""
    asked = prepared.asked
    registration = prepared.plugins.registry.find("engines", asked.engine["name"], where="--engine")
    where = f"engine {registration.full_name!r}"
    engine: Engine = registration.build(_options(asked.engine), prepared.context, field_path=where)
    if prepared.served is not None:
        return engine
    files = prepared.files or ModelFiles(Path(), asked.model, 0, chat=True)
    engine.sync_weights(Policy(PolicyRef(weights_sha=files.weights_sha), files))
    return engine


def _check_served_context(prepared: Prepared, engine: Engine, served: Served, say: Say) -> None:
    """As `_check_context`, if the servers say how long a context is and something can count prompts."""
    if served.context_length is None:
        return
    try:
        _check_context(prepared, engine, served.context_length)
    except EngineError as error:
        say(f"prompts are not counted: {error.what}")


def _check_context(prepared: Prepared, engine: Engine, context_length: int) -> None:
    files = prepared.files or ModelFiles(Path(), prepared.asked.model, context_length, chat=True)
    for problems in prepared.sets:
        lengths = {
            task.id: engine.prompt_tokens(
                Request(RolloutKey("", "eval", problems.name, 0, task.id, 0), task.prompt, problems.sampling)
            )
            for task in problems.tasks
        }
        _fits(lengths, problems, prepared.profile, files)


def _fits(lengths: Mapping[str, int], problems: ProblemSet, profile: Profile, files: ModelFiles) -> None:
    """Raise RecipeError if a prompt and the longest completion do not fit the model's context."""
    where = f"profile {profile.name!r}, benchmark {problems.name!r}"
    try:
        check_context(lengths, problems.sampling.max_tokens, files, where)
    except RecipeError as error:
        room = files.context_length - max(lengths.values())
        shorter = f"--override sampling.max_tokens={room} (another profile, another column), or "
        raise RecipeError(
            error.what, where=where, hint=(shorter if room > 0 else "") + "a model with a longer context"
        ) from None


def _options(use: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in use.items() if key != "name"}
