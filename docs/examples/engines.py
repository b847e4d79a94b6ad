"""An engine around another one that asks again what was given up."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from harness import hookimpl
from harness.contract import BuildContext, Engine, Policy, Request, Rollout, kind
from harness.plugging import Register
from harness.recipe import Plugin


@hookimpl
def register_engines(register: Register) -> None:
    register("again", f"{__name__}:Again", options=f"{__name__}:AgainOptions", summary="asks twice at most")


class AgainOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    engine: Annotated[Plugin, kind("engines")]
    """The engine that generates."""


class Again:
    def __init__(self, options: AgainOptions, context: BuildContext) -> None:
        self._inner: Engine = context.build("engines", options.engine.name, options.engine.options)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        lost = []
        by_key = {request.key: request for request in requests}
        async for rollout in self._inner.generate(requests):
            if rollout.finish == "abort":
                lost.append(by_key[rollout.key])
            else:
                yield rollout
        if lost:
            async for rollout in self._inner.generate(lost):
                yield rollout

    def prompt_tokens(self, request: Request) -> int:
        return self._inner.prompt_tokens(request)

    def sync_weights(self, policy: Policy) -> None:
        self._inner.sync_weights(policy)

    def close(self) -> None:
        self._inner.close()
