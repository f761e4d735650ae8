"""Pure: lists in, sums out."""

import pytest
from footfall.ingest.aggregate import PendingEvent, aggregate

from footfall.events import encode

AT = 1_763_683_200_000
HOUR = 3_600_000
FIRST = AT // HOUR
COUNTABLE = {"pages.content", "pages.page"}


def view(ids: dict[str, list[int]] | bytes, at: int = AT) -> PendingEvent:
    return PendingEvent(0, at, ids if isinstance(ids, bytes) else encode(ids))


def test_views_add_up_by_target_and_hour() -> None:
    sums = aggregate(
        [
            view({"pages.content": [1, 2], "pages.page": [7]}),
            view({"pages.content": [2, 3]}),
            view({"pages.content": [2]}, AT + HOUR),
        ],
        COUNTABLE,
    )

    assert sums.totals == {"pages.content": {1: 1, 2: 3, 3: 1}, "pages.page": {7: 1}}
    assert sums.hourly["pages.content"][2, FIRST] == 2
    assert sums.hourly["pages.content"][2, FIRST + 1] == 1
    assert sums.events == 3
    assert not sums.malformed


def test_no_views_give_no_sums() -> None:
    assert aggregate([], COUNTABLE).totals == {}


def test_a_malformed_event_is_kept_and_the_rest_counted() -> None:
    good = view({"pages.content": [1]})

    sums = aggregate([good, view(b"\xff{"), good], COUNTABLE)

    assert sums.totals == {"pages.content": {1: 2}}
    assert [(event.body, why) for event, why in sums.malformed] == [
        (b"\xff{", "unknown version b'\\xff'")
    ]


@pytest.mark.parametrize("at", [0, 946_684_799_999, 7_258_118_400_000, 2**62])
def test_a_time_out_of_range_is_malformed(at: int) -> None:
    sums = aggregate([view({"pages.content": [1]}, at)], COUNTABLE)

    assert sums.totals == {}
    assert "out of range" in sums.malformed[0][1]


def test_a_foreign_entry_is_kept_by_its_id() -> None:
    foreign = PendingEvent(0, -1, b"hello world", "5-0")

    sums = aggregate([foreign, foreign._replace(entry_id="6-0")], COUNTABLE)

    assert [event.entry_id for event, _ in sums.malformed] == ["5-0", "6-0"]
