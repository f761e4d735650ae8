"""The capacity model finds the constants that made the points, and foretells others."""

import pytest

from loadtest.capacity.fitting import least_squares
from loadtest.capacity.model import Load, Model, Point, errors, fit, picture, split

TRUE = Model(2.0, 40.0, 300.0, 5_000.0, 0.0002, 0.00005, 0.05)
RATES, PAGES = (100.0, 1_000.0), (1, 100, 1_000, 10_000)


def points() -> list[Point]:
    loads = [Load(rate, pages) for pages in PAGES for rate in RATES]
    needs = [(load, TRUE.needs(load)) for load in loads]
    return [Point(load, need.rows, need.wal_bytes, need.cores) for load, need in needs]


def test_a_fit_on_half_of_the_points_foretells_the_others() -> None:
    fitted, held_out = split(points())

    model = fit(fitted)

    assert {point.load.pages for point in held_out} == {100, 10_000}
    assert model.rows_per_target == pytest.approx(2.0)
    assert max(max(shares) for shares in errors(model, held_out).values()) < 0.001


def test_one_hot_page_costs_the_database_the_same_at_any_rate() -> None:
    slow, fast = (TRUE.needs(Load(rate, pages=1)) for rate in (1_000.0, 100_000.0))

    assert fast.rows == pytest.approx(slow.rows)
    assert fast.cores > slow.cores


def test_a_longer_interval_writes_fewer_rows() -> None:
    seldom, often = (TRUE.needs(Load(5_000.0, interval=seconds)) for seconds in (5.0, 1.0))

    assert seldom.rows < often.rows


def test_rows_grow_slower_than_views() -> None:
    one, ten = (TRUE.needs(Load(rate)).rows for rate in (1_000.0, 10_000.0))

    assert one < ten < 10 * one


def test_the_memory_of_the_log_is_bounded() -> None:
    much, more = (TRUE.needs(Load(rate)).redis_bytes for rate in (50_000.0, 100_000.0))

    waiting = 50_000 * TRUE.bytes_per_event
    assert more - much == pytest.approx(waiting)


def test_a_cost_is_never_negative() -> None:
    assert least_squares([[1, 2, 3], [1, 1, 1]], [0.5, 2.0, 4.0])[1] == 0.0


def test_points_that_are_all_alike_do_not_tell_two_costs_apart() -> None:
    with pytest.raises(ValueError, match="too much alike"):
        least_squares([[1, 1], [1, 1]], [2.0, 2.0])


def test_the_plot_is_an_svg_with_every_curve() -> None:
    drawn = picture(TRUE, *split(points()))

    assert drawn.startswith("<svg")
    assert drawn.count("<circle") == len(points())
    assert drawn.count("<polyline") == 4
