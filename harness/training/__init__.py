"""Training a stage: the session that a trainer sees, and the loop that it is driven by."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
