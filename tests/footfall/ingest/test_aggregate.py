"""Pure: lists in, sums out."""

import json
from typing import Any

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


def test_a_target_named_twice_is_viewed_once() -> None:
    assert encode({"pages.content": [3, 1, 3]}) == encode({"pages.content": [1, 3]})


def test_no_views_give_no_sums() -> None:
    assert aggregate([], COUNTABLE).totals == {}


def body(**changes: Any) -> bytes:
    event = {"type": "Viewed", "v": 1, "ids": {"pages.content": [1]}} | changes
    return json.dumps(event).encode()


MALFORMED = {
    "not JSON": b"\xff{",
    "not JSON: RecursionError": b"[" * 100_000,
    "not JSON: ValueError": b'{"v": ' + b"9" * 5000 + b"}",
    "not a view": body(type="Deleted"),
    "unknown version 2": body(v=2),
    "unknown version [True]": body(v=[True]),
    "names no targets": body(ids={}),
    "no countable model 'films.film'": body(ids={"films.film": [1]}),
    "no countable model": body(ids={"\x00\ud800": [1]}),
    "names no ids of pages.content": body(ids={"pages.content": []}),
    f"not an id of pages.content: {2**63}": body(ids={"pages.content": [2**63]}),
    "not an id of pages.content: 0": body(ids={"pages.content": [0]}),
    "not an id of pages.content: True": body(ids={"pages.content": [True]}),
    "not an id of pages.content: 1.0": body(ids={"pages.content": [1.0]}),
    "not an id of pages.content: '1'": body(ids={"pages.content": ["1"]}),
    "not an id of pages.content: None": body(ids={"pages.content": [None]}),
    "names an id of pages.content twice": body(ids={"pages.content": [1, 1]}),
}


@pytest.mark.parametrize(("reason", "malformed"), MALFORMED.items())
def test_a_malformed_event_is_kept_and_the_rest_counted(reason: str, malformed: bytes) -> None:
    good = view({"pages.content": [1]})

    sums = aggregate([good, view(malformed), good], COUNTABLE)

    assert sums.totals == {"pages.content": {1: 2}}
    ((event, why),) = sums.malformed
    assert event.body == malformed
    assert why.startswith(reason)
    why.encode()  # a lone surrogate would not go into the database
    assert "\x00" not in why


@pytest.mark.parametrize("at", [0, 946_684_799_999, 7_258_118_400_000, 2**62])
def test_a_time_out_of_range_is_malformed(at: int) -> None:
    sums = aggregate([view({"pages.content": [1]}, at)], COUNTABLE)

    assert sums.totals == {}
    assert "out of range" in sums.malformed[0][1]


def test_a_foreign_entry_is_kept_by_its_id() -> None:
    foreign = PendingEvent(0, -1, b"hello world", "5-0")

    sums = aggregate([foreign, foreign._replace(entry_id="6-0")], COUNTABLE)

    assert [event.entry_id for event, _ in sums.malformed] == ["5-0", "6-0"]
