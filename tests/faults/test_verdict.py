"""The harness can be believed: it finds what is lost or doubled, and repeats a run by its seed."""

from collections import Counter
from itertools import combinations

import pytest

from tests.faults.clustered import CLUSTER_INJURIES
from tests.faults.injuries import INJURIES
from tests.faults.schedule import CLUSTER_KINDS, KINDS, schedule
from tests.faults.verdict import (
    Gain,
    both,
    judge,
    length,
    longest_pause,
    next_after,
    overlapping,
)

TARGETS = {1: ["page 1", "content 7", "content 8", "content 7"], 2: ["page 2", "content 7"]}
EXACT = {"page 1": 3, "content 8": 3, "page 2": 1, "content 7": 4}


def test_what_was_answered_is_counted_once_on_everything_on_the_page() -> None:
    verdict = judge({1: 3, 2: 1}, {1: 3, 2: 1}, TARGETS, EXACT)

    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert verdict.total() == Gain(11, 11, 11)
    assert verdict.wrong() == {}


def test_what_a_dead_master_took_with_it_is_missing_and_not_lost() -> None:
    counted = {**EXACT, "content 7": 1}

    verdict = judge({1: 3, 2: 1}, {1: 3, 2: 1}, TARGETS, counted, {"content 7": 2, "page 2": 1})

    assert (verdict.missing, verdict.lost, verdict.doubled) == (3, 1, 0)


def test_an_unanswered_read_may_be_counted_or_not() -> None:
    for counted in (EXACT, {**EXACT, "page 1": 4, "content 8": 4, "content 7": 5}):
        verdict = judge({1: 3, 2: 1}, {1: 4, 2: 1}, TARGETS, counted)

        assert (verdict.lost, verdict.doubled) == (0, 0)


@pytest.mark.parametrize(
    ("counted", "lost", "doubled"),
    [
        ({**EXACT, "content 7": 2}, 2, 0),
        ({**EXACT, "content 7": 7}, 0, 3),
        ({**EXACT, "content 7": 3, "content 8": 4}, 1, 1),
        ({**EXACT, "content 99": 1}, 0, 1),
        ({}, 11, 0),
    ],
)
def test_what_is_missing_on_one_counter_is_not_made_good_on_another(
    counted: dict[str, int], lost: int, doubled: int
) -> None:
    verdict = judge({1: 3, 2: 1}, {1: 3, 2: 1}, TARGETS, counted)

    assert (verdict.lost, verdict.doubled) == (lost, doubled)
    assert verdict.wrong()


def test_a_pause_counts_as_far_as_a_store_was_there() -> None:
    answers = [0.0, 1.0, 6.0, 6.5, 10.0]

    assert longest_pause(answers, (0, 10), []) == (1.0, 6.0)
    assert longest_pause(answers, (0, 10), [(2.0, 3.0), (2.5, 5.5)]) == (6.5, 10.0)
    assert longest_pause(answers, (0, 15), []) == (1.0, 6.0)
    assert longest_pause([], (0, 3), [(1.0, 1.5)]) == (1.5, 3)


def test_times_are_added_and_cut_out() -> None:
    assert length([(0, 2), (1, 3), (5, 6)]) == 4
    assert both([(0, 2), (4, 8)], [(1, 5), (7, 9)]) == [(1, 2), (4, 5), (7, 8)]
    assert overlapping([(0, 2), (5, 9), (1, 3), (6, 7), (9, 10)]) == 2
    assert next_after([1.0, 2.0], 1.0) == 1.0
    assert next_after([1.0, 2.0], 2.0) is None


def test_a_seed_repeats_its_schedule() -> None:
    assert schedule(7, 600, 3.7) == schedule(7, 600, 3.7)
    assert schedule(7, 600, 3.7) != schedule(8, 600, 3.7)


def test_ten_minutes_have_150_faults_of_every_kind() -> None:
    for seed in range(20):
        planned = schedule(seed, 600, 3.7)

        assert len(planned) >= 150
        assert Counter(one.name for one in planned).keys() == KINDS.keys()
        assert max(one.at + one.lasting for one in planned) <= 600


def test_a_part_is_whole_before_it_is_hurt_again() -> None:
    planned = schedule(7, 300, 1.0)

    for earlier, later in combinations(planned, 2):
        if earlier.kind.part == later.kind.part:
            assert later.at >= earlier.at + earlier.lasting + earlier.kind.mending - 0.02


def test_every_kind_of_fault_can_be_done() -> None:
    assert INJURIES.keys() == KINDS.keys()
    assert CLUSTER_INJURIES.keys() == CLUSTER_KINDS.keys()
