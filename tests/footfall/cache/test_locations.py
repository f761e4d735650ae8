"""In which partitions copies of a counter may be."""

from footfall.cache.locations import Locations


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def knowing(clock: Clock) -> Locations:
    """Return the locations of a flusher that has run long enough to know them all."""
    locations = Locations(life=10, clock=clock)
    locations.note(1, True, {})
    clock.now += 10.5
    locations.note(2, True, {})
    return locations


def of(locations: Locations, name: str) -> int | None:
    return locations.masks_for([name])[name]


def test_at_first_nothing_is_known() -> None:
    clock = Clock()
    locations = Locations(life=10, clock=clock)
    locations.note(1, True, {"a": 1})
    clock.now += 9.5
    assert of(locations, "a") is None
    clock.now += 1
    assert of(locations, "a") == 1


def test_partitions_add_up() -> None:
    locations = knowing(Clock())
    locations.note(3, True, {"a": 0b1, "b": 0b100})
    locations.note(4, True, {"a": 0b10})
    assert (of(locations, "a"), of(locations, "b"), of(locations, "c")) == (0b11, 0b100, 0)


def test_old_views_are_forgotten_after_twice_the_life_and_not_before() -> None:
    clock = Clock()
    locations = knowing(clock)
    locations.note(3, True, {"a": 1})
    for batch in range(4, 8):
        clock.now += 2.4
        locations.note(batch, True, {"b": 1})
        assert of(locations, "a") == 1
    for batch in range(8, 18):
        clock.now += 2.4
        locations.note(batch, True, {"b": 1})
    assert (of(locations, "a"), of(locations, "b")) == (0, 1)


def test_batch_of_another_process_starts_it_over() -> None:
    locations = knowing(Clock())
    locations.note(4, True, {"a": 1})
    assert of(locations, "a") is None


def test_partition_that_was_not_read_starts_it_over() -> None:
    locations = knowing(Clock())
    locations.note(3, False, {"a": 1})
    assert of(locations, "a") is None


def test_name_that_was_asked_for_everywhere_is_known_at_once() -> None:
    clock = Clock()
    locations = Locations(life=10, clock=clock)
    locations.note(1, True, {"a": 0b1, "b": 0b1})
    locations.note_found({"a": 0b10, "c": 0})
    assert (of(locations, "a"), of(locations, "b"), of(locations, "c")) == (0b11, None, 0)
    locations.note(2, True, {"c": 0b100})
    assert of(locations, "c") == 0b100


def test_partitions_are_asked_again_after_a_batch_of_another_process() -> None:
    locations = Locations(life=10, clock=Clock())
    locations.note(1, True, {})
    locations.note_found({"a": 0b10})
    locations.note(3, True, {})
    assert of(locations, "a") is None
