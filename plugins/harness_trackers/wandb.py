"""Weights & Biases: a run in the run's folder, to be sent later, or on a server at once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final, Literal

from harness.contract import BuildContext, TrackedRun
from harness_trackers.options import WandbOptions

#: Metric that the others are drawn against: W&B's own counter never goes back, a resumed run does.
STEP: Final = "step"
#: Seconds to reach the server, and to send what is left at the end: fewer than a run waits for its trackers.
#: What is not sent by then stays on disk for `wandb sync`.
PATIENCE: Final = 45.0


class Wandb:
    """Logs a run's numbers as history (protocol `Tracker`), in the run of W&B that has its id.

    W&B ignores what is logged at a lower step of its own counter than before, and a second value in a row
    replaces the first. So each training step gets rows of its own, which name their step themselves: one that
    is done again after a resume is there twice.
    """

    def __init__(self, options: WandbOptions, context: BuildContext) -> None:
        self._options = options
        self._run: Any = None
        #: The training step of the row under way, W&B's number of that row, and what it has values of.
        self._at, self._row = -1, -1
        self._names: set[str] = set()

    def start(self, run: TrackedRun) -> None:
        SERVICE.enter()
        try:
            self._start(run)
        except BaseException:
            SERVICE.leave()
            raise

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if step != self._at or not self._names.isdisjoint(values):
            self._at, self._row, self._names = step, max(step, self._row + 1), set()
        self._names |= values.keys()
        self._run.log({**values, STEP: step}, step=self._row)

    def close(self, *, finished: bool) -> None:
        try:
            self._run.finish(exit_code=0 if finished else 1)
        finally:
            SERVICE.leave()

    def _start(self, run: TrackedRun) -> None:
        mode = self._options.mode or default_mode()
        if mode == "offline":
            # Its service looks for the servers to report errors to even then.
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._run = wandb.init(
            project=self._options.project or run.info.recipe,
            entity=self._options.entity,
            mode=mode,
            dir=run.info.folder,
            id=run.id,
            resume="allow",
            # Others' runs in this process, such as a trainer's own, stay open.
            reinit="create_new",
            name=f"{run.info.arm}, seed {run.info.seed}",
            group=run.info.arm,
            config=dict(run.facts),
            # Numbers alone: no output, code, packages or facts of the machine; no interruption of the run.
            settings=wandb.Settings(
                silent=True, console="off", symlink=False,
                save_code=False, disable_code=True, disable_git=True,
                x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True,
                x_save_requirements=False, stop_fn=_go_on,
                init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT") or PATIENCE),
                finish_timeout=PATIENCE, finish_timeout_raises=True,
            ),
        )  # fmt: skip
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)
        self._row = self._run.step - 1


def default_mode() -> Literal["online", "offline"] | None:
    """WANDB_MODE if it is set (None: W&B reads it itself), online if there is a key, and else offline."""
    if os.environ.get("WANDB_MODE"):
        return None
    # `wandb.login` would ask the server.
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib import wbauth

    host = wandb_setup.singleton().settings.base_url
    known = wbauth.authenticate_session(host=host, source="harness", prompt=False, update_session=False)
    return "online" if known else "offline"


def _go_on() -> None:
    """What W&B calls when somebody stops the run on its page, instead of interrupting the main thread."""


class Service:
    """W&B's process `wandb-core`, which all of a process's runs share and which none outlives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._hooks: tuple[Any, Any] = (None, None)

    def enter(self) -> None:
        """A run of ours begins."""
        with self._lock:
            if not self._runs:
                self._hooks = (sys.exit, sys.excepthook)
            self._runs += 1

    def leave(self) -> None:
        """A run of ours has ended; after the last one the process ends, unless somebody else's run needs it.

        W&B leaves its hooks of this process behind, one more each time: what was there before is put back.
        """
        import wandb

        with self._lock:
            self._runs -= 1
            if self._runs or wandb.run is not None:
                return
            wandb.teardown()
            sys.exit, sys.excepthook = self._hooks


SERVICE: Final = Service()
