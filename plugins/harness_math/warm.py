"""Imported once where workers are born: the library's first comparison builds its grammar's tables,
which takes a quarter of a second that no worker then pays again."""

from harness_math import library

library.same("x", "y+1")
