"""In which partitions copies of a counter may be."""

from counters.homes import Homes


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


def test_at_first_nothing_is_known() -> None:
    clock = Clock()
    homes = Homes(life=10, clock=clock)
    homes.note(1, True, {"a": 1})
    clock.now += 9.5
    assert homes.of("a") is None
    clock.now += 1
    assert homes.of("a") == 1


def test_partitions_add_up() -> None:
    homes = remembering(Clock())
    homes.note(3, True, {"a": 0b1, "b": 0b100})
    homes.note(4, True, {"a": 0b10})
    assert (homes.of("a"), homes.of("b"), homes.of("c")) == (0b11, 0b100, 0)


def test_what_is_long_ago_is_forgotten_and_not_before() -> None:
    clock = Clock()
    homes = remembering(clock)
    homes.note(3, True, {"a": 1})
    for batch in range(4, 8):
        clock.now += 2.4
        homes.note(batch, True, {"b": 1})
        assert homes.of("a") == 1
    for batch in range(8, 18):
        clock.now += 2.4
        homes.note(batch, True, {"b": 1})
    assert (homes.of("a"), homes.of("b")) == (0, 1)


def test_batch_of_somebody_else_starts_it_over() -> None:
    homes = remembering(Clock())
    homes.note(4, True, {"a": 1})
    assert homes.of("a") is None


def test_partition_that_was_not_read_starts_it_over() -> None:
    homes = remembering(Clock())
    homes.note(3, False, {"a": 1})
    assert homes.of("a") is None
