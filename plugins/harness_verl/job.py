"""One Ray job: a child process under verl's interpreter, watched while the driver waits for it.

Every wait ends: with an answer, with the job's death or with a limit, and then nothing of the job is
left. The limits are the recipe's: every sign of life of the job resets the stage's watchdog, and if its
alarm rings during a wait, the error says what verl was doing.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec
from harness_verl_worker import keeper

from harness.contract import RecipeError, TrainingError
from harness.support import process
from harness.training import TimeUp
from harness_verl.hub import START, Arrival, Hub
from harness_verl.options import VerlOptions

PACKAGES: Final = ("harness_verl_worker", "harness_verl_cpu", "harness_vllm_cpu")
LOOK: Final = 0.5
#: Lines of a job's log that its end is explained with.
TAIL: Final = 25
#: Bytes of it that are read for them.
READ: Final = 1 << 16
CONFIG: Final = "HARNESS-CONFIG "
REFUSED: Final = "HARNESS-REFUSED "
CONFIGURATION: Final = 3
ABSENT: Final = "HARNESS-NO-VERL "
NO_VERL: Final = 4
#: A job that is silent for this long is ended if the recipe sets no limit, so that no hang lasts.
STALL_SECONDS: Final = 1800.0
#: Longest clean end of a job: Ray takes its time on a busy machine.
END_SECONDS: Final = 300.0
#: What to do without verl.
ENVIRONMENT: Final = (
    "name the bin/python of an environment that has verl with resources.python or, for any recipe, with the "
    "variable HARNESS_VERL_PYTHON; scripts/heavy-env verl-cpu makes one for a CPU"
)


def place() -> Path:
    """A fresh folder for a job: its log, Ray's files, and verl's side of this plugin alone on a path.

    Ray's sockets lie below it, and a socket's path has at most 107 characters.
    """
    folder = Path(tempfile.mkdtemp(prefix="hv-", dir="/tmp"))
    (folder / "path").mkdir()
    for name in PACKAGES:
        (folder / "path" / name).symlink_to(package(name))
    return folder


def package(name: str) -> Path:
    """The folder of one of this distribution's packages, without importing it."""
    return Path(__file__).resolve().parents[1] / name


def environment(options: VerlOptions, folder: Path, *, device: str, threads: int) -> dict[str, str]:
    """Environment variables of the job's processes, besides those that they inherit."""
    variables = {
        "PYTHONPATH": str(folder / "path"),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HYDRA_FULL_ERROR": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray and vLLM name their processes; without this, the name is written over the environment, by
        # which `keeper.family` knows them.
        "SPT_NOENV": "1",
        "HF_HUB_OFFLINE": "1",
        "HARNESS_VERL_REWARD_SECONDS": str(options.reward_seconds),
    }
    if device == "cpu":
        variables |= {
            "VERL_PLATFORM": "cpu",
            "VERL_USE_EXTERNAL_MODULES": "harness_verl_cpu",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "TORCHDYNAMO_DISABLE": "1",
            "OMP_NUM_THREADS": str(threads),
        }
    return variables | options.environment


