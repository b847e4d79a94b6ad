"""A stage's plugins, built as the run will build them and held against their protocols.

Only kinds whose objects open nothing are built (`Kind.light`): what is wrong with one is named here, by
kind, name and distribution, and not by an AttributeError after an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.contract.capabilities import CurriculumCapabilities, ShaperCapabilities
from harness.contract.errors import HarnessError, PluginError
from harness.contract.kinds import KINDS
from harness.contract.members import mistakes
from harness.planning.capabilities import Asked
from harness.recipe import Stage, Use

if TYPE_CHECKING:
    from harness.planning.plan import Plan


def stage_uses(stage: Stage) -> Iterator[tuple[str, Use, str]]:
    """Yield (kind, use, field) for each plugin that a stage of this kind is run with."""
    where = f"stages {stage.name!r}"
    if stage.kind in ("rl", "sft"):
        yield "curricula", stage.curriculum, f"{where}, curriculum"
        for term in stage.loss.terms:
            yield "losses", term, f"{where}, loss.terms"
    if stage.kind == "rl":
        for gate in stage.gates:
            yield "gates", gate, f"{where}, gates"
        for shaper in stage.shapers:
            yield "shapers", shaper, f"{where}, shapers"


def checked(plan: Plan, kind: str, use: Use, where: str) -> Any:
    """A plugin's object of a light kind, with all members that its protocol asks for.

    Raises:
        PluginError: its factory raised, or its object lacks a member or has one that cannot be called as the
            protocol calls it; one line per fault.
        RecipeError: an option does not fit.
    """
    registration = plan.find(kind, use, where)
    place = f"{plan.file.path}, {where}"
    try:
        built = plan.build(kind, use, where)
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(
            f"{registration.where} cannot be built: {type(error).__name__}: {error}", where=place
        ) from error
    faults = list(mistakes(KINDS[kind], built))
    if faults:
        raise PluginError(f"{registration.where} {'; '.join(faults)}", where=place)
    return built


def asked(plan: Plan, stage: Stage) -> Asked:
    """Build the stage's plugins and say what they need of the trainer."""
    inputs: dict[str, tuple[str, ...]] = {}
    shapers: dict[str, ShaperCapabilities] = {}
    for kind, use, where in stage_uses(stage):
        built = checked(plan, kind, use, where)
        if kind == "losses":
            inputs[use.name] = tuple(built.inputs)
        elif kind == "shapers":
            shapers[use.name] = plan.find(kind, use, where).able(ShaperCapabilities)
    curriculum = plan.find("curricula", stage.curriculum, f"stages {stage.name!r}, curriculum")
    return Asked(curriculum.able(CurriculumCapabilities), shapers, inputs)
