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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import harness
from harness.benchmarking.folder import Asked, EvaluationFolder
from harness.benchmarking.lines import ORIGINAL, Contents
from harness.benchmarking.problems import ProblemSet, find_benchmark, problem_sets
from harness.benchmarking.profile import Profile
from harness.benchmarking.recording import Recorder, Work
from harness.errors import CapabilityError, EngineError, RecipeError, counted
from harness.events import Events
from harness.generation import stream_scored
from harness.history import check_unchanged
from harness.identity import environment, now
from harness.ledger import SCHEMA, Ledger
from harness.plan import cache_folder, check_context, data_folder
from harness.plugins import Plugins
from harness.protocols import BuildContext, Engine, ModelFiles, Policy
from harness.recipe import Resources
from harness.recipe.errors import validated
from harness.recipe.stage import Use
from harness.records import PolicyRef, Request, RolloutKey, encode
from harness.scoring import Scorer, VerifierSpec

#: What may not change while an evaluation goes on. How much is asked for may.
FACTS: Final = ("model", "profile", "verifiers", "stream", "benchmarks")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation has come to."""

    folder: Path
    #: Samples generated now.
    generated: int
    #: Benchmark -> why it has no score; empty when all have one.
    refused: dict[str, str] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


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

    @property
    def stream(self) -> str:
        """Names the random stream: the same for every model, so that comparisons are paired."""
        return f"eval/{self.asked.seed}"


def build_context(asked: Asked, plugins: Plugins, *, chat: bool = True) -> BuildContext:
    """What an evaluation's plugin objects may know."""

    def build(kind: str, name: str, options: Mapping[str, Any]) -> Any:
        return plugins.registry.find(kind, name, where=kind).build(options, context)

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
    for name in asked.benchmarks:
        find_benchmark(name, plugins)
    if asked.engine and generate:
        engine = plugins.registry.find("engines", asked.engine["name"], where="--engine")
        engine.validate(_options(asked.engine), field_path=f"engine {engine.full_name!r}")
    sets = problem_sets(asked, profile, plugins, context)
    files = _files(asked, plugins, profile, context) if asked.loader and generate else None
    if files is not None:
        from harness.preflight import prompt_lengths

        for problems in sets:
            # A chat template adds to what is counted here; the engine counts exactly before it starts.
            _fits(prompt_lengths(files, problems.tasks), problems, profile, files)
    return Prepared(asked, plugins, context, profile, sets, files)


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


def verifier_spec(use: Use, plugins: Plugins, context: BuildContext) -> VerifierSpec:
    """The spec of one verifier, its options checked."""
    from harness.errors import PluginError

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
    """Verifier processes: one a core."""
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
        recorder = Recorder(prepared.sets, contents.tallies[ORIGINAL], ledger, prepared.asked.token_ids)
        events = Events(prepared.plugins.manager)
        events.emit("run_started", run=folder.info)
        recorder.failed = lambda rollout, verdict: events.emit(
            "sample_failed", run=folder.info, rollout=rollout, verdict=verdict
        )
        started = time.process_time()
        work = Work(prepared.sets, recorder.tallies, prepared.stream)
        if len(work):
            _generate(folder, prepared, scorer, recorder, work, stack, say)
        if recorder.unjudged():
            say(f"judging {counted(recorder.unjudged(), 'sample')} again that could not be judged")
            recorder.judge_again(folder.ledger, scorer)
        outcome = score_all(folder, prepared, scorer, recorder, contents, started)
        for name, scores in outcome.scores.items():
            events.emit("evaluation_finished", run=folder.info, name=name, scores=scores)
        return outcome


def score_all(
    folder: EvaluationFolder, prepared: Prepared, scorer: Scorer, recorder: Recorder, contents: Contents,
    started: float = 0.0,
) -> Outcome:  # fmt: skip
    """Write the scores of every benchmark that is complete."""
    outcome = Outcome(folder.folder, recorder.received)
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
        ledger.append("opened", **facts, environment=environment(), at=now())
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
        "plugins": prepared.plugins.facts(),
        "verifiers": scorer.hashes(),
        "model": {
            "name": asked.model,
            "weights_sha": files.weights_sha if files else asked.model,
            "context_length": files.context_length if files else None,
        },
    }


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
    engine = open_engine(prepared)
    stack.callback(engine.close)
    context_length = (
        prepared.files.context_length if prepared.files else int(getattr(engine, "context_length", 0) or 0)
    )
    if context_length:
        _check_context(prepared, engine, context_length)
    say(f"generating {counted(len(work), 'sample')}")
    recorder.expect(len(work), say)
    try:
        stream_scored(engine, work, recorder.claim, scorer, recorder.receive)
    finally:
        recorder.ledger.commit()


def open_engine(prepared: Prepared) -> Engine:
    """The engine with the model's weights."""
    asked = prepared.asked
    registration = prepared.plugins.registry.find("engines", asked.engine["name"], where="--engine")
    where = f"engine {registration.full_name!r}"
    engine: Engine = registration.build(_options(asked.engine), prepared.context, field_path=where)
    files = prepared.files or ModelFiles(Path(), asked.model, 0, chat=True)
    engine.sync_weights(Policy(PolicyRef(weights_sha=files.weights_sha), files))
    return engine


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
    """Raise RecipeError when a prompt and the longest completion do not fit the model's context."""
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
