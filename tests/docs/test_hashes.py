"""Pins and hashes: they agree, they are pip's own form, and a file with another hash is not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environments import build_wheel, new_environment, plugin_tree
from tests.support.places import ROOT

HASHES = sorted((ROOT / "constraints" / "hashes").glob("*.txt"))
PINS = sorted((ROOT / "constraints").glob("*.txt"))


def check(scripts: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, scripts / "hashes", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_pin_has_hashes_and_every_hash_a_pin() -> None:
    done = check(ROOT / "scripts")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.stem)
def test_a_changed_pin_is_named_with_the_next_step(pins: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "constraints", tmp_path / "constraints")
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    changed = re.sub(r"(?m)^([\w.-]+)==.*$", r"\1==0.0.0", pins.read_text(encoding="utf-8"), count=1)
    (tmp_path / "constraints" / pins.name).write_text(changed, encoding="utf-8")
    done = check(tmp_path / "scripts")
    assert done.returncode == 1
    assert f"constraints/{pins.name}" in done.stderr
    assert "(0.0.0)" in done.stderr
    assert "make hashes" in done.stderr


@pytest.mark.parametrize("file", HASHES, ids=lambda path: path.stem)
def test_hashes_are_in_pips_form_and_name_no_address(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "\n--require-hashes\n" in text
    assert "://" not in text
    only = "--no-binary :all:" if ".source" in file.name else "--only-binary :all:"
    assert f"\n{only}\n" in text
    pinned = re.findall(r"(?m)^([\w.-]+==\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", text)
    assert len(pinned) == text.count("==")


def test_pip_takes_the_file_with_the_hash_and_no_other(tmp_path: Path) -> None:
    """What `scripts/pinned.py` relies on: with the options that it uses."""
    tree = plugin_tree(tmp_path / "tree", "hashed", "VALUE = 1\n")
    wheel = build_wheel(tree, out=tmp_path / "dist")
    sha = subprocess.run(["sha256sum", wheel], capture_output=True, text=True, check=True).stdout.split()[0]
    environment = new_environment(tmp_path / "env")
    name = "staged-harness-hashed==" + wheel.name.split("-")[1]
    codes = {}
    for each in ("0" * 64, sha):
        requirements = tmp_path / "requirements.txt"
        requirements.write_text(f"--require-hashes\n--only-binary :all:\n{name} --hash=sha256:{each}\n")
        codes[each] = subprocess.run(
            [sys.executable, "-m", "pip", "--python", environment.python, "install", "--quiet", "--no-deps",
             "--no-index", "--find-links", wheel.parent, "--requirement", requirements],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert codes["0" * 64].returncode == 1
    assert "DO NOT MATCH THE HASHES" in codes["0" * 64].stderr
    assert codes[sha].returncode == 0, codes[sha].stderr
