"""The session over a socket: a stage driven from another process, and what a client is refused."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness import ledger
from harness.errors import TrainingError
from harness.parts import Parts
from harness.plan import make_plans
from harness.plugins import load
from harness.recipe import load_recipe
from harness.records import StepMetrics
from harness.wire import RemoteSession, SessionServer
from tests.support.recipes import SIM, write
from tests.support.runs import first_difference, make_study, numbers, start_arm

#: What a trainer in another process does: the simulation's, over a remote session.
DRIVER = """
import sys
from pathlib import Path
from harness.plugins import load
from harness.protocols import BuildContext, ModelFiles, Policy
from harness.recipe import Resources, Stage
from harness.records import PolicyRef
from harness.wire import RemoteSession

address, token, model, sha = sys.argv[1:]
session = RemoteSession(address, token)
context = BuildContext(0, Path(), None, lambda *a: None, Resources())
trainer = load().registry.find("trainers", "sim").build({}, context)
files = ModelFiles(Path(model), sha, 32768, False)
policy = trainer.train(session.stage, Policy(PolicyRef(weights_sha=sha), files), session)
print(policy.ref.step)
"""


class Elsewhere:
    """A trainer whose stages another process drives over a socket."""

    def __init__(self, inner: Any, address: str) -> None:
        self._inner, self._address = inner, address

    def train(self, stage: Any, policy: Any, session: Any) -> Any:
        with SessionServer(session, self._address) as server:
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    DRIVER,
                    server.address,
                    server.token,
                    str(policy.files.path),
                    policy.ref.weights_sha,
                ],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) == session.steps_done
        return policy

    def engine(self, policy: Any) -> Any:
        return self._inner.engine(policy)

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_stage_driven_from_another_process_is_the_same_stage(tmp_path: Path, kind: str) -> None:
    from harness.loop import proceed

    path = write(tmp_path, SIM.replace("rollouts = 6000", "rollouts = 2500"))
    study = make_study(path, tmp_path / "near").folder
    assert start_arm(study).wait(timeout=120) == 0

    (plan,) = make_plans(load_recipe(path), load())
    with ExitStack() as stack:
        parts = Parts(plan, tmp_path / "far", stack)
        address = "tcp:127.0.0.1:0" if kind == "tcp" else f"unix:{tmp_path}/s"
        parts.trainer = Elsewhere(parts.trainer, address)
        proceed(parts)
    assert first_difference(numbers(tmp_path / "far"), numbers(study / "main" / "seed-0")) is None


class Session:
    """As much of a session as refusals need."""

    first_step, max_refills = 0, 0

    def __init__(self) -> None:
        from harness.recipe import Conventions, Stage

        self.stage, self.conventions = Stage(name="s"), Conventions()

    def next_tasks(self, count: int) -> list[Any]:
        raise TrainingError("the budget is spent", where="step 3")

    def finish_step(self, metrics: StepMetrics) -> Any:
        raise AssertionError("never reached")


@pytest.fixture
def server() -> Any:
    with SessionServer(Session()) as server:  # type: ignore[arg-type]
        yield server


def test_a_wrong_token_is_refused(server: SessionServer) -> None:
    with pytest.raises(TrainingError, match="wrong token"):
        RemoteSession(server.address, "0" * 32)


def test_an_error_of_the_session_travels_back(server: SessionServer) -> None:
    with pytest.raises(TrainingError, match="step 3: the budget is spent"):
        RemoteSession(server.address, server.token).next_tasks(1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"call": "exit"}, "no such call"),
        ({"call": "__class__"}, "no such call"),
        ({"call": "next_tasks", "args": ["many"]}, "int"),
        ({"call": "next_tasks", "args": []}, "argument"),
        ({"call": "finish_step", "args": [{"stage": "s"}]}, "StepMetrics"),
        ({"call": []}, "TypeError"),
        ({"call": "next_tasks", "args": 1}, "TypeError"),
    ],
)
def test_calls_that_do_not_fit_are_answered_with_an_error(
    server: SessionServer, line: dict[str, Any], words: str
) -> None:
    answer = json.loads(server.answer(json.dumps(line).encode()))
    assert words in answer["error"]


def test_rubbish_does_not_end_the_server(server: SessionServer) -> None:
    host, _, port = server.address.removeprefix("tcp:").rpartition(":")
    for rubbish in (b"\x00\xff\n", server.token.encode() + b"\nnot json\n", b"x" * 5000):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
    assert RemoteSession(server.address, server.token).stage.name == "s"


def test_a_server_that_is_gone_is_a_named_error() -> None:
    with SessionServer(Session()) as server:  # type: ignore[arg-type]
        address, token = server.address, server.token
        session = RemoteSession(address, token)
    session.close()
    with pytest.raises(TrainingError, match="no session there"):
        RemoteSession(address, token)


def test_the_ledger_has_one_writer(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    (plan,) = make_plans(load_recipe(path), load())
    with ExitStack() as stack:
        Parts(plan, tmp_path / "run", stack)
        with pytest.raises(ledger.LedgerError, match="another process is writing this run"):
            Parts(plan, tmp_path / "run", stack)
