"""Folders and settings that the environment names: HARNESS_DATA, HARNESS_CACHE, HF_HOME, offline mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from harness_benchmarks.catalogue import ENTRIES
from harness_livecodebench.releases import REPOSITORY

from harness.contract import HarnessError, counted
from harness.support import cache_folder, data_folder
from harness_doctor.finding import Finding
from harness_doctor.machine import writable

#: Switches of the Hub's libraries, and the values by which they are on.
OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_ON: Final = frozenset({"1", "on", "yes", "true"})
LAYOUT: Final = "rows of a benchmark lie in it as benchmarks/NAME.jsonl"


def data() -> Finding:
    """The folder of local data."""
    try:
        folder = data_folder()
    except HarnessError as error:
        return Finding("HARNESS_DATA", "fault", f"{error.where} {error.what}", "export HARNESS_DATA=FOLDER")
    if folder is None:
        return Finding(
            "HARNESS_DATA", "off", f"not set, so benchmarks come from the Hub; {LAYOUT}",
            "export HARNESS_DATA=FOLDER",
        )  # fmt: skip
    held = [name for name, entry in ENTRIES.items() if entry.file and (folder / entry.file).is_file()]
    held += ["livecodebench"] if (folder / REPOSITORY).is_dir() else []
    if not held:
        return Finding(
            "HARNESS_DATA", "off", f"{folder} holds no benchmarks; {LAYOUT}", f"ls {folder}/benchmarks"
        )
    return Finding("HARNESS_DATA", "ok", f"{folder} has {', '.join(held)}")


def cache() -> Finding:
    """The folder of converted models and downloads."""
    folder = cache_folder()
    if folder.exists() and not folder.is_dir():
        return Finding("HARNESS_CACHE", "fault", f"{folder} is no folder", "export HARNESS_CACHE=FOLDER")
    if not writable(folder):
        return Finding(
            "HARNESS_CACHE", "fault", f"{folder} cannot be written to", "export HARNESS_CACHE=FOLDER"
        )
    return Finding("HARNESS_CACHE", "ok", str(folder))


def hub_home(variables: Mapping[str, str]) -> Path:
    """The folder of the Hub's libraries, by the rules that huggingface_hub documents."""
    if variables.get("HF_HOME"):
        return Path(variables["HF_HOME"]).expanduser()
    return Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"


def hub(variables: Mapping[str, str]) -> Iterator[Finding]:
    """The Hub: its folder, whether it may be asked, and whether gated data sets can be.

    Args:
        variables: the environment.
    """
    home = hub_home(variables)
    if not writable(home):
        yield Finding("HF_HOME", "fault", f"{home} cannot be written to", "export HF_HOME=FOLDER")
    else:
        yield Finding("HF_HOME", "ok", f"{home}, for the token and for other tools' downloads")
    switches = [name for name in OFFLINE if variables.get(name, "").lower() in _ON]
    ours = cache_folder()
    models, rows = (len(list(ours.glob(pattern))) for pattern in ("hub/models--*", "datasets/*/*.jsonl"))
    words = f"{counted(models, 'model')} and {counted(rows, 'split')} of data sets in {ours}"
    if switches:
        mend = "" if models + rows else f"unset {' '.join(switches)}"
        said = f"offline by {', '.join(switches)}: only what is here, {words}"
        yield Finding("Hub", "ok" if not mend else "off", said, mend)
    else:
        endpoint = variables.get("HF_ENDPOINT") or "https://huggingface.co"
        yield Finding("Hub", "ok", f"{endpoint} is asked for what is not here; {words}")
    token = Path(variables.get("HF_TOKEN_PATH") or home / "token").expanduser()
    if variables.get("HF_TOKEN") or token.is_file():
        yield Finding("HF_TOKEN", "ok", "set" if variables.get("HF_TOKEN") else f"in {token}")
    else:
        yield Finding(
            "HF_TOKEN", "off", "not set; gated benchmarks (gpqa-diamond) and models need it", "hf auth login"
        )
