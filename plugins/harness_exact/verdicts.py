"""What the plain verifiers' verdicts have in common."""

from __future__ import annotations

from harness.contract import Status, Verdict


def plain_verdict(
    verifier: str, verifier_hash: str, status: Status, extracted: str | None = None, reason: str = ""
) -> Verdict:
    """A verdict that passes or does not: score 1 or 0, None if nothing could be judged."""
    return Verdict(
        status=status,
        score=None if status == "infra_error" else float(status == "pass"),
        verifier=verifier,
        verifier_hash=verifier_hash,
        extracted=extracted,
        reason=reason,
    )
