"""Imported once in the process that workers are forked from.

The library's first comparison builds its grammar's tables, which takes a quarter of a second. No worker
pays it again.
"""

from harness_math import library
from harness_math.reading import read

library.same(read("x"), read("y+1"))
