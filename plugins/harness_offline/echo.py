"""Engine `echo`: answers at once, by a rule instead of a model.

For measuring the harness itself (everything but generation) and for tests that need a policy with a known
pass rate. A token is a byte of UTF-8, so that lengths and truncation behave as a model's do. Whether a
rollout is right depends on its key alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import model_validator

from harness.contract import (
    BuildContext,
    DataError,
    EngineError,
    Policy,
    PolicyRef,
    Request,
    Rollout,
    kind,
    refuse_prefix,
    seed_of,
)
from harness.recipe import Model, Plugin, Share

NAME: Final = "echo"


class EchoOptions(Model):
    """What the engine answers. Give at most one of `text`, `answers` and `tasks`; without any of them it
    answers with the prompt."""

    text: str | None = None
    """The same text for every request."""
    answers: dict[str, str] | None = None
    """Right answers by task id."""
    tasks: Annotated[tuple[Plugin, ...], kind("task_sources")] = ()
    """Plugins of kind `task_sources` whose gold answers are the right answers."""
    right: Share = 1.0
    """Share of rollouts that get the right answer, from 0 to 1."""
    wrong: str = ""
    """What the other rollouts get."""
    form: str = "{}"
    """Text around a right answer, which stands in the place of the first `{}`."""

    @model_validator(mode="after")
    def _one_rule(self) -> EchoOptions:
        given = [name for name in ("text", "answers", "tasks") if getattr(self, name) not in (None, ())]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are different rules; give one")
        return self


class Echo:
    """Answers by rule; weights change nothing but the `PolicyRef` of its rollouts."""

    def __init__(self, options: EchoOptions, context: BuildContext) -> None:
        self._options = options
        self._policy = PolicyRef(weights_sha=NAME)
        self._sources = [context.build("task_sources", use.name, use.options) for use in options.tasks]

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield the rollouts in the order of the requests; raises EngineError for a task without answer."""
        for request in requests:
            refuse_prefix(request, "echo")
            content = self._answer(request).encode()
            limit = request.sampling.max_tokens
            yield Rollout(
                key=request.key,
                prompt_ids=_prompt_ids(request),
                completion_ids=tuple(content[:limit]),
                text=content[:limit].decode(errors="ignore"),
                finish="length" if len(content) > limit else "stop",
                policy=self._policy,
                sampling=request.sampling,
            )

    def prompt_tokens(self, request: Request) -> int:
        return len(_prompt_ids(request))

    def sync_weights(self, policy: Policy) -> None:
        self._policy = policy.ref

    def close(self) -> None:
        """Holds nothing."""

    def _answer(self, request: Request) -> str:
        options, key = self._options, request.key
        if options.text is not None:
            return options.text
        if options.answers is None and not self._sources:
            return request.prompt[-1].content
        if seed_of(NAME, key.seed) / 2.0**63 >= options.right:
            return options.wrong
        return options.form.replace("{}", str(self._gold(key.task, options.answers or {})), 1)

    def _gold(self, task: str, answers: Mapping[str, str]) -> Any:
        if task in answers:
            return answers[task]
        reasons = ["it is not among the answers"] if not self._sources else []
        for source in self._sources:
            try:
                return source.get(task).answer
            except DataError as error:
                reasons.append(str(error))
        raise EngineError(
            f"no right answer for task {task!r}: {'; '.join(reasons)}", where=f"engine {NAME!r}"
        )


def _prompt_ids(request: Request) -> tuple[int, ...]:
    return tuple("\n".join(message.content for message in request.prompt).encode())
