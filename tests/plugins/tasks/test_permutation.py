"""Keyed shuffles of ranges."""

import pytest
from harness_tasks.permutation import permute
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 600), st.text(max_size=5))
def test_it_is_a_bijection(size: int, key: str) -> None:
    assert sorted(permute(i, size, key) for i in range(size)) == list(range(size))


@given(st.integers(2, 10**60), st.data())
def test_two_positions_of_a_large_range_never_meet(size: int, data: st.DataObject) -> None:
    one, two = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    assert (permute(one, size, "k") == permute(two, size, "k")) == (one == two)


def test_keys_give_unrelated_orders() -> None:
    orders = {tuple(permute(i, 50, "order", key) for i in range(50)) for key in range(40)}
    assert len(orders) == 40


def test_the_first_elements_spread_over_the_range() -> None:
    size = 10 * 20**12
    eighths = [permute(i, size, "spread") * 8 // size for i in range(4000)]
    assert all(400 < eighths.count(part) < 600 for part in range(8))


@pytest.mark.parametrize("value", [-1, 7])
def test_positions_outside_the_range_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="outside a range of 7"):
        permute(value, 7)
