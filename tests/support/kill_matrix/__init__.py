"""Kill any part of the harness at random moments, start it again as its user would, and hold the end against
that of an unbroken run.

A study (`harness run`), an evaluation (`harness eval` of a served model, judged on a sandbox host), a page
over both (`harness view`) and the making of a board's site go on at the same time, as processes of one mark
in their environment, with a temporary folder and a cache of their own. A moment is a number of bytes that
ledgers grow by, or that a process writes: a moment of work, whatever the clock says.
"""

from __future__ import annotations

from tests.support.kill_matrix.matrix import PAGE, Matrix, Row, placed, table
from tests.support.kill_matrix.place import BrokenPromise

__all__ = ["PAGE", "BrokenPromise", "Matrix", "Row", "placed", "table"]
