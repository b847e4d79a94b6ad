"""A trainer around another one: it says when it is done."""

from typing import Annotated, Any

import click
from pydantic import BaseModel, ConfigDict

from harness import hookimpl
from harness.contract import BuildContext, Trainer, kind
from harness.plugging import Register
from harness.recipe import Plugin, Use


@hookimpl
def register_trainers(register: Register) -> None:
    # What it can do is what the trainer inside can; `plan` refuses the rest by name.
    register(
        "announced",
        f"{__name__}:Announced",
        options=f"{__name__}:AnnouncedOptions",
        capabilities={
            "losses": ["mask_truncated"],
            "dynamic_sampling": True,
            "in_stage_evaluation": True,
            "engine": True,
            "resume": True,
        },
    )


class AnnouncedOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    inner: Annotated[Plugin, kind("trainers")] = Use(name="torch")
    """The trainer that does the work."""


class Announced:
    def __init__(self, options: AnnouncedOptions, context: BuildContext) -> None:
        self._inner: Trainer = context.build("trainers", options.inner.name, options.inner.options)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the inner trainer's."""
        return getattr(self._inner, name)

    def close(self) -> None:
        self._inner.close()
        click.echo("\a", nl=False, err=True)
