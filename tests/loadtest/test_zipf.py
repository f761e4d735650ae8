"""Which pages a load reads."""

from collections import Counter

import pytest

from loadtest.common import zipf

PAGES = list(range(1, 1_001))


def test_the_first_page_is_read_twice_as_often_as_the_second() -> None:
    weights = zipf.weights(1_000)

    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] / weights[1] == pytest.approx(2.0)
    assert weights[0] / weights[99] == pytest.approx(100.0)


def test_an_exponent_of_0_reads_every_page_as_often() -> None:
    assert zipf.weights(4, exponent=0.0) == [0.25] * 4


def test_the_same_seed_draws_the_same_pages() -> None:
    assert zipf.draw(PAGES, 500, seed=7) == zipf.draw(PAGES, 500, seed=7)
    assert zipf.draw(PAGES, 500, seed=7) != zipf.draw(PAGES, 500, seed=8)


def test_pages_are_drawn_as_often_as_their_rank_says() -> None:
    counted = Counter(zipf.draw(PAGES, 100_000, seed=1)).most_common()

    share = zipf.weights(1_000)[0]
    assert counted[0][1] / 100_000 == pytest.approx(share, rel=0.05)


def test_the_expected_number_of_different_pages_is_the_drawn_one() -> None:
    drawn = len(set(zipf.draw(PAGES, 2_000, seed=3)))

    assert zipf.expected_distinct(1_000, 2_000) == pytest.approx(drawn, rel=0.1)


def test_many_pages_are_reckoned_in_blocks_as_if_one_by_one() -> None:
    one_by_one = sum(1 - (1 - weight) ** 3_000 for weight in zipf.weights(20_000))

    assert zipf.expected_distinct(20_000, 3_000) == pytest.approx(one_by_one, rel=0.0005)
    assert sum(count for _, count in zipf.ranks(20_000)) == 20_000


def test_one_draw_names_one_page() -> None:
    assert zipf.expected_distinct(1_000, 1) == pytest.approx(1.0)
