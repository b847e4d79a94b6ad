"""Briefs: lines of a ledger that have texts, without them.

A brief is the line's own JSON with only the fields below, each as it was written, so that whoever decodes
these fields of a line decodes them of its brief. A reader that wants another field adds it here and raises
`harness.recording.outline.VERSION`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from harness.contract.errors import UNPARSABLE

#: A field that the line does not have.
ABSENT: Final = msgspec.Raw()


class _Brief(msgspec.Struct, omit_defaults=True, kw_only=True):
    t: str
    stage: msgspec.Raw = ABSENT


class _Columns(msgspec.Struct, omit_defaults=True):
    task: msgspec.Raw = ABSENT
    subject: msgspec.Raw = ABSENT
    step: msgspec.Raw = ABSENT
    index: msgspec.Raw = ABSENT
    known: msgspec.Raw = ABSENT
    statuses: msgspec.Raw = ABSENT
    replayed: msgspec.Raw = ABSENT


class _Group(_Brief):
    group: _Columns


class _Key(msgspec.Struct, omit_defaults=True):
    task: msgspec.Raw = ABSENT
    sample: msgspec.Raw = ABSENT
    stage: msgspec.Raw = ABSENT


class _Rollout(msgspec.Struct, omit_defaults=True):
    key: _Key
    finish: msgspec.Raw = ABSENT
    source: msgspec.Raw = ABSENT
    cost: msgspec.Raw = ABSENT


class _Verdict(msgspec.Struct, omit_defaults=True):
    status: msgspec.Raw = ABSENT
    score: msgspec.Raw = ABSENT
    extracted: msgspec.Raw = ABSENT
    reason: msgspec.Raw = ABSENT


class _Sample(_Brief):
    rollout: _Rollout
    verdict: _Verdict
    name: msgspec.Raw = ABSENT
    heldout: msgspec.Raw = ABSENT
    step: msgspec.Raw = ABSENT
    tokens: msgspec.Raw = ABSENT
    tail: msgspec.Raw = ABSENT


class _Judged(_Brief):
    verdict: _Verdict
    scoring: msgspec.Raw = ABSENT
    heldout: msgspec.Raw = ABSENT
    task: msgspec.Raw = ABSENT
    sample: msgspec.Raw = ABSENT
    finish: msgspec.Raw = ABSENT
    tokens: msgspec.Raw = ABSENT
    tail: msgspec.Raw = ABSENT


_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "group": msgspec.json.Decoder(_Group),
    "sample": msgspec.json.Decoder(_Sample),
    "verdict": msgspec.json.Decoder(_Judged),
}
_encode: Final = msgspec.json.Encoder().encode


def brief_of(kind: str, raw: bytes) -> bytes | None:
    """The brief of a line; None of a type without texts, and of a line that has not its type's form: whoever
    reads the line then finds what is wrong with it."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return None
    try:
        return _encode(decoder.decode(raw))
    except UNPARSABLE:
        return None
