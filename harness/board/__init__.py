"""The board: entries, checks, ranks and the static site."""
