"""Limits on what a program gives back: what is right always has room."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import msgspec
from harness_runner import values
from harness_sandbox.exchange import MAX_OUTPUT, MAX_RESULT

from harness_code import cases

#: A right output may be so many times as long as the expected one: rules differ in which space they count.
SLACK: Final = 4


def roomy(answer: cases.Answer) -> cases.Answer:
    """The answer with limits wide enough for its longest expected output, or all expected values together."""
    limits = answer.limits
    match answer:
        case cases.Stdio():
            longest = max((len(case.output) for case in answer.tests), default=0)
            wide = replace(limits, output_bytes=max(limits.output_bytes, min(SLACK * longest, MAX_OUTPUT)))
        case cases.Functional():
            total = sum(len(json.dumps(values.pack(call.expected))) for call in answer.tests)
            wide = replace(limits, result_bytes=max(limits.result_bytes, min(SLACK * total, MAX_RESULT)))
        case cases.Checked():
            wide = replace(
                limits, result_bytes=max(limits.result_bytes, min(SLACK * len(answer.calls), MAX_RESULT))
            )
        case cases.Asserts():
            return answer
    return msgspec.structs.replace(answer, limits=wide)
