from footfall.common.ticks import TickLimit


def test_one_tick_is_let_through_every_so_many_seconds() -> None:
    now = 100.0
    limit = TickLimit(0.5, clock=lambda: now)

    def allowed(after: float) -> bool:
        nonlocal now
        now += after
        return limit.allows()

    assert [allowed(after) for after in (0, 0.25, 0.25, 0, 0.25, 10)] == [
        True, False, True, False, False, True,
    ]  # fmt: skip
