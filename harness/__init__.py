"""Difficulty-aware staged reinforcement learning: measure, train, evaluate and report."""

from harness.contract.hookspecs import API, hookimpl

__all__ = ["API", "hookimpl"]
__version__ = "0.1.0"
