"""A sandbox around another one: it counts what ran, for an operator who wants to know."""

import logging
from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from harness import hookimpl
from harness.contract import BuildContext, Job, Raw, Sandbox, kind
from harness.plugging import Register
from harness.recipe import Plugin, Use


@hookimpl
def register_sandboxes(register: Register) -> None:
    register("counting", f"{__name__}:Counting", options=f"{__name__}:CountingOptions")


class CountingOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    inner: Annotated[Plugin, kind("sandboxes")] = Use(name="auto")
    """Where programs run; the mark lets a recipe's check look at it, too."""


class Counting:
    def __init__(self, options: CountingOptions, context: BuildContext) -> None:
        self._inner: Sandbox = context.build("sandboxes", options.inner.name, options.inner.options)
        self.statuses = Counter[str]()

    @property
    def width(self) -> int:
        return self._inner.width

    async def run(self, job: Job) -> Raw:
        raw = await self._inner.run(job)
        self.statuses[raw.status] += 1
        return raw

    def close(self) -> None:
        logging.getLogger(__name__).info("programs that ran: %s", dict(self.statuses))
        self._inner.close()
