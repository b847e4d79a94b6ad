"""From a recipe to a plan: everything that can fail cheaply fails here."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
