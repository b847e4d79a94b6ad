"""Where things are, for tests in any folder: the root of the repository, and real data."""

from __future__ import annotations

import os
from pathlib import Path

#: The repository's root, which holds pyproject.toml.
ROOT = Path(__file__).resolve().parents[2]
#: The folder of real data: $HARNESS_DATA, else `shared/data` beside the repository. It need not exist.
DATA = Path(os.environ.get("HARNESS_DATA") or ROOT.parent / "shared" / "data")
#: Helpers of tests, and stand-ins for programs that tests start.
SUPPORT = ROOT / "tests" / "support"
