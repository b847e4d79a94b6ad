"""The bench's plugin, which lies as harness_plugin.py beside its recipe.

Trainer `served`: a real stage (session, judging, ledger) whose completions come from the engine `openai` and
whose updates change nothing, because the servers' weights are fixed. Sandbox kind `noted`: the kind `remote`,
with a note of how long each job waited. Model `served`: a folder for weights that nobody has.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from harness import hookimpl
from harness.contract import (
    Batch,
    BuildContext,
    Engine,
    Job,
    ModelFiles,
    Policy,
    PolicyRef,
    Raw,
    Rollout,
    Sandbox,
    Session,
    Task,
)
from harness.plugging import Register
from harness.recipe import Stage
from harness.training import Backend, Step, Update, drive, sampled

SHA: Final = "served"


@hookimpl
def register_models(register: Register) -> None:
    register("served", f"{__name__}:Served", capabilities={"local": True})


@hookimpl
def register_trainers(register: Register) -> None:
    able = {"kinds": ["rl"], "engine": True, "resume": True, "transformers_checkpoint": False}
    register("served", f"{__name__}:ServedTrainer", options=f"{__name__}:Options", capabilities=able)


@hookimpl
def register_sandboxes(register: Register) -> None:
    register("noted", f"{__name__}:Noted", options=f"{__name__}:Options")


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    notes: str
    """File that gets a line of JSON for each note."""
    inner: dict[str, Any]
    """Options of the engine `openai`, or of the sandbox kind `remote`."""


class Notes:
    """A file of lines, from any thread."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - as long as its owner

    def add(self, **fields: Any) -> None:
        self._file.write(json.dumps({"at": time.monotonic(), **fields}).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


class Served:
    """Protocol `ModelLoader`."""

    def __init__(self, options: None, context: BuildContext) -> None:
        self._folder = context.cache / "served"

    def load(self) -> ModelFiles:
        self._folder.mkdir(parents=True, exist_ok=True)
        return ModelFiles(self._folder, SHA, 65536, chat=True)


class ServedTrainer:
    """Protocol `Trainer`."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        self._engine: Engine = context.build("engines", "openai", options.inner)
        self._notes = Notes(options.notes)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        return drive(stage, policy, session, ServedStage(self._engine, self._notes))

    def engine(self, policy: Policy) -> Engine:
        return self._engine

    def close(self) -> None:
        self._engine.close()
        self._notes.close()


class ServedStage(Backend):
    """What the loop of a stage asks."""

    def __init__(self, engine: Engine, notes: Notes) -> None:
        self._engine, self._notes = engine, notes

    def generate(self, tasks: Sequence[Task], step: Step) -> Iterator[Rollout]:
        requests = [request for group in step.requests(tasks) for request in group]
        self._note("asked", step, samples=len(requests))
        yield from sampled(self._engine, requests)
        self._note("answered", step)

    def update(self, batch: Batch, step: Step) -> Update:
        self._note("judged", step)
        return Update(loss=0.0, grad_norm=0.0)

    def engine(self, policy: PolicyRef) -> Engine:
        return self._engine

    def save(self, folder: Path, before: Policy) -> str:
        (folder / "model").mkdir(parents=True)
        return SHA

    def _note(self, what: str, step: Step, **more: Any) -> None:
        self._notes.add(note=what, step=step.number, cpu=time.process_time(), **more)


class Noted:
    """Protocol `Sandbox`: the kind `remote`, and a note for each job."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        self._inner: Sandbox = context.build("sandboxes", "remote", options.inner)
        self._notes = Notes(options.notes)

    @property
    def width(self) -> int:
        return self._inner.width

    async def run(self, job: Job) -> Raw:
        """As the inner one; what is not the program's own time was spent waiting, for whatever reason."""
        asked = time.monotonic()
        raw = await self._inner.run(job)
        spent = time.monotonic() - asked
        self._notes.add(note="job", wait=max(spent - raw.wall_s, 0.0), status=raw.status, told=raw.queue_s)
        return raw

    def close(self) -> None:
        self._inner.close()
        self._notes.close()
