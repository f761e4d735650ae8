"""In which partitions copies of a counter may be."""

from footfall.cache.locations import Locations


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def knowing(clock: Clock) -> Locations:
    """Return the locations of a process that has run long enough to know them all."""
    locations = Locations(life=10, clock=clock)
    locations.note(1, 1, {})
    clock.now += 10.5
    locations.note(2, 2, {})
    return locations


def of(locations: Locations, target: int) -> int | None:
    return locations.masks_for([target])[target]


def test_at_first_nothing_is_known() -> None:
    clock = Clock()
    locations = Locations(life=10, clock=clock)
    locations.note(1, 1, {10: 1})
    clock.now += 9.5
    assert of(locations, 10) is None
    clock.now += 1
    assert of(locations, 10) == 1


def test_partitions_add_up() -> None:
    locations = knowing(Clock())
    locations.note(3, 3, {10: 0b1, 11: 0b100})
    locations.note(4, 4, {10: 0b10})
    assert (of(locations, 10), of(locations, 11), of(locations, 12)) == (0b11, 0b100, 0)


def test_old_views_are_forgotten_after_twice_the_life_and_not_before() -> None:
    clock = Clock()
    locations = knowing(clock)
    locations.note(3, 3, {10: 1})
    for batch in range(4, 8):
        clock.now += 2.4
        locations.note(batch, batch, {11: 1})
        assert of(locations, 10) == 1
    for batch in range(8, 18):
        clock.now += 2.4
        locations.note(batch, batch, {11: 1})
    assert (of(locations, 10), of(locations, 11)) == (0, 1)


def test_segment_that_another_process_applied_starts_it_over() -> None:
    locations = knowing(Clock())
    locations.note(4, 4, {10: 1})
    assert of(locations, 10) is None


def test_several_segments_at_once_leave_no_gap() -> None:
    locations = knowing(Clock())
    locations.note(3, 7, {10: 1})
    locations.note(8, 8, {10: 2})
    assert of(locations, 10) == 0b11


def test_target_that_was_asked_for_everywhere_is_known_at_once() -> None:
    clock = Clock()
    locations = Locations(life=10, clock=clock)
    locations.note(1, 1, {10: 0b1, 11: 0b1})
    locations.note_found({10: 0b10, 12: 0})
    assert (of(locations, 10), of(locations, 11), of(locations, 12)) == (0b11, None, 0)
    locations.note(2, 2, {12: 0b100})
    assert of(locations, 12) == 0b100


def test_partitions_are_asked_again_after_a_segment_of_another_process() -> None:
    locations = Locations(life=10, clock=Clock())
    locations.note(1, 1, {})
    locations.note_found({10: 0b10})
    locations.note(3, 3, {})
    assert of(locations, 10) is None
