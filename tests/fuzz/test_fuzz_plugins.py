"""Wheels' metadata: whatever other distributions declare, the command starts and says what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plugging import requirements
from harness.plugging.loading import installed, load_one, new_manager
from harness.plugging.registry import DISTRIBUTION, Registry
from harness.plugging.requirements import extra_that_brings, missing_requirements, needs_other_harness
from tests.support import fuzz

LINES = (
    "Provides-Extra: x", "Provides-Extra: all", "Provides-Extra: é",
    "Requires-Dist: no-such-lib>=1; extra == 'x'",
    "Requires-Dist: fuzzed[x]; extra == 'all'", "Requires-Dist: fuzzed[all]; extra == 'x'",
    f"Requires-Dist: {DISTRIBUTION}>=9",
    f"Requires-Dist: {DISTRIBUTION} (>=9", "Requires-Dist: ; extra == 'x'",
    "Requires-Dist: numpy>=; extra == 'x'",
    "Requires-Dist: numpy>=1.٣; extra == 'x'", "Requires-Dist: numpy===x; extra == 'x'",
    "Requires-Dist: a @ file:///x; extra == 'x'",
    "Requires-Dist: numpy; extra == 'x' and nonsense",
    "Requires-Dist: numpy<1" + "0" * 5000 + "; extra == 'x'",
    "Requires-Dist: numpy>=1,<1; python_version > 'x' and extra == 'x'", "Version: 2", "Name: other",
    " continued", "\0", "",
)  # fmt: skip
POINTS = (
    "p = fuzzed_module", "p = fuzzed_module:nothing", "q = no_such_module", "p = harness.cli", "= x", "p =",
    "a/b = json",
    "p = json:dumps", "é = json", "[harness]", "[other", "p", " p = x : y [z]", "p = ..x", "p = json [x]",
    "\0 = \0",
)  # fmt: skip
MODULE = """
import harness


@harness.hookimpl
def register_verifiers(register):
    register('v', 'm:V', extra='x')
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "fuzzed_module.py").write_text(MODULE)
    info = tmp_path / "fuzzed-1.0.dist-info"
    info.mkdir()
    yield info
    sys.modules.pop("fuzzed_module", None)
    requirements.declared.cache_clear()


def _text(lines: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    some = st.lists(st.one_of(st.sampled_from(lines), st.text(max_size=12)), max_size=6)
    return st.one_of(
        some.map(lambda kept: "\n".join(kept).encode("utf-8", "replace")),
        fuzz.torn([line.encode() for line in lines]),
    )


@fuzz.examples(100)
@given(metadata=_text(LINES), points=_text(POINTS), headed=st.booleans())
def test_a_distribution_is_used_or_has_a_status(
    metadata: bytes, points: bytes, headed: bool, place: Path
) -> None:
    head = b"Metadata-Version: 2.1\nName: fuzzed\nVersion: 1.0\n" if headed else b""
    (place / "METADATA").write_bytes(head + metadata + b"\n")
    (place / "entry_points.txt").write_bytes(b"[harness]\n" + points + b"\n")
    requirements.declared.cache_clear()
    said = (metadata, points, headed)
    entries = fuzz.outcome("wheel entry points", installed, shown=said)
    assert isinstance(entries, list)
    for entry in entries:
        if entry.distribution != DISTRIBUTION:
            status = load_one(entry, Registry(), new_manager())
            assert status.state == "ok" or status.reason
    fuzz.outcome("wheel requirements", lambda: missing_requirements("fuzzed", "x"), shown=said)
    fuzz.outcome("wheel harness", lambda: needs_other_harness("fuzzed", DISTRIBUTION), shown=said)
    fuzz.outcome("wheel extra", lambda: extra_that_brings("fuzzed", "numpy"), shown=said)
