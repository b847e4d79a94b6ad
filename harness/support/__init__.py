"""What all rooms use: folders and processes of this machine, words of servers, numbers in words."""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
