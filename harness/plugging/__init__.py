"""Plugins: found, loaded in isolation, registered, told what happened."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
