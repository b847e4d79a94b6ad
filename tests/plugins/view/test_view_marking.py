"""Where in a completion the answer and the judged steps stand."""

from __future__ import annotations

import pytest
from harness_view import marking
from harness_view.marking import answer_at, pieces
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Span


@pytest.mark.parametrize(
    ("text", "extracted", "where"),
    [
        ("so 7, then 7.", "7", 11),
        ("\\boxed{7}, which is 7", "7", 7),
        ("\\boxed{1} and \\boxed{2} and 2", "2", 21),
        ("17 and 7.5 and 7", "7", 15),
        ("17", "7", None),
        ("x_7", "7", None),
        ("it is 1/2", "0.5", None),
        ("nothing", None, None),
        ("nothing", "", None),
        ("def f():\n    return 1\n", "def f():\n    return 1", 0),
        ("a+b", "a+b", 0),
        ("(.*)", ".*", 1),
    ],
)
def test_an_answer_is_marked_where_it_stands_last_and_alone(
    text: str, extracted: str | None, where: int | None
) -> None:
    place = answer_at(text, extracted)
    assert (None if place is None else place[0]) == where
    if place is not None:
        assert text[slice(*place)] == extracted


spans = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=5).map(
    lambda pairs: [Span(a, b, 0.5) for a, b in pairs]
)


@given(st.text(max_size=60), st.text(max_size=5), spans)
def test_the_pieces_are_the_text(text: str, extracted: str, judged: list[Span]) -> None:
    made = pieces(text, extracted, judged)
    assert "".join(piece.text for piece in made) == text
    marked = "".join(piece.text for piece in made if piece.marked)
    assert marked in ("", extracted.strip())


def test_a_step_and_the_answer_in_it_are_both_shown() -> None:
    made = pieces("so 7 it is", "7", [Span(0, 4, 0.26, "claim")])
    told = [(piece.text, piece.marked, piece.span.label if piece.span else "") for piece in made]
    assert told == [("so ", False, "claim"), ("7", True, "claim"), (" it is", False, "")]
    assert made[0].shade == 3


def test_a_very_long_text_is_shown_by_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "HEAD", 3)
    monkeypatch.setattr(marking, "TAIL", 2)
    made = pieces("abc" + "." * 100 + "de", "5", [Span(50, 60, 0.5)])
    assert [(piece.text, piece.left_out) for piece in made] == [("abc", 0), ("", 100), ("de", 0)]
