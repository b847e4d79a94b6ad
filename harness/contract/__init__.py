"""What every part and every plugin speaks: records, protocols, hooks, errors."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
