"""scripts/heavy-env: one environment a set of pins, made once, whoever asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

SCRIPT = ROOT / "scripts" / "heavy-env"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script beside pins of its own: none, so that nothing is downloaded."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "constraints").mkdir()
    for name in ("heavy-env", "pinned.py"):
        shutil.copy(SCRIPT.with_name(name), tmp_path / "scripts" / name)
    (tmp_path / "constraints" / "small.txt").write_text("# nothing\n")
    return tmp_path


def start(checkout: Path, name: str = "small") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, checkout / "scripts" / "heavy-env", name],
        env=os.environ | {"HARNESS_HEAVY": str(checkout / "envs")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_that_want_it_at_once_get_one_and_later_ones_find_it(checkout: Path) -> None:
    both = [start(checkout), start(checkout)]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert len({out for out, _ in ended}) == 1
    assert sum("making" in err for _, err in ended) == 1
    python = Path(ended[0][0].strip())
    assert python.is_relative_to(checkout / "envs")
    asked = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    assert asked.stdout.strip() == str(python.parents[1])

    # Comments change nothing; a stamp that is missing means that its making was cut short.
    (checkout / "constraints" / "small.txt").write_text("# nothing at all\n")
    out, err = start(checkout).communicate(timeout=120)
    assert (out, err) == (ended[0][0], "")
    (python.parents[1] / ".complete").unlink()
    (python.parents[1] / "left-over").touch()
    out, err = start(checkout).communicate(timeout=120)
    assert out == ended[0][0]
    assert "making" in err
    assert not (python.parents[1] / "left-over").exists()


def test_pins_without_hashes_are_an_error_that_names_them(checkout: Path) -> None:
    (checkout / "constraints" / "small.txt").write_text("six==1.17.0\n")
    process = start(checkout)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "six (1.17.0)" in err
    assert "make hashes" in err


def test_pins_that_cannot_be_installed_are_an_error_and_leave_no_environment(checkout: Path) -> None:
    (checkout / "constraints" / "small.txt").write_text("no-such==1\n")
    (checkout / "constraints" / "hashes").mkdir()
    hashes = f"--no-index\nno-such==1 --hash=sha256:{'0' * 64}\n"
    (checkout / "constraints" / "hashes" / "small.txt").write_text(hashes)
    process = start(checkout)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "ended with" in err
    assert not list((checkout / "envs").glob("*/.complete"))


def test_an_unknown_name_is_answered_with_the_known_ones(checkout: Path) -> None:
    process = start(checkout, "nothing")
    assert "one of: small" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_one_on_top_of_another_imports_what_that_one_has(checkout: Path) -> None:
    pins = checkout / "constraints"
    (pins / "top.txt").write_text("-r small.txt  # below\n")
    out, err = start(checkout, "top").communicate(timeout=120)
    assert err.count("making") == 2
    top, (small,) = Path(out.strip()), (checkout / "envs").glob("small-*/")
    (packages,) = small.glob("lib/python*/site-packages")
    (packages / "below.py").write_text("THERE = True\n")
    subprocess.run([top, "-c", "import below; assert below.THERE"], check=True, timeout=60)

    # Other pins below make another one on top, too; one that was removed below is made again.
    (pins / "small.txt").write_text("--no-index\n")
    other, err = start(checkout, "top").communicate(timeout=120)
    assert err.count("making") == 2
    assert Path(other.strip()) != top
    (pins / "small.txt").write_text("# nothing\n")
    shutil.rmtree(small)
    out, err = start(checkout, "top").communicate(timeout=120)
    assert Path(out.strip()) == top
    assert err.count("making") == 1
    assert small.exists()
