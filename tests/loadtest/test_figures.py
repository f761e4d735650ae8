"""Percentiles, medians and ratios."""

import math

import pytest

from loadtest.common.figures import Median, percentile, ratio, short


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [0.4, 0.1, 0.3, 0.2]

    assert percentile(values, 50) == 0.2
    assert percentile(values, 99) == 0.4
    assert percentile(values, 0) == 0.1


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


def test_a_ratio_is_taken_within_each_repetition() -> None:
    fast, slow = {0: 1_000.0, 1: 500.0, 2: 900.0}, {0: 100.0, 1: 50.0, 2: 60.0}

    found = ratio(fast, slow)

    assert (found.value, found.least, found.most, found.count) == (10.0, 10.0, 15.0, 3)


def test_a_repetition_that_one_of_them_missed_is_left_out() -> None:
    assert ratio({0: 10.0, 1: 30.0}, {1: 10.0, 2: 5.0}).value == pytest.approx(3.0)


def test_what_ran_once_is_compared_with_every_repetition_of_the_other() -> None:
    found = ratio({0: 4_000.0, 1: 5_000.0, 2: 6_000.0}, {0: 50.0})

    assert (found.value, found.count) == (100.0, 3)


def test_a_ratio_of_nothing_is_a_dash() -> None:
    assert str(ratio({}, {0: 1.0})) == "-"
    assert str(Median.of([])) == "-"


@pytest.mark.parametrize(
    ("value", "said"), [(1234.5, "1,234"), (12.34, "12.3"), (0.5, "0.50"), (math.nan, "-")]
)
def test_figures_are_said_with_three_digits(value: float, said: str) -> None:
    assert short(value) == said
