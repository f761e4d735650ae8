"""What Redis replies, read as columns."""

import pytest

from footfall.eventlog import EventId
from footfall.eventlog.entries import NO_PRODUCER
from footfall.eventlog.envelope import BLOCK, RawEntry, columns_of, pack

OTHER = (b"9-9", [b"x", b"y"])
"""No event."""


def reply(metas: list[bytes]) -> list[RawEntry]:
    return [
        (
            b"5-%d" % n,
            [b"h", n.to_bytes(8, "big") + pack(EventId(2**62 + n % 3, n), 2**41 + n, meta),
             b"b", b"body %d" % n],
        )
        for n, meta in enumerate(metas)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("metas", [[b""], [b"m" * 17], [b"", b"m" * 17, b"told" * 50]])
def test_many_entries_are_read_as_one_by_one(count: int, metas: list[bytes]) -> None:
    entries = reply([metas[n % len(metas)] for n in range(count)])

    found = columns_of(entries)

    one_by_one = columns_of([*entries, OTHER])
    assert one_by_one.producer_ids[-1] == NO_PRODUCER
    assert found.entries == one_by_one.entries[:-1]
    assert found.metas == [metas[n % len(metas)] for n in range(count)]
    assert found.sequences == found.offsets == list(range(count))


def test_a_header_that_is_too_short_is_no_event() -> None:
    entries = reply([b"", b""])
    entries[1][1][1] = b"short"

    found = columns_of(entries)

    assert found.producer_ids == [2**62, NO_PRODUCER]
