"""A repetition that the machine disturbed is seen, measured again, and told."""

import random
import time
from typing import Any, cast

import pytest

from loadtest.bench.bench import Bench
from loadtest.common.launcher import NotReady
from loadtest.measure.measurement import Measurement, Repetition
from loadtest.measure.plan import Plan
from loadtest.measure.yardstick import Slice, Yardstick, distance
from loadtest.systems.approaches import side_by_side
from loadtest.systems.servers import Place

YARDSTICK = cast(Yardstick, None)  # asked by the measurements alone


class Measured:
    """Stands for the rows of a site: each time the machine is as fast as is said."""

    def __init__(self, *constants: float) -> None:
        self.constants = list(constants)

    def repeat(self, repetition: int, order: random.Random, yardstick: Yardstick) -> Repetition:
        if not self.constants:
            raise NotReady("it does not start any more")
        rate = self.constants.pop(0)
        return Repetition([], [Slice(rate, 1.0, 9.0, 0.1, 0.02)])


def bench(minutes: float = 60.0, **measured: Measured) -> Bench:
    made = Bench(cast(Place, None), Plan(repetitions=2), side_by_side(list(measured)))
    made.measurements = cast(dict[str, Measurement], measured)
    made.repeat(YARDSTICK, end=time.monotonic() + minutes * 60)
    return made


def rates(made: Bench) -> dict[tuple[str, int], list[float]]:
    return {key: one.constants for key, one in made.done.items()}


def test_a_calm_machine_repeats_nothing() -> None:
    made = bench(increment=Measured(1_000, 1_010), task=Measured(990, 1_020))

    assert len(made.done) == 4
    assert made.notes == []


def test_what_was_disturbed_is_measured_again_and_told() -> None:
    made = bench(increment=Measured(1_000, 1_010), task=Measured(600, 1_000, 990))

    assert rates(made)["task", 0] == [990]
    (note,) = made.notes
    assert note.startswith("task, repetition 1 was disturbed: the constant view was 40%")


def test_the_calmer_of_two_disturbed_ones_is_kept_and_told() -> None:
    made = bench(increment=Measured(1_000, 1_010), task=Measured(600, 1_000, 500, 700))

    assert rates(made)["task", 0] == [700]
    assert [note.partition(",")[0] for note in made.notes] == ["task"] * 3
    assert made.notes[-1] == "task, repetition 1 stays, 30% from the median."


def test_nothing_is_repeated_when_the_time_is_over() -> None:
    made = bench(minutes=-1, increment=Measured(1_000), task=Measured(500))

    assert "task: no time for repetition 2" in made.notes
    assert rates(made)["task", 0] == [500]


def test_a_row_that_fails_is_left_out_and_told() -> None:
    made = bench(increment=Measured(1_000), task=Measured(1_000, 1_000))

    assert made.failed == {"increment": "it does not start any more"}
    assert ("increment", 0) in made.done


@pytest.mark.parametrize(("some", "expected"), [([100.0], 0.0), ([80.0, 130.0], 0.3), ([], 0.0)])
def test_the_furthest_slice_tells_how_disturbed_it_was(some: Any, expected: float) -> None:
    assert distance(some, [100.0, 100.0, 100.0]) == pytest.approx(expected)


def test_the_two_rows_of_footfall_are_measured_side_by_side() -> None:
    sites = side_by_side(["uncounted", "footfall", "hits"])

    assert [one.name for one in sites["footfall"]] == ["uncounted", "footfall"]
    assert [one.name for one in sites["hits"]] == ["hits"]
