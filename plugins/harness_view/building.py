"""The process that builds an index that takes long: in the server's, pages would wait for it at every turn.

`python -m harness_view.building RUN`. What is wrong with a ledger is met and told by the next page, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.readout import SampleIndex


def main(run: Path) -> None:
    """Index the whole ledger, but not longer than whoever started it lives."""
    parent = os.getppid()
    index = SampleIndex(run)
    while not index.catch_up(0.5) and os.getppid() == parent:
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
