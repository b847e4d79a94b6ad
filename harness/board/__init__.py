"""The board: entries, checks, ranks and the static site.

Public are its modules, as a whole.
"""

__all__ = ["build", "check", "entry", "folder", "pages", "rank", "site"]
