"""What a run leaves behind: its ledger, checkpoints, spending and provenance."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
