"""In which partitions copies of a counter may be."""

from footfall.cache.locations import Homes


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def remembering(clock: Clock) -> Homes:
    """Return the homes of a flusher that has run for long enough to know them all."""
    homes = Homes(life=10, clock=clock)
    homes.note(1, True, {})
    clock.now += 10.5
    homes.note(2, True, {})
    return homes


def of(homes: Homes, name: str) -> int | None:
    return homes.of([name])[name]


def test_at_first_nothing_is_known() -> None:
    clock = Clock()
    homes = Homes(life=10, clock=clock)
    homes.note(1, True, {"a": 1})
    clock.now += 9.5
    assert of(homes, "a") is None
    clock.now += 1
    assert of(homes, "a") == 1


def test_partitions_add_up() -> None:
    homes = remembering(Clock())
    homes.note(3, True, {"a": 0b1, "b": 0b100})
    homes.note(4, True, {"a": 0b10})
    assert (of(homes, "a"), of(homes, "b"), of(homes, "c")) == (0b11, 0b100, 0)


def test_what_is_long_ago_is_forgotten_and_not_before() -> None:
    clock = Clock()
    homes = remembering(clock)
    homes.note(3, True, {"a": 1})
    for batch in range(4, 8):
        clock.now += 2.4
        homes.note(batch, True, {"b": 1})
        assert of(homes, "a") == 1
    for batch in range(8, 18):
        clock.now += 2.4
        homes.note(batch, True, {"b": 1})
    assert (of(homes, "a"), of(homes, "b")) == (0, 1)


def test_batch_of_somebody_else_starts_it_over() -> None:
    homes = remembering(Clock())
    homes.note(4, True, {"a": 1})
    assert of(homes, "a") is None


def test_partition_that_was_not_read_starts_it_over() -> None:
    homes = remembering(Clock())
    homes.note(3, False, {"a": 1})
    assert of(homes, "a") is None


def test_name_that_was_asked_for_everywhere_is_known_at_once() -> None:
    clock = Clock()
    homes = Homes(life=10, clock=clock)
    homes.note(1, True, {"a": 0b1, "b": 0b1})
    homes.note_found({"a": 0b10, "c": 0})
    assert (of(homes, "a"), of(homes, "b"), of(homes, "c")) == (0b11, None, 0)
    homes.note(2, True, {"c": 0b100})
    assert of(homes, "c") == 0b100


def test_what_was_asked_for_is_asked_again_after_a_batch_of_somebody_else() -> None:
    homes = Homes(life=10, clock=Clock())
    homes.note(1, True, {})
    homes.note_found({"a": 0b10})
    homes.note(3, True, {})
    assert of(homes, "a") is None
