"""Reads segments from a position on."""

import logging
import random
import threading
import zlib
from collections.abc import Iterator, Sequence

from django.utils import timezone

from footfall.common.compiled import Compiled
from footfall.models import Segment, StoreHead, StorePosition
from footfall.store.builder import cut_segments, size_of
from footfall.store.segment import Corrupt, Events, Run, decode

logger = logging.getLogger(__name__)

MAX_SEGMENTS = 500
"""Most segments that one call with `max_events` returns."""
ROWS_PER_QUERY = 16
"""Segments that `scan` has in memory: 64 MB, if each is as long as it can be."""
MAX_REMEMBERED = 8 * 1024**2
"""Bytes of new segments that this process keeps, as `size_of` has them: 200,000 events or more."""


HEAD = Compiled(lambda: StoreHead.objects.order_by("pk")[:1])
ENDS = Compiled(
    lambda number, key: Segment.objects.filter(number=number, key=key).values_list("number")
)
FROM = Compiled(
    lambda number: (
        Segment.objects.defer("data")
        .filter(number__gte=number)
        .order_by("number")[: MAX_SEGMENTS + 1]
    )
)


class PositionLost(Exception):
    """The store has no segment that ends at the position: it was restored from a backup."""


def is_known(position: StorePosition) -> bool:
    """Tell whether the store has everything after `position`: it is the end of one of its segments,
    of what has left it, or its beginning.
    """
    if position.number and ENDS.all(position.number, position.key):
        return True
    return position[:2] == store_head().removed[:2]


def store_head() -> StoreHead:
    """Return the end of the store as it is now; that of an empty one, if there is none."""
    return HEAD.first() or StoreHead()


def segments_after(position: StorePosition, max_events: int | None = None) -> Sequence[Segment]:
    """Return the segments after `position` in order, without their data.

    max_events: return fewer once they have so many events; always one, if there is one.
    Raises PositionLost.
    """
    if max_events is None:
        every = Segment.objects.defer("data").filter(number__gte=position.number)
        rows = list(every.order_by("number"))
    else:
        rows = FROM.all(position.number)
    if rows and (rows[0].number, rows[0].key) == position[:2]:
        del rows[0]
    elif not _begins(rows, position) and not is_known(position):
        raise PositionLost(f"the store has no segment {position.number} with this key")
    if max_events is None:
        return rows
    segments: list[Segment] = []
    for segment in rows[:MAX_SEGMENTS]:
        segments.append(segment)
        max_events -= segment.events
        if max_events <= 0:
            break
    return segments


def _begins(rows: Sequence[Segment], position: StorePosition) -> bool:
    """Tell without asking that these are all: nothing has left the store, if it has the first."""
    return bool(rows) and rows[0].first == 1 and position[:2] == (0, 0)


def load(segment: Segment, after: int = 0) -> Events:
    """Return the events of a segment, also if it was compacted since it was listed.

    One that is corrupt has none: it is marked with `corrupt_at`, and operators are told.
    after: leave out events that were stored first in a segment up to this number.
    Raises PositionLost if the segment is gone.
    """
    events = _remembered.get(segment)
    if events is None:
        # The whole row, in one statement: compaction may have replaced it.
        row = Segment.objects.filter(number__gte=segment.number).order_by("number").first()
        if row is None or not _has(row, segment):
            raise PositionLost(f"segment {segment.number} is gone")
        events = decoded(row)
    return cut_segments(events, max(after, segment.first - 1), segment.number)


def scan(since: int | None = None, until: int | None = None) -> Iterator[tuple[Segment, Events]]:
    """Yield every segment with its events, in order, as far as the store goes now.

    Each event comes once, while others append and compact. since, until: leave out segments that
    have no event in [since, until), in ms since 1970. A corrupt segment has no events.
    """
    rows = Segment.objects.order_by("number")
    last = rows.values_list("number", flat=True).last() or 0
    if since is not None:
        rows = rows.filter(last_at__gte=since)
    if until is not None:
        rows = rows.filter(first_at__lt=until)
    number = 0
    while page := list(rows.filter(number__gt=number, first__lte=last)[:ROWS_PER_QUERY]):
        for row in page:
            yield row, cut_segments(decoded(row), number, last)
            number = row.number


def decoded(row: Segment) -> Events:
    """Return the events of a row with its data. If it is corrupt: none, and it is marked."""
    if row.corrupt_at:
        return Events()
    try:
        events = verified(row)
    except Corrupt as error:
        _mark(row, error)
        return Events()
    _number(events, row.number)
    return events


def verified(row: Segment) -> Events:
    """Return the events of a row with its data. Raises Corrupt."""
    data = _checked(row)
    events = decode(data, row.version)
    if len(events) != row.events:
        raise Corrupt(f"it has {len(events)} events")
    return events


def check_some(max_bytes: int) -> None:
    """Mark segments whose data does not match its checksum.

    It reads about `max_bytes`, from a random segment on: called every day, it finds each in time.
    """
    rows = Segment.objects.filter(corrupt_at=None).order_by("number")
    last = rows.values_list("number", flat=True).last() or 0
    start = random.randint(0, last)  # noqa: S311
    for part in (rows.filter(number__gt=start), rows.filter(number__lte=start)):
        number = 0
        while max_bytes > 0 and (page := list(part.filter(number__gt=number)[:ROWS_PER_QUERY])):
            for row in page:
                max_bytes -= len(row.data)
                try:
                    _checked(row)
                except Corrupt as error:
                    _mark(row, error)
            if len(page) < ROWS_PER_QUERY:
                break
            number = page[-1].number


def _checked(row: Segment) -> bytes:
    data = bytes(row.data)
    if zlib.crc32(data) != row.checksum:
        raise Corrupt("its checksum is another one")
    return data


def _mark(row: Segment, error: Corrupt) -> None:
    row.corrupt_at = timezone.now()
    # Unless compaction has replaced the row, or another reader was first.
    stored = Segment.objects.filter(pk=row.pk, checksum=row.checksum, corrupt_at=None)
    if stored.update(corrupt_at=row.corrupt_at):
        logger.error(
            "segment %s is corrupt, its %s events cannot be read: %s", row.number, row.events, error
        )


def _number(events: Events, number: int) -> None:
    """Give the runs their number: when a segment is encoded, it has none yet."""
    events.runs = [Run(run.number or number, run.partition, run.events) for run in events.runs]


def _has(row: Segment, segment: Segment) -> bool:
    """Tell whether `row` is this segment, or was compacted from it and others."""
    is_same = row.number > segment.number or row.key == segment.key
    return is_same and row.first <= segment.first


class Remembered:
    """The events of the newest segments, in memory. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[tuple[int, int, int], Events] = {}
        self._bytes = 0

    def add(self, segment: Segment, events: Events) -> None:
        key = _key(segment)
        with self._lock:
            if key in self._events:
                return
            self._events[key] = events
            self._bytes += size_of(events)
            while self._bytes > MAX_REMEMBERED:
                oldest = self._events.pop(next(iter(self._events)))
                self._bytes -= size_of(oldest)

    def get(self, segment: Segment) -> Events | None:
        with self._lock:
            return self._events.get(_key(segment))


def _key(segment: Segment) -> tuple[int, int, int]:
    # A compacted segment has number and key of its last one.
    return segment.first, segment.number, segment.key


_remembered = Remembered()


def remember(segment: Segment, events: Events) -> None:
    """Let `load` in this process return the events of a new segment without reading them.

    Call it once the segment is committed. Nothing may change `events` from then on.
    """
    _number(events, segment.number)
    _remembered.add(segment, events)
