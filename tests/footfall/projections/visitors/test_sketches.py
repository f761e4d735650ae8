"""Sketches: exact while they are small, within the stated error beyond, and mergeable."""

import random
from itertools import pairwise

import pytest

from footfall.projections.visitors.sketches import (
    MAX_EXACT,
    STANDARD_ERROR,
    Damaged,
    Sketch,
    shortened,
    union,
)
from tests.support.visits import people

VISITORS = [shortened(one) for one in people(40_000)]


@pytest.mark.parametrize("number", [0, 1, 2, 17, 1_000, MAX_EXACT])
def test_a_small_one_is_exact(number: int) -> None:
    sketch = Sketch(VISITORS[:number] * 2)

    assert sketch.count() == number
    assert Sketch.decode(sketch.encode()).count() == number


@pytest.mark.parametrize("number", [MAX_EXACT + 1, 5_000, 20_000, 40_000])
def test_a_large_one_is_within_the_error(number: int) -> None:
    count = Sketch(VISITORS[:number]).count()

    assert count != number or number == MAX_EXACT + 1
    assert abs(count / number - 1) <= 3 * STANDARD_ERROR < 0.02


def test_the_error_is_as_small_as_it_is_said() -> None:
    """Of 40 sketches, so that a wrong estimate shows as more than chance."""
    number = 12_000
    source = random.Random(5)
    errors = [
        Sketch(source.getrandbits(32) for _ in range(number)).count() / number - 1
        for _ in range(40)
    ]

    assert sum(error**2 for error in errors) / len(errors) <= STANDARD_ERROR**2
    assert abs(sum(errors)) / len(errors) <= 3 * STANDARD_ERROR / 40**0.5


def test_registers_that_are_full_are_estimated_too() -> None:
    """A million visitors of one day: most registers have a value, and some a high one."""
    source = random.Random(7)
    sketch = Sketch()
    for _ in range(10):
        sketch.merge(Sketch(source.getrandbits(32) for _ in range(100_000)))

    assert abs(sketch.count() / 1_000_000 - 1) <= 3 * STANDARD_ERROR


@pytest.mark.parametrize(
    "cuts", [[0, 10, 20], [0, 2_000, 6_000], [0, 9_000, 9_010], [0, 10, 9_000], [0, 9_000, 20_000]]
)
def test_a_union_is_the_sketch_of_all(cuts: list[int]) -> None:
    parts = [Sketch(VISITORS[start : stop + 5]) for start, stop in pairwise(cuts)]
    whole = Sketch(VISITORS[: cuts[-1] + 5])

    merged = union(parts)

    assert merged.encode() == whole.encode()
    assert [merged.merge(part) for part in parts] == [False, False]
    assert merged.encode() == whole.encode()
    assert merged.merge(Sketch(VISITORS[20_010:29_000]))


def test_a_union_leaves_the_others_as_they_are() -> None:
    one, other = Sketch(VISITORS[:3]), Sketch(VISITORS[3:5])

    union([one, other]).merge(Sketch(VISITORS[5:9]))

    assert [one.count(), other.count()] == [3, 2]


@pytest.mark.parametrize(("number", "size"), [(1, 20), (100, 420), (MAX_EXACT, 12_020)])
def test_a_small_one_takes_four_bytes_for_each(number: int, size: int) -> None:
    assert len(Sketch(VISITORS[:number]).encode()) <= size


def test_a_large_one_takes_no_more_than_14_kilobytes() -> None:
    assert len(Sketch(VISITORS).encode()) < 14_000


@pytest.mark.parametrize("number", [5, 5_000])
def test_damaged_bytes_are_an_error(number: int) -> None:
    data = Sketch(VISITORS[:number]).encode()

    for damaged in (b"", b"?" + data[1:], data[:-1], data[:1], b"h" + data, b"e\xff" + data):
        with pytest.raises(Damaged):
            Sketch.decode(damaged)
