"""What needs a privilege or a heavy environment is skipped with its reason unless asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from typing import Any

import pytest
from hypothesis import settings

# The same examples for the same code: a check says something about the change. Elsewhere they vary.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

#: Files whose tests share something that must not be there twice: one worker runs them, in order.
#: xdist's own groups (3.8) are without effect under pytest 9.2.
ONE_WORKER = frozenset({"tests/plugins/vllm/test_vllm_real.py", "tests/plugins/verl/test_verl_real.py"})


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness")
    group.addoption("--docker", action="store_true", help="run tests that need a Docker engine")
    group.addoption("--heavy", action="store_true", help="run tests that need a heavy environment")
    group.addoption("--until", type=float, default=float("inf"), help="begin no heavy test after this epoch")


def pytest_configure(config: pytest.Config) -> None:
    """Trackio looks once where its databases are, when anything imports it: nobody's own are written to."""
    place = tempfile.TemporaryDirectory(prefix="trackio-")
    os.environ["TRACKIO_DIR"] = place.name
    config.add_cleanup(place.cleanup)


@cache
def _docker_fault() -> str:
    """Why no Docker engine can be used; empty when one can."""
    docker = shutil.which("docker")
    if docker is None:
        return "no docker command on this machine"
    try:
        done = subprocess.run(
            [docker, "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within 30 s"
    return "" if done.returncode == 0 else f"no Docker engine: {done.stderr.strip().splitlines()[-1:]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for name in ("docker", "heavy"):
            if item.get_closest_marker(name) is None:
                continue
            if not config.getoption(f"--{name}"):
                item.add_marker(
                    pytest.mark.skip(reason=f"{name.upper()}: not asked for; run 'make test-all'")
                )
            elif name == "docker" and _docker_fault():
                item.add_marker(pytest.mark.skip(reason=f"DOCKER: {_docker_fault()}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The heavy tests that a slow machine has no time for are named, and none is cut off in the middle."""
    if item.get_closest_marker("heavy") and time.time() > item.config.getoption("--until"):
        pytest.skip("HEAVY: no time left on this machine; run 'make test-all'")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the files of ONE_WORKER together when their tests run; None leaves the choice to xdist."""
    if not config.getoption("--heavy") or config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in ONE_WORKER else nodeid

    return Scheduling(config, log)
