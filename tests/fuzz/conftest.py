"""What holds for every fuzz test: nothing is left behind or grows, and the account is told at the end."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import fuzz

#: Packages whose caches and module variables are looked at.
OURS = ("harness", "harness_")
#: Entries that a cache without a limit may have: what it is keyed by is the program's, not the input's.
FEW = 200


def _modules() -> Iterator[tuple[str, Any]]:
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top == OURS[0] or top.startswith(OURS[1]):
            yield name, module


def _sizes() -> dict[str, int]:
    """Entries of every container that is a module's variable, and of every cache without a limit."""
    sizes: dict[str, int] = {}
    for module_name, module in _modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, dict | list | set) and not name.startswith("__"):
                sizes[f"{module_name}.{name}"] = len(value)
            elif isinstance(value, functools._lru_cache_wrapper):
                info = value.cache_info()
                if info.maxsize is None:
                    sizes[f"{module_name}.{name}()"] = info.currsize
    return sizes


@pytest.fixture(autouse=True)
def _nothing_grows(tmp_path: Path) -> Iterator[None]:
    """No descriptor, thread, module variable or limitless cache is left larger by hundreds of inputs."""
    threads = threading.active_count()
    before = _sizes()
    descriptors = len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert threading.active_count() <= threads + 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 8
    grown = {name: size for name, size in _sizes().items() if size > before.get(name, 0) + FEW}
    assert not grown, f"these grow with what is read: {grown}"


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: Any) -> None:
    if fuzz.ACCOUNTS and fuzz.TIMES > 1:
        terminalreporter.section("fuzzed")
        for line in fuzz.told():
            terminalreporter.write_line(line)
