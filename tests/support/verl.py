"""An interpreter that runs the stand-in where verl's side of the trainer would start."""

from __future__ import annotations

import sys
from pathlib import Path

STAND_IN = Path(__file__).parent / "fake_verl" / "stand_in.py"


def stand_in_python(folder: Path) -> str:
    """A program to name as `python` of the trainer `verl`."""
    program = folder / "python"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -m ]; then shift 2; exec {sys.executable} {STAND_IN} "$@"; fi\n'
        # Whether it has verl.
        'if [ "$1" = -c ]; then exit 0; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    program.chmod(0o755)
    return str(program)