class RayJob:
    """The process and the hub it talks to."""

    def __init__(
        self,
        python: str,
        folder: Path,
        logs: Path,
        spec: Mapping[str, Any],
        variables: Mapping[str, str],
        hub: Hub,
        options: VerlOptions,
        stall_seconds: float | None,
        where: str,
    ) -> None:
        self.hub, self.options, self.where, self.folder = hub, options, where, folder
        self.python = python
        self.stall_seconds = stall_seconds or STALL_SECONDS
        logs.mkdir(parents=True, exist_ok=True)
        #: Removed when the job ends well.
        self.log = logs / f"{folder.name}.txt"
        (folder / "spec.json").write_bytes(msgspec.json.encode(spec))
        command = [python, str(package("harness_verl_worker") / "keeper.py"), str(folder), python, "-m",
                   "harness_verl_worker.main", str(folder / "spec.json")]  # fmt: skip
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=_inherited() | dict(variables), stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            )  # fmt: skip
        self._token = variables["HARNESS_VERL_TOKEN"]
        #: What was last passed on of when it was heard of.
        self._told = 0.0
        #: What ran below it when last looked.
        self._below: set[int] = set()

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of the job's processes on this machine so far: those that run, and children they had."""
        processes = map(process, self._below)
        return sum(one.cpu_seconds + one.children_cpu_seconds for one in processes if one is not None)

    def start(self) -> Any:
        """Wait until it asks for its first command; what it says of itself."""
        return self._wait(self.hub.results, self.options.start_seconds)

    def call(self, name: str, **arguments: Any) -> Any:
        """Have a command done; its result.

        Raises:
            TrainingError: the job died, stalled or took too long; its last words are in the message.
        """
        self.hub.command(name, **arguments)
        return self.result()

    def result(self) -> Any:
        """The result of the command under way."""
        result = self._wait(self.hub.results, self.stall_seconds)
        self.hub.busy = False
        return result

    def groups(self, sizes: Mapping[str, int]) -> Iterator[dict[str, list[Arrival]]]:
        """Complete groups by name, all that are here whenever one is; samples in order.

        Raises:
            TrainingError: as `call`, or the job says it is done and a group is not complete.
        """
        arrived: dict[str, dict[int, Arrival]] = {uid: {} for uid in sizes}
        complete: dict[str, list[Arrival]] = {}
        completions = self.hub.completions
        while arrived or complete:
            if complete and completions.empty():
                yield complete
                complete = {}
                continue
            one: Arrival = self._wait(completions, self.stall_seconds, done=arrived)
            if one.uid not in arrived:
                continue  # It belongs to a step before a resume, or was sent twice.
            arrived[one.uid][one.sample] = one
            if len(arrived[one.uid]) == sizes[one.uid]:
                rollouts = arrived.pop(one.uid)
                complete[one.uid] = [rollouts[i] for i in sorted(rollouts)]

    def finish(self) -> None:
        """Say stop and wait for a clean end.

        Raises:
            TrainingError: it ended with an error after all.
        """
        self.hub.command("stop")
        end = monotonic() + END_SECONDS
        while (code := self._process.poll()) is None:
            if monotonic() > end:
                raise self._fault(f"has not ended {END_SECONDS:g} s after it was told to stop")
            # Another stage may be waiting for it already.
            self.hub.progress("verl ends a job")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK)
        if code:
            raise self._fault(f"ended with exit code {code}")

    def close(self, *, keep_log: bool = False) -> None:
        """End what still runs, and remove its files. A deadline that passes meanwhile does not interrupt."""
        with _no_alarm():
            if self._process.stdin is not None:
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._process.kill()
            if self._process.wait():
                # The keeper may have been killed itself.
                keeper.sweep(self._token, self.folder, END_SECONDS)
            shutil.rmtree(self.folder, ignore_errors=True)
            if not keep_log:
                self.log.unlink(missing_ok=True)

    def _wait(
        self, answers: queue.SimpleQueue[Any], limit: float, done: Mapping[str, Any] | None = None
    ) -> Any:
        began = monotonic()
        while True:
            self._tell()
            with contextlib.suppress(queue.Empty):
                return answers.get(timeout=LOOK)
            self._look_below()
            code = self._process.poll()
            if code is not None:
                if code in (CONFIGURATION, NO_VERL):
                    raise refused(code, self.last_words(), self.python, self.where)
                raise self._fault(f"died (exit code {code})")
            # A sample is here before verl may be done with it (`Judge.outcome`), so in this order.
            if done is not None and not self.hub.results.empty() and answers.empty():
                raise self._fault(
                    f"lost samples: {len(done)} groups are incomplete though verl has done with them"
                )
            # The driver's own time, in which it verified, is not the job's.
            silent = monotonic() - max(self.hub.heard, began)
            if silent > limit:
                raise self._fault(f"has made no progress for {silent:.0f} s (limit {limit:g})")

    def _tell(self) -> None:
        """Pass on what was heard of the job. While it starts that is nothing: `start_seconds` limits that."""
        if self.hub.heard > self._told or self.hub.phase == START:
            self._told = self.hub.heard
            self.hub.progress(f"verl was at {self.hub.phase!r}")

    def out_of_time(self, up: TimeUp) -> TrainingError:
        """The watchdog's error with what verl was at, and its last words."""
        return self._error(f"{up.where}: {up.what}; the verl job is at {self.hub.phase!r}")

    def _look_below(self) -> None:
        if self._process.poll() is None:
            self._below = keeper.descendants(self._process.pid)

    def _fault(self, what: str) -> TrainingError:
        return self._error(f"the verl job {what}, at {self.hub.phase!r}")

    def _error(self, what: str) -> TrainingError:
        return TrainingError(
            f"{what}; it said last:\n    {self.last_words()}",
            where=self.where,
            hint=f"its whole log is {self.log}; harness run --resume goes on from the last checkpoint",
        )

    def last_words(self) -> str:
        """The end of its log, of which alone it reads: logs of long jobs are large."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - READ))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return "\n    ".join(line[:400] for line in lines[-TAIL:]) or "(nothing)"


@contextlib.contextmanager
def _no_alarm() -> Iterator[None]:
    """Without the watchdog, which rings again until its block is left.

    Its handler is replaced, not the signal masked: another thread would take the signal, and Python runs
    the handler in the main one all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def _inherited() -> dict[str, str]:
    """This process's variables without those that are of its own interpreter."""
    own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in own}


