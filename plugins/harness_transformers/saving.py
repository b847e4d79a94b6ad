"""From live weights to a policy on disk, through the session, which says where and when it is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.protocols import Policy, Session
from harness.records import PolicyRef
from harness_transformers.network import MODEL


def save(session: Session, before: Policy, stage: str, step: int, write: Callable[[Path], str]) -> Policy:
    """Save a checkpoint; the policy that it holds.

    Args:
        before: a policy of the same model.
        write: writes `model/` and the trainer's state into a folder; returns the hash of the weights.
    """
    parent = Path()

    def named(folder: Path) -> PolicyRef:
        nonlocal parent
        # What is written is moved when it is complete.
        parent = folder.parent
        return PolicyRef(weights_sha=write(folder), stage=stage, step=step)

    saved = session.save(named)
    folder = parent / Path(saved.path).name
    files = replace(before.files, path=folder / MODEL, weights_sha=saved.policy.weights_sha)
    return Policy(saved.policy, files, folder)
