"""The engine `vllm`: data-parallel by processes, one per replica, without Ray.

Prompts are rendered here, by the same tokenizer code as the engine `transformers`, and sent as token
ids. New weights mean new processes: vLLM's own reload leaves an output head that is tied to the
embedding as it was (measured on 0.28 and 0.32), and a stale head gives wrong completions without an error.

A replica that dies is started again up to `restarts` times; its requests go to the others meanwhile.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec
from harness_transformers.prompts import Renderer

from harness.contract import BuildContext, EngineError, Policy, Request, Rollout
from harness_vllm.dispatch import Dispatch, died
from harness_vllm.options import VllmOptions
from harness_vllm.process import Replica

SCRIPT: Final = Path(__file__).with_name("replica.py")
_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16"}


class VllmEngine:
    """Generates with the policy that `sync_weights` gave last."""

    def __init__(self, options: VllmOptions | None, context: BuildContext) -> None:
        """Raises EngineError if there is no such interpreter."""
        self.options = options or VllmOptions()
        self.mode = self.options.prompt or context.render
        self.precision = self.options.precision or context.resources.precision
        self._cpu = context.resources.device == "cpu"
        self._threads = context.resources.threads
        self._python = _interpreter(self.options.python, context.base)
        self.replicas: list[Replica] = []
        self._renderer: Renderer | None = None
        self._policy: Policy | None = None
        self._numbers = itertools.count()

    def sync_weights(self, policy: Policy) -> None:
        """Start replicas with these weights; nothing happens when they are already here.

        Raises:
            EngineError: a replica does not start; its last words are in the message.
        """
        here = self._policy
        if here is not None and here.ref.weights_sha == policy.ref.weights_sha and self.replicas:
            self._policy = policy
            return
        self.close()
        self._renderer = Renderer.open(policy.files.path, self.mode)
        self.replicas = [
            Replica(n, self._command(policy), self._environment(n)) for n in range(self.options.replicas)
        ]
        end = monotonic() + self.options.start_seconds
        for replica in self.replicas:
            replica.settled.wait(max(end - monotonic(), 0.0))
            if replica.state != "ready":
                fault = died(replica, "did not start")
                self.close()
                raise fault
        self._policy = policy

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """One rollout per request, as they finish.

        Raises:
            EngineError: no weights yet, a prompt and its completion exceed the context, or all replicas
                died more often than `restarts`.
        """
        if not requests:
            return
        renderer, policy = self._ready()
        prompts = renderer.fitting(requests, policy.files.context_length)
        dispatch = Dispatch(self.replicas, self.options, policy.ref, prompts, renderer.texts, self._numbers)
        try:
            async for rollout in dispatch.run(requests):
                yield rollout
        finally:
            dispatch.end()

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        return len(self._ready()[0].prompt_ids(request.prompt))

    def close(self) -> None:
        """End all replicas."""
        for replica in self.replicas:
            replica.close()
        self.replicas, self._policy, self._renderer = [], None, None

    def _ready(self) -> tuple[Renderer, Policy]:
        if self._renderer is None or self._policy is None:
            raise EngineError("has no weights yet", where="engine 'vllm'", hint="call sync_weights first")
        return self._renderer, self._policy

    def _command(self, policy: Policy) -> list[str]:
        arguments: dict[str, Any] = {
            "model": str(policy.files.path),
            "dtype": _DTYPES[self.precision],
            "max_model_len": policy.files.context_length,
            "tensor_parallel_size": self.options.tensor_parallel,
            "enforce_eager": self.options.eager,
        }
        return [self._python, str(SCRIPT), msgspec.json.encode(arguments | self.options.engine).decode()]

    def _environment(self, number: int) -> dict[str, str]:
        options, given = self.options, dict(os.environ)
        # The harness's own paths are of no use to another interpreter, and may break it.
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            given.pop(name, None)
        given |= {"VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1"}
        if options.tensor_parallel == 1:
            # One process per replica instead of three: a third of the memory.
            given.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        if options.eager:
            given.setdefault("TORCHDYNAMO_DISABLE", "1")
        if self._cpu:
            if self._threads:
                given["OMP_NUM_THREADS"] = str(self._threads)
        elif options.replicas > 1:
            size = options.tensor_parallel
            visible = given.get("CUDA_VISIBLE_DEVICES", "")
            devices = visible.split(",") if visible else [str(i) for i in range(options.replicas * size)]
            given["CUDA_VISIBLE_DEVICES"] = ",".join(devices[number * size : (number + 1) * size])
        return given | options.environment


def _interpreter(given: str | None, base: Path) -> str:
    if given is None:
        return sys.executable
    expanded = os.path.expanduser(os.path.expandvars(given))
    path = base / expanded
    if not os.access(path, os.X_OK):
        raise EngineError(
            f"no interpreter at {str(path)!r}", where="engine 'vllm', python",
            hint="name the bin/python of an environment that has vllm",
        )  # fmt: skip
    # Not resolved: an environment is found through the link.
    return str(path)
