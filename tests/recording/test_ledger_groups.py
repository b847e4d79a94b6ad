"""A group as a line of the ledger: nothing that was found is lost, and no line grows without bound."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import LedgerError
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Span, Verdict
from harness.contract.samples import Group, Sample
from harness.recording.groups import PARTS, SPANS, TEXT, group_line, read_group
from harness.testing import group_with

SHARE = st.floats(0, 1)
WORDS = st.text(max_size=TEXT)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    tokens = draw(st.integers(0, 4))
    verdict = Verdict(
        status=draw(st.sampled_from(["pass", "fail", "partial", "no_answer", "timeout", "infra_error"])),
        score=draw(st.none() | SHARE),
        verifier=draw(st.sampled_from(["math", "code"])),
        verifier_hash=draw(st.sampled_from(["a", "b"])),
        extracted=draw(st.none() | WORDS),
        reason=draw(WORDS),
        parts=tuple(draw(st.lists(st.tuples(WORDS, SHARE), max_size=3))),
        spans=tuple(draw(st.lists(st.builds(Span, st.just(0), st.just(1), SHARE, WORDS), max_size=3))),
        tests_run=draw(st.integers(0, 9)),
        complete=draw(st.booleans()),
    )
    rollout = Rollout(
        key=RolloutKey("r", "train", "s", 1, "t", 0), prompt_ids=(1,), completion_ids=(2,) * tokens,
        text=draw(WORDS), finish="stop", policy=PolicyRef(weights_sha="w"), sampling=Sampling(),
    )  # fmt: skip
    return Sample(
        verdict=verdict,
        tokens=tokens,
        truncated=draw(st.booleans()),
        rollout=rollout,
        reward=draw(st.none() | SHARE),
        advantage=draw(st.floats(-2, 2)),
        credit=draw(st.none() | st.just((0.5,) * tokens)),
        metrics=draw(st.dictionaries(st.sampled_from(["x", "y"]), st.none() | SHARE, max_size=2)),
        replayed=draw(st.booleans()),
    )


GROUPS = st.builds(
    Group,
    task=st.just("t"),
    subject=st.just("s"),
    step=st.integers(0, 9),
    samples=st.lists(samples(), min_size=1, max_size=4).map(tuple),
    index=st.integers(0, 2),
    known=st.integers(0, 2),
)


def through_json(group: Group, detail: Any) -> Group:
    return read_group(msgspec.json.decode(msgspec.json.encode(group_line(group, detail))))


@given(GROUPS)
def test_all_of_a_group_comes_back(group: Group) -> None:
    assert through_json(group, "sample") == group


@given(GROUPS)
def test_evidence_is_all_but_the_rollouts_and_numbers_are_the_rest(group: Group) -> None:
    assert through_json(group, "evidence") == group.without_rollouts()
    bare = through_json(group, "group")
    for name in ("statuses", "scores", "rewards", "advantages", "lengths", "truncated"):
        assert getattr(bare, name) == getattr(group, name)
    assert [s.verdict.verifier_hash for s in bare.samples] == [s.verdict.verifier_hash for s in group.samples]
    assert all(s.verdict.reason == "" for s in bare.samples)


def test_evidence_is_bounded() -> None:
    loud = Verdict(
        status="fail", score=0.0, verifier="x", verifier_hash="h", extracted="e" * 10**6, reason="r" * 10**6,
        parts=(("p", 0.5),) * 10**4, spans=(Span(0, 1, 0.5, "l" * 10**5),) * 10**4,
    )  # fmt: skip
    group = Group(task="t", subject="s", step=1, samples=(Sample(verdict=loud, tokens=1),) * 8)
    kept = read_group(group_line(group, "evidence")).samples[0].verdict
    assert (len(kept.extracted or ""), len(kept.reason)) == (TEXT, TEXT)
    assert (len(kept.parts), len(kept.spans)) == (PARTS, SPANS)
    assert len(msgspec.json.encode(group_line(group, "evidence"))) < 8 * 20_000


def test_a_plain_group_costs_few_bytes() -> None:
    """What says nothing is not written: about 30 bytes per sample of a simulation."""
    line = msgspec.json.encode(group_line(group_with([1.0, 0.0] * 8), "group"))
    assert len(line) < 16 * 40


def test_columns_of_other_lengths_are_damage() -> None:
    line = group_line(group_with([1.0, 0.0]), "group")
    with pytest.raises(LedgerError, match="column 'rewards' has 1 entries, not 2"):
        read_group(line | {"rewards": [1.0]}, where="ledger.jsonl")


@pytest.mark.parametrize(
    ("column", "values"),
    [("statuses", ["no such"]), ("spans", [[[0, 1]]]), ("tests", [[1]]), ("advantages", [None])],
)
def test_columns_of_another_form_are_damage(column: str, values: list[Any]) -> None:
    line = group_line(group_with([1.0]), "group")
    with pytest.raises(LedgerError, match="does not fit"):
        read_group(line | {column: values})
