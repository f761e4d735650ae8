"""The harness can be believed: it finds pauses, and repeats a run by its seed."""

from collections import Counter
from itertools import combinations

from tests.faults.__main__ import GAP
from tests.faults.clustered import CLUSTER_INJECTORS
from tests.faults.fault_plan import CLUSTER_KINDS, KINDS, plan_faults
from tests.faults.injection import INJECTORS
from tests.faults.intervals import (
    both,
    length,
    longest_pause,
    next_after,
    overlapping,
)


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
    assert plan_faults(7, 600, 3.7) == plan_faults(7, 600, 3.7)
    assert plan_faults(7, 600, 3.7) != plan_faults(8, 600, 3.7)


def test_ten_minutes_have_150_faults_of_every_kind() -> None:
    for seed in range(20):
        planned = plan_faults(seed, 600, GAP)

        assert len(planned) >= 150
        assert Counter(one.name for one in planned).keys() == KINDS.keys()
        assert max(one.at + one.lasting for one in planned) <= 600


def test_a_part_recovers_before_its_next_fault() -> None:
    planned = plan_faults(7, 300, 1.0)

    for earlier, later in combinations(planned, 2):
        if earlier.kind.parts & later.kind.parts:
            assert later.at >= earlier.at + earlier.lasting + earlier.kind.recovery - 0.02


def test_every_kind_of_fault_can_be_done() -> None:
    assert INJECTORS.keys() == KINDS.keys()
    assert CLUSTER_INJECTORS.keys() == CLUSTER_KINDS.keys()
