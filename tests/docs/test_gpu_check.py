"""scripts/gpu-check: every check runs on a CPU; what breaks, differs or takes too long is told by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.plugging.plugins import Plugins
from tests.support.places import ROOT

torch = pytest.importorskip("torch", reason="the checks are about torch")
CHECKS = ("versions", "updates", "trl", "decoding", "step", "resume", "evaluation")


def checked(*words: str) -> tuple[int, dict[str, list[list[str]]], str]:
    """Exit code, rows by check (what, on the device, beside, verdict), and what was said besides."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "gpu-check", *words], capture_output=True, text=True, check=False
    )
    rows: dict[str, list[list[str]]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("|") and not line.startswith(("| check |", "|---")):
            check, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows.setdefault(check, []).append(cells)
    return done.returncode, rows, done.stderr


def test_every_check_runs_on_a_cpu_and_agrees() -> None:
    code, rows, said = checked("--device", "cpu", "--minutes", "12")
    assert code == 0, (rows, said)
    assert tuple(rows) == CHECKS
    verdicts = {check: [cells[-1] for cells in of_check] for check, of_check in rows.items()}
    for check in ("updates", "decoding", "resume", "evaluation"):
        assert "ok" in verdicts[check], rows[check]
    assert torch.__version__ in {cells[1] for cells in rows["versions"]}
    # A GPU's memory cannot be measured here, which is said.
    assert "skipped" in verdicts["step"]


def test_a_check_that_breaks_is_named_and_the_others_run(tmp_path: Path) -> None:
    code, rows, _ = checked(
        "--device", "cpu", "--only", "decoding", "versions", "--model", str(tmp_path / "none")
    )
    assert code == 1
    (broken,) = rows["decoding"]
    assert broken[-1] == "fails"
    assert "exit code 1" in broken[1]
    assert all(cells[-1] != "fails" for cells in rows["versions"])


def test_what_is_not_done_in_time_fails() -> None:
    code, rows, _ = checked("--device", "cpu", "--only", "updates", "resume", "--minutes", "0.001")
    assert code == 1
    for check in ("updates", "resume"):
        (late,) = rows[check]
        assert "not done within" in late[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_without_a_gpu_the_error_says_so_and_what_to_do() -> None:
    code, rows, said = checked("--only", "versions")
    assert (code, rows) == (2, {})
    assert "torch sees none" in said
    assert "cpu" in said


def test_a_folder_without_wheels_is_refused(tmp_path: Path) -> None:
    code, _, said = checked("--device", "cpu", "--wheels", str(tmp_path))
    assert code == 2
    assert "--pack" in said


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "bench")
    from devices import training

    yield training
    for name in [name for name in sys.modules if name == "parity" or name.split(".")[0] == "devices"]:
        del sys.modules[name]


def test_a_gradient_that_is_a_percent_off_fails(
    training: ModuleType, tmp_path: Path, harness_plugins: Plugins
) -> None:
    parity = sys.modules["parity"]
    reference = parity.run("torch", "GRPO, tokens alike", tmp_path / "a", harness_plugins)

    def verdicts(factor: float) -> list[str]:
        other = parity.Seen(reference.run, [g * factor for g in reference.gradients], reference.advantages)
        rows = training.compared("updates", "torch", other, reference, training.LOSS, training.GRADIENT)
        return [row.verdict for row in rows]

    assert verdicts(1.0) == ["ok", "ok", "ok"]
    assert verdicts(1.01) == ["ok", "ok", "fails"]
