"""What engines check of their requests."""

from __future__ import annotations

from harness.contract.errors import EngineError
from harness.contract.records import Request


def refuse_prefix(request: Request, engine: str) -> None:
    """For engines without the capability `prefix`.

    Raises:
        EngineError: the request wants a completion continued.
    """
    if request.prefix_ids:
        raise EngineError(
            "it cannot continue a completion from token ids",
            where=f"engine {engine!r}, task {request.key.task!r}",
            hint="use an engine with the capability `prefix`, such as transformers or vllm",
        )
