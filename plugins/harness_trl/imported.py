"""TRL's classes, imported so that a process that is killed leaves nothing in the temporary folder.

Where Weights & Biases is installed, TRL imports it, and that makes temporary folders as it is imported.
"""

from __future__ import annotations

import tempfile

from harness.support import Scratch

_scratch = Scratch("trl-imports")
_usual, tempfile.tempdir = tempfile.tempdir, str(_scratch.path)
try:
    from trl import GRPOConfig, GRPOTrainer
finally:
    tempfile.tempdir = _usual

__all__ = ["GRPOConfig", "GRPOTrainer"]
