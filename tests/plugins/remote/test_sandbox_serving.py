"""How a front may be started, and what is said of it."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness_livecodebench.store import Store
from harness_remote.options import RemoteOptions
from harness_remote.serve import Serving
from harness_sandbox.pool import SandboxError
from harness_sandbox_cli import capacity
from harness_sandbox_cli.cli import command
from pydantic import ValidationError

from tests.support.places import ROOT


def _serving(**how: Any) -> Serving:
    return Serving(**{"host": "127.0.0.1", "port": 0, "token": "t" * 16, "host_named": True, **how})


@pytest.mark.parametrize("given", ["certificate", "key"])
def test_a_certificate_and_its_key_go_together(given: str) -> None:
    with pytest.raises(SandboxError, match="go together"):
        _serving(**{given: Path("some.pem")}).check()


@pytest.mark.parametrize(("host", "said"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_plain_http_for_other_machines_is_said(
    host: str, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _serving(host=host).check()
    assert ("unencrypted" in caplog.text) is said


def test_tries_have_as_many_digits_as_a_name_has_room_for() -> None:
    RemoteOptions(servers=("http://one:1",), attempts=100)
    with pytest.raises(ValidationError):
        RemoteOptions(servers=("http://one:1",), attempts=101)


def test_threads_that_keep_the_same_tests_do_not_disturb_each_other(tmp_path: Path) -> None:
    tests = [(f"{n}\n" * 2000, f"{n}\n") for n in range(40)]
    names: list[str] = []

    def keep() -> None:
        names.append(Store(tmp_path).put(tests))

    for _ in range(5):
        threads = [threading.Thread(target=keep) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for path in tmp_path.rglob("*.z"):
            path.unlink()
    assert len(names) == 40


@pytest.mark.parametrize("kept_up", [True, False])
def test_sizes_from_a_host_that_did_not_keep_up_say_so(kept_up: bool, tmp_path: Path) -> None:
    measured = capacity.load(ROOT / "docs" / "make" / "capacity.json")
    figures = replace(measured, kept_up=kept_up, slots=2, rate=5.0, seconds=176.0)
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(asdict(figures)))
    done = CliRunner().invoke(command, ["capacity", "--figures", str(path)])
    assert done.exit_code == 0, done.output
    assert ("did not keep up" in done.output) is not kept_up
    assert ("warning:" in done.output) is not kept_up
    assert "harness sandbox bench --kind docker --slots 2 --rate 5 --seconds 176 --all-tests" in done.output
    assert "memory, GiB" in done.output
