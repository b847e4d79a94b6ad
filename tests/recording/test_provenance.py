"""Hashes of what a judgement rests on."""

from pathlib import Path

import pytest

import harness.recording.provenance
from harness.contract.errors import PluginError
from harness.recording.provenance import code_hash, verifier_hash, version


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package of two files, new to the process."""
    root = tmp_path / tmp_path.name.replace("-", "_")
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "judge.py").write_text("LIMIT = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        harness.recording.provenance, "_code_hash", harness.recording.provenance._code_hash.__wrapped__
    )
    return root


def test_a_packages_hash_covers_its_code_files_and_nothing_else(package: Path) -> None:
    name, first = package.name, code_hash(package.name)
    (package / "notes.txt").write_text("not code")
    assert code_hash(name) == first
    (package / "judge.py").write_text("LIMIT = 2\n")
    changed = code_hash(name)
    (package / "judge.py").rename(package / "other.py")
    assert len({first, changed, code_hash(name)}) == 3


def test_a_modules_hash_covers_its_file_alone(package: Path) -> None:
    first = code_hash(f"{package.name}.judge")
    (package / "__init__.py").write_text("# changed\n")
    assert code_hash(f"{package.name}.judge") == first
    (package / "judge.py").write_text("LIMIT = 2\n")
    assert code_hash(f"{package.name}.judge") != first


def test_a_module_may_be_given_as_object_or_name() -> None:
    assert code_hash(harness.recording.provenance) == code_hash("harness.recording.provenance")


def test_a_verifiers_hash_covers_code_options_and_library_versions() -> None:
    hashes = {
        verifier_hash("harness.recording.provenance"),
        verifier_hash("harness.contract.records"),
        verifier_hash("harness.recording.provenance", options={"a": 1}),
        verifier_hash("harness.recording.provenance", options={"a": 2}),
        verifier_hash("harness.recording.provenance", libraries=["numpy"]),
    }
    assert len(hashes) == 5
    assert verifier_hash("harness.recording.provenance", options={"a": 1, "b": 2}) == verifier_hash(
        "harness.recording.provenance", options={"b": 2, "a": 1}
    )


def test_what_cannot_be_hashed_is_named() -> None:
    for name in ("no_such_module", "no_such.module"):
        with pytest.raises(PluginError, match=f"cannot hash module '{name}': it is not installed"):
            code_hash(name)
    with pytest.raises(PluginError, match="'math': it has no Python source file"):
        code_hash("math")
    with pytest.raises(PluginError, match="distribution 'no-such-dist' is not installed"):
        version("no-such-dist")
