"""Whether what a recipe names exists and fits: plugins with their options, and labels in rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from harness.contract.errors import HarnessError, PluginError, RecipeError, UnknownName, near
from harness.contract.records import Difficulty, PolicyRef
from harness.plugging.registry import Registry
from harness.recipe.load import RecipeFile
from harness.recipe.models import Recipe
from harness.recipe.rules import ATTACHED, POLICY, Rule, Subject
from harness.recipe.uses import BUILT_IN, inner_uses, label_names, uses


def faults(file: RecipeFile, registry: Registry) -> list[str]:
    """Every fault of every arm as a message, each once; empty if the recipe fits.

    A plugin whose extra is not installed is a fault, for its options cannot be read.
    """
    errors: dict[str, None] = {}
    suspicions: dict[str, None] = {}
    for _, recipe in file.arms():
        for error in _faults_of(recipe, registry):
            if isinstance(error, UnknownName) and error.hint:
                # One broken plugin makes many names unknown: its trace is shown once, at the end.
                suspicions[error.hint] = None
                error = UnknownName(error.what, where=error.where, allowed=error.allowed)
            errors[str(error)] = None
    return [*errors, *suspicions]


def _faults_of(recipe: Recipe, registry: Registry) -> Iterator[HarnessError]:
    wanted = [(kind, use.name, use.options, where) for kind, use, where in uses(recipe)]
    wanted += [
        ("verifiers", name, options, f"verifiers.{name}") for name, options in recipe.verifiers.items()
    ]
    for kind, name, options, where in wanted:
        yield from _faults_of_one(kind, name, options, where, registry, recipe.difficulty.labels)
    for text, where in _rules(recipe):
        try:
            _check_rule(Rule(text, where=where), recipe.difficulty.labels, where)
        except RecipeError as error:
            yield error


def _rules(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every rule of a recipe with its field."""
    yield from ((stage.select, f"stages.{i}.select") for i, stage in enumerate(recipe.stages) if stage.select)
    yield from ((text, f"difficulty.tags.{name}") for name, text in recipe.difficulty.tags.items())
    if recipe.difficulty.discard:
        yield recipe.difficulty.discard, "difficulty.discard"


def _check_rule(rule: Rule, labels: Iterable[str], where: str) -> None:
    """Raise RecipeError for labels that nobody gives, and for what cannot be worked out."""
    for model in sorted(rule.models - {POLICY}):
        if model not in labels:
            raise _unlabelled(f"the rule {rule.text!r} asks for labels of {model!r}", model, labels, where)
    # Worked out for a made-up subject: comparing words with numbers fails here, not after an hour.
    label = Difficulty(
        subject="any", model=POLICY, policy=PolicyRef(weights_sha=""), samples=3, passes=1,
        extra=dict.fromkeys(ATTACHED, 0.5),
    )  # fmt: skip
    rule.matches(Subject("any", stratum="1"), {model: {"any": label} for model in (POLICY, *rule.models)})


def _faults_of_one(
    kind: str, name: str, options: Mapping[str, Any], where: str, registry: Registry, labels: Iterable[str]
) -> Iterator[HarnessError]:
    """The faults of one plugin's options, and of the plugins that they name."""
    if (kind, name) in BUILT_IN:
        if options:
            given = ", ".join(map(repr, options))
            yield RecipeError(f"{name!r} takes no options, got {given}", where=where)
        return
    try:
        registration = registry.find(kind, name, where=where)
        missing = registration.missing()
        if missing:
            needs = f"{name!r} needs {', '.join(missing)}, which is not installed"
            yield PluginError(needs, where=where, hint=registration.install_line())
            return
        model = registration.validate(options, field_path=where)
    except HarnessError as error:
        yield error
        return
    if isinstance(model, BaseModel):
        for inner, use, place in inner_uses(model, where):
            yield from _faults_of_one(inner, use.name, use.options, place, registry, labels)
        for mark, named, place in label_names(model, where):
            if named not in labels and not (mark.policy and named == POLICY):
                yield _unlabelled(f"the option asks for labels of {named!r}", named, labels, place)


def _unlabelled(what: str, model: str, labels: Iterable[str], where: str) -> RecipeError:
    return RecipeError(
        what, where=where, allowed=near(model, labels),
        hint=f'name their file: difficulty.labels."{model}" = {{ path = "..." }}',
    )  # fmt: skip
