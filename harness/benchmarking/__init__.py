"""Evaluations of a model on benchmarks, in separate steps on one ledger.

`harness eval` asks a model every problem k times and records each answer with its verdict; `harness
score` judges the recorded answers again; `harness report` and `harness compare` read. The ledger is the
cache: what it holds is not asked again, whatever was interrupted.
"""

from harness.contract.exports import exported

__all__, __getattr__, __dir__ = exported(__name__)
