"""What may be shown of an evaluation's problems, and the problems themselves if their data is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.benchmarking.folder import EvaluationFolder, open_folder
from harness.benchmarking.problems import FILE, find_benchmark, problem_set
from harness.benchmarking.profile import Profile
from harness.contract.capabilities import BenchmarkCapabilities
from harness.contract.errors import HarnessError
from harness.contract.records import Message
from harness.plugging.plugins import Plugins
from harness.recipe.errors import validated


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as the model was asked it."""

    prompt: tuple[Message, ...]
    answer: Any
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AtHand:
    """A benchmark's problems by task, or why there are none."""

    problems: Mapping[str, Problem] = field(default_factory=dict)
    #: Why its problems and answers to them may not be shown; empty if they may.
    closed: str = ""
    #: Why its problems are not at hand; empty if they are.
    absent: str = ""


def closed(name: str, folder: EvaluationFolder, plugins: Plugins) -> str:
    """Why answers to a benchmark, which may quote its problems, may not be passed on; empty if they may."""
    if name not in folder.asked.benchmarks:
        return "it is none of the benchmarks that the evaluation says it has"
    options = folder.asked.benchmarks[name]
    try:
        registration, _ = find_benchmark(name, plugins, options)
        if registration.able(BenchmarkCapabilities).gated:
            return "its owner gives access only to those who ask"
        if FILE in options:
            from harness.benchmarking.run import build_context

            made = registration.build(options, build_context(folder.asked, plugins))
            if dict(made.origin).get("source") == "hub":
                return "whether its data set is gated is not known"
    except HarnessError as error:
        return f"whether it is gated is not known: {error.what}"
    return ""


def gated_names(plugins: Plugins) -> frozenset[str]:
    """Names of the gated benchmarks, and of the data sets of the Hub that they are."""
    able = {r.name: r.able(BenchmarkCapabilities) for r in plugins.registry.all("benchmarks")}
    gated = {name: capabilities.repo for name, capabilities in able.items() if capabilities.gated}
    return frozenset(gated) | frozenset(gated.values()) - {""}


def all_closed(evaluation: Path, plugins: Plugins) -> dict[str, str]:
    """Why answers to each benchmark of an evaluation may not be passed on; empty if they may.

    Raises:
        LedgerError: no evaluation.
    """
    folder = open_folder(evaluation)
    return {name: closed(name, folder, plugins) for name in folder.asked.benchmarks}


def problems_at_hand(evaluation: Path, name: str, plugins: Plugins) -> AtHand:
    """The problems of a benchmark of an evaluation, as the model was asked them.

    Raises:
        LedgerError: no evaluation.
    """
    from harness.benchmarking.run import build_context

    folder = open_folder(evaluation)
    if why := closed(name, folder, plugins):
        return AtHand(closed=why)
    try:
        profile = validated(Profile, folder.asked.profile, where=str(evaluation))
        context = build_context(folder.asked, plugins, chat=profile.chat)
        made = problem_set(name, folder.asked, profile, plugins, context)
    except HarnessError as error:
        return AtHand(absent=error.what)
    return AtHand({task.id: Problem(task.prompt, task.answer, task.tags) for task in made.tasks})
