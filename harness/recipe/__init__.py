"""The recipe of a run: typed, validated, overridable from the command line."""

from harness.recipe.load import RecipeFile, load_recipe
from harness.recipe.models import (
    Arm,
    Budget,
    Checkpoints,
    DifficultyOptions,
    Evaluation,
    Heldout,
    LabelFile,
    LoraOptions,
    ModelOptions,
    Recipe,
    Report,
    Resources,
    Tasks,
)
from harness.recipe.stage import (
    Conventions,
    LossOptions,
    Model,
    OptimizerOptions,
    RolloutOptions,
    Stage,
    Until,
    Use,
)

__all__ = [
    "Arm",
    "Budget",
    "Checkpoints",
    "Conventions",
    "DifficultyOptions",
    "Evaluation",
    "Heldout",
    "LabelFile",
    "LoraOptions",
    "LossOptions",
    "Model",
    "ModelOptions",
    "OptimizerOptions",
    "Recipe",
    "RecipeFile",
    "Report",
    "Resources",
    "RolloutOptions",
    "Stage",
    "Tasks",
    "Until",
    "Use",
    "load_recipe",
]