def require(python: str, where: str) -> None:
    """Look whether an interpreter has verl, without importing it: before a run measures and evaluates.

    Raises:
        RecipeError: it has not, or cannot be started.
    """
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('verl') is None)"
    try:
        done = subprocess.run(
            [python, "-c", code], env=_inherited(), capture_output=True, text=True, check=False, timeout=60
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RecipeError(f"{python} does not run: {error}", where=where, hint=ENVIRONMENT) from None
    if done.returncode:
        raise _absent(python, done.stderr.strip(), where)


def _absent(python: str, why: str, where: str) -> RecipeError:
    return RecipeError(f"no verl in {python}" + (f": {why}" if why else ""), where=where, hint=ENVIRONMENT)


def refused(code: int, words: str, python: str, where: str) -> RecipeError:
    """Why a job ended before its first task, in the job's own words."""
    mark = ABSENT if code == NO_VERL else REFUSED
    text = words[words.rindex(mark) :].removeprefix(mark) if mark in words else words
    if code == NO_VERL:
        return _absent(python, text.strip(), where)
    return RecipeError(f"verl refuses its configuration: {text.strip()}", where=where)


def check(
    python: str, spec: Mapping[str, Any], variables: Mapping[str, str], where: str, *, seconds: float = 300.0
) -> dict[str, Any]:
    """verl's complete configuration of a stage, validated by verl itself; nothing is started.

    Raises:
        RecipeError: verl, or hydra, refuses it; there is no verl; there is no answer.
    """
    folder = place()
    try:
        (folder / "spec.json").write_bytes(msgspec.json.encode(spec))
        done = subprocess.run(
            [python, "-m", "harness_verl_worker.main", "--check", str(folder / "spec.json")],
            env=_inherited() | dict(variables) | {"PYTHONPATH": str(folder / "path")}, cwd=folder,
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RecipeError(f"verl has not checked its configuration in {seconds:g} s", where=where) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise refused(done.returncode, done.stderr[-4000:], python, where)
    lines = [line for line in done.stdout.splitlines() if line.startswith(CONFIG)]
    if not lines:
        raise RecipeError(f"{python} printed no configuration of verl's: {done.stderr[-1000:]}", where=where)
    settings: dict[str, Any] = msgspec.json.decode(lines[-1].removeprefix(CONFIG))
    return settings


def interpreter(given: Sequence[str | None], base: Path) -> str | None:
    """The first interpreter that is named, None if none is.

    Raises:
        RecipeError: there is none.
    """
    for name in given:
        if name is not None:
            path = base / os.path.expanduser(os.path.expandvars(name))
            if not os.access(path, os.X_OK):
                raise RecipeError(
                    f"no interpreter at {str(path)!r}", where="trainer 'verl', python",
                    hint=ENVIRONMENT,
                )  # fmt: skip
            return str(path)
    return None
